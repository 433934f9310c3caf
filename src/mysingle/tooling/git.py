"""Git as the tools use it: bounded, never asking anybody, one line for what went wrong."""

import os
import shutil
import subprocess
from pathlib import Path

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["Git", "GitError"]

_LOCAL_SECONDS = 60.0
_REMOTE_SECONDS = 120.0
_REMOTE_COMMANDS = ("clone", "fetch", "ls-remote", "push", "submodule")
_SETTINGS = (
    "-c",
    "log.showSignature=false",
    "-c",
    "column.ui=never",
    "-c",
    "color.ui=never",
    "-c",
    "core.quotePath=false",
)
"""What a person may have set, and what would change the output that is read here."""

_ADVICE = {
    "index.lock': File exists": "when no other git works here, a killed one has left that file: delete it",
    "transport 'file' not allowed": "if you trust the folder, run `git config --global protocol.file.allow always`",
}
_NO_CAUSE = "error: failed to push some refs"
_MARKS = ("fatal: ", "error: ", "! [")


class GitError(MySingleError):
    """A repository cannot be used as asked; the message says why, and what to do."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="GIT_FAILED")


class Git:
    """
    A git repository, or a folder inside of one.

    Commands speak English, never open a prompt or an editor, and end within a minute (two for those that reach out).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = shutil.which("git")
        if program is None:
            raise GitError("git is not installed")
        self._program = program

    def run(self, *arguments: str, given: str | None = None) -> str:
        """
        Run a command, and return what it prints.

        Raises:
            GitError: it failed, with the line in which git says why.
        """
        done = self._start(arguments, given)
        if done.returncode:
            cause = _cause(done.stderr or done.stdout)
            advice = next((f"; {text}" for words, text in _ADVICE.items() if words in cause), "")
            raise GitError(f"`git {arguments[0]}` failed: {cause}{advice}")
        return _text(done.stdout)

    def line(self, *arguments: str) -> str | None:
        """Return what a question is answered with, without the line break; None when git says no."""
        done = self._start(arguments, None)
        return _text(done.stdout).rstrip("\n") if done.returncode == 0 else None

    def accepts(self, *arguments: str) -> bool:
        """Tell whether a command succeeds."""
        return self._start(arguments, None).returncode == 0

    def root(self) -> Path:
        """
        Return the top folder of the working tree.

        Raises:
            GitError: the folder is in no working tree.
        """
        if not self.folder.is_dir():
            raise GitError(f"{self.folder} is no folder")
        done = self._start(("rev-parse", "--show-toplevel"), None)
        cause = _cause(done.stderr)
        if done.returncode and "not a git repository" in cause:
            raise GitError(
                f"{self.folder.resolve()} is not in a git repository: run `git init`, or go to the right one"
            )
        if done.returncode:
            raise GitError(f"{self.folder.resolve()} cannot be used: {cause}")
        return Path(_text(done.stdout).rstrip("\n"))

    def path(self, name: str) -> Path:
        """Return where git keeps something of its own, for example `shallow`."""
        return self.folder / self.run("rev-parse", "--git-path", name).rstrip("\n")

    def _start(self, arguments: tuple[str, ...], given: str | None) -> subprocess.CompletedProcess[bytes]:
        seconds = _REMOTE_SECONDS if arguments[0] in _REMOTE_COMMANDS else _LOCAL_SECONDS
        try:
            return subprocess.run(  # noqa: S603  # the words are ours, and no shell reads them
                [self._program, *_SETTINGS, *arguments],
                cwd=self.folder,
                env=_environment(),
                input=b"" if given is None else given.encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise GitError(f"`git {arguments[0]}` did not end within {seconds:g} s") from None
        except OSError as error:
            raise GitError(f"git cannot start in {self.folder}: {error.strerror}") from error


def _environment() -> dict[str, str]:
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", "GIT_OPTIONAL_LOCKS": "0"}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", **os.environ, **quiet}


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def _cause(output: bytes) -> str:
    """Return the line that says why; git writes advice around it."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(_MARKS) and not line.startswith(_NO_CAUSE)]
    chosen = (marked or lines or ["it does not say why"])[0]
    return chosen.removeprefix("fatal: ").removeprefix("error: ")
