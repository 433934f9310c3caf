"""The rows of the demo: each call with the answer it must have."""

from collections.abc import Callable, Mapping

from examples.demo.caller import Answer, Caller
from examples.demo.terminal import bold, dim, fact, row


class Tour:
    """Calls, shows, and counts what was not as expected."""

    def __init__(self) -> None:
        self.failures = 0

    def chapter(self, title: str) -> None:
        print(f"\n  {bold(title)}")

    def call(
        self,
        step: str,
        caller: Caller,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        expect: int = 200,
        *,
        code: str = "",
        note: Callable[[Answer], str] | None = None,
    ) -> Answer:
        """Make one call and show it; `code` is the word that a refusal must have."""
        answer = caller.call(method, path, headers, body)
        is_expected = answer.status == expect and (not code or answer.code == code)
        self.failures += not is_expected
        said = note(answer) if note and is_expected else dim(answer.code)
        row(step, f"{method} {_shortened(path)}", answer.status, expect, answer.seconds, said)
        return answer

    def check(self, step: str, said: str, *, is_expected: bool) -> None:
        """Show something that was found out by other means."""
        self.failures += not is_expected
        fact(step, said, is_expected=is_expected)


def _shortened(path: str) -> str:
    parts = ["{id}" if len(part) == 24 else part for part in path.partition("?")[0].split("/")]
    return "/".join(parts)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
