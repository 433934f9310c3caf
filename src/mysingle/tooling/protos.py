"""Protocol buffers through buf: lint, format, breaking changes, stubs."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.extras import MissingExtraError

__all__ = ["ProtoWorkspace"]

_TIMEOUT_SECONDS = 120


class ProtoWorkspace:
    """
    A folder of .proto files with its `buf.yaml`; every method prints what buf says and returns an exit code.

    0: nothing found. 1: findings.

    Raises:
        MissingExtraError: buf is not installed.
        MySingleError: the folder has no `buf.yaml`, or buf itself failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buf = _find_buf()
        if not (folder / "buf.yaml").is_file():
            raise _problem(f"{folder} has no buf.yaml; name the folder of your protos with --path")

    def generate(self) -> int:
        """Make the Python stubs that `buf.gen.yaml` asks for."""
        if not (self._folder / "buf.gen.yaml").is_file():
            raise _problem(f"{self._folder} has no buf.gen.yaml, which says what to generate, and where")
        return self._run("generate")

    def validate(self, *, fixes: bool = False, against: str | None = None) -> int:
        """
        Lint, and check the format.

        Args:
            fixes: write the format instead of checking it.
            against: a git branch or tag; also find what breaks its clients.
        """
        checks: list[list[str]] = [["lint"], ["format", "--write"] if fixes else ["format", "--diff", "--exit-code"]]
        if against is not None:
            checks.append(["breaking", "--against", self._git_input(against)])
        return max(self._run(*check) for check in checks)

    def _git_input(self, reference: str) -> str:
        root = Path(self._output("git", "rev-parse", "--show-toplevel"))
        inside = self._folder.resolve().relative_to(root)
        return f"{root / '.git'}#ref={reference},subdir={inside}"

    def _output(self, *command: str) -> str:
        done = subprocess.run(  # noqa: S603  # the words are ours, and no shell reads them
            command, cwd=self._folder, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
        )
        if done.returncode:
            raise _problem(f"{self._folder} is not in a git repository, so there is nothing to compare with")
        return done.stdout.strip()

    def _run(self, *arguments: str) -> int:
        command: Sequence[str] = [self._buf, *arguments]
        done = subprocess.run(command, cwd=self._folder, timeout=_TIMEOUT_SECONDS)  # noqa: S603  # as above
        if done.returncode not in (0, 100):  # 100: buf has findings
            raise _problem(f"`buf {' '.join(arguments)}` failed")
        return int(done.returncode != 0)


def _find_buf() -> str:
    beside_python = Path(sys.executable).with_name("buf")
    found = str(beside_python) if beside_python.is_file() else shutil.which("buf")
    if found is None:
        raise MissingExtraError("dev", "buf", "mysingle-proto")
    return found


def _problem(message: str) -> MySingleError:
    return MySingleError(message, code=ErrorCode.FAILED_PRECONDITION, reason="PROTO_WORKSPACE")
