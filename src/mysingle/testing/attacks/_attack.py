"""What an attack is: what somebody sends, and the only answers that a sound service gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mysingle.testing.attacks._wire import Answer
from mysingle.testing.attacks._witness import MARK

if TYPE_CHECKING:
    from mysingle.testing.attacks._forge import Forge

__all__ = [
    "Attack",
    "Expected",
    "Need",
    "StartAttack",
    "answered",
    "attack",
    "let_in",
    "malformed",
    "not_reached",
    "refused",
    "refused_handshake",
]

_CHALLENGE = 'Bearer realm="mysingle"'
_TOKEN_CHALLENGE = f'{_CHALLENGE}, error="invalid_token"'
_PROBLEM = "application/problem+json"
_ANY = ""


class Need(StrEnum):
    """What a service has to have for an attack to make sense."""

    CIDR = "the cidr proof"
    HMAC = "the hmac proof"
    JWT = "the jwt proof"
    SECRET = "the secret proof"  # noqa: S105  # a word, no secret
    PUBLIC = "a public path"
    PREFIX = "a public path with everything below it"
    WEBSOCKET = "a protected WebSocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    One answer that is right.

    Args:
        outcomes: each a status and the `code` of the problem; an empty code stands for any.
        is_reached: whether the handler gets the request.
        seen: what the handler sees of its caller; what is not named here may be anything.
        may_be_absent: whether it is right that there is no such answer.
        alternative: another answer that is right, where servers differ.
    """

    outcomes: tuple[tuple[int, str], ...]
    is_reached: bool = False
    seen: Mapping[str, Any] = field(default_factory=dict)
    may_be_absent: bool = False
    alternative: "Expected | None" = None

    def or_silence(self) -> "Expected":
        """Return the same, or nothing: a server may take two requests for one."""
        return replace(self, may_be_absent=True)

    def or_else(self, other: "Expected") -> "Expected":
        """Return this answer or another one."""
        return replace(self, alternative=other)

    def problem(self, answer: Answer | None, mark: str) -> str | None:
        """Return what is wrong with an answer; None when it is right."""
        if answer is None:
            return None if self.may_be_absent else "no answer"
        wrong = self._problem(answer, mark)
        if wrong is not None and self.alternative is not None and self.alternative.problem(answer, mark) is None:
            return None
        return wrong

    def _problem(self, answer: Answer, mark: str) -> str | None:
        found = (answer.status, answer.code)
        if (answer.headers.get(MARK) == mark) is not self.is_reached:
            return f"the handler was {'not ' if self.is_reached else ''}reached: {_told(answer)}"
        if not any(status == found[0] and code in (_ANY, found[1]) for status, code in self.outcomes):
            return f"answered {_spell([found])}, and {_spell(self.outcomes)} is right"
        return self._wrong_caller(answer) if self.is_reached else _wrong_refusal(answer)

    def _wrong_caller(self, answer: Answer) -> str | None:
        seen = _document(answer)
        wrong = {name: seen.get(name) for name, value in self.seen.items() if seen.get(name) != value}
        return f"the handler saw {wrong}, and {dict(self.seen)} is right" if wrong else None


def _wrong_refusal(answer: Answer) -> str | None:
    """Return what a refusal lacks: the challenge of a 401, one shape of error."""
    if answer.status != 401:
        return None
    challenge = answer.headers.get("www-authenticate")
    of_token = answer.code.startswith("TOKEN_") or answer.code == "SESSION_REVOKED"
    right = _TOKEN_CHALLENGE if of_token else _CHALLENGE
    if challenge != right and (answer.code or challenge != _TOKEN_CHALLENGE):
        return f"WWW-Authenticate is {challenge!r}, and {right!r} is right"
    if answer.headers.get("content-type") != _PROBLEM:
        return f"the body is {answer.headers.get('content-type')}, and {_PROBLEM} is right"
    return None


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status != 101:
        return answer.document
    return Answer(200, {}, answer.headers.get("x-seen", "").encode("latin-1")).document


def _told(answer: Answer) -> str:
    if MARK in answer.headers:
        return f"{answer.status}, it saw {_document(answer)}"
    return f"{answer.status} {answer.body[:300].decode('latin-1')}"


def _spell(outcomes: Sequence[tuple[int, str]]) -> str:
    return " or ".join(f"{status} {code}".strip() for status, code in outcomes)


def refused(*codes: str, status: int = 401) -> Expected:
    """Return the answer to somebody who is turned away with one of these codes."""
    return Expected(outcomes=tuple((status, code) for code in codes))


def malformed() -> Expected:
    """Return the answer to a gateway that has proved itself, and sends what it never should."""
    return refused("GATEWAY_HEADER_MALFORMED", status=400)


def not_reached(*statuses: int) -> Expected:
    """Return any answer with one of these statuses that does not come from the handler."""
    return Expected(outcomes=tuple((status, _ANY) for status in statuses))


def answered(*outcomes: tuple[int, str]) -> Expected:
    """Return one of several answers that depend on the server's parser; none of them comes from the handler."""
    return Expected(outcomes=outcomes)


def refused_handshake(*codes: str) -> Expected:
    """Return the answer to a WebSocket that is closed before it is open."""
    return refused(*codes, status=403)


def let_in(*, status: int = 200, **seen: Any) -> Expected:
    """Return the answer of the handler, which sees that much of its caller."""
    return Expected(outcomes=((status, _ANY),), is_reached=True, seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """
    One attack, or one control: a request that has to get through.

    Args:
        id: stable; it begins with the row of the specification where there is one.
        does: what the attacker does, as a sentence without a subject.
        send: makes the requests, each the bytes of one connection; they go out one after the other.
        expects: the right answer to each request; several answers on one connection are judged in order.
        needs: what the service has to have.
    """

    id: str
    does: str
    send: Callable[["Forge"], Sequence[bytes]]
    expects: tuple[Expected, ...]
    needs: frozenset[Need] = frozenset()


def attack(
    name: str, does: str, send: Callable[["Forge"], Sequence[bytes]], *expects: Expected, needs: Sequence[Need] = ()
) -> Attack:
    """Return a row of a table."""
    return Attack(id=name, does=does, send=send, expects=expects, needs=frozenset(needs))


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttack:
    """
    A mistake of the operator: the service starts with it, and is attacked; or it must not start at all.

    Args:
        id, does: as for an attack.
        environment: what is different, by variable; None takes one away.
        send, expects: what a server says whose lifespan did not run.
        refusal: words that the refusal to start contains; None when it is no reason not to start.
        secrets: what the refusal must not contain.
    """

    id: str
    does: str
    environment: Mapping[str, str | None]
    send: Callable[["Forge"], Sequence[bytes]]
    expects: tuple[Expected, ...]
    refusal: str | None = None
    secrets: tuple[str, ...] = ()
    needs: frozenset[Need] = frozenset()
