"""A release is made whole or not at all: files, one commit, one tag, one push."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from mysingle.tooling.git import GitError
from mysingle.tooling.version._journal import Journal, temporary, write_whole
from mysingle.tooling.version._repository import Repository
from mysingle.tooling.version.errors import VersionError

__all__ = ["Maker"]

_JOURNAL = "mysingle-version.json"
_LOCK = "mysingle-version.lock"


class Maker:
    """
    Makes releases in one repository.

    Before the first change it leaves a journal; what a killed run has left is taken back by the next one, or finished
    when its commit was made.
    """

    def __init__(self, repository: Repository) -> None:
        self._git = repository.git
        self._root = repository.root
        self._file = repository.git.path(_JOURNAL)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs away; a run that is killed frees the place."""
        try:
            lock = self._git.path(_LOCK).open("w")
        except OSError as error:
            raise VersionError(f"{self._git.path(_LOCK)} cannot be written: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise VersionError("another run makes a release here at this moment: wait until it has ended") from None
            yield

    def interrupted(self) -> str | None:
        """Return the tag of a release that did not end; None when there is none."""
        journal = Journal.read(self._file)
        return journal.tag if journal else None

    def settle(self) -> str | None:
        """
        Finish or take back what an earlier run has left.

        Returns:
            The tag of the release that was finished; None when there was nothing to finish.
        """
        journal = Journal.read(self._file)
        if journal is None:
            return None
        if self._is_committed(journal):
            self._tag(journal)
            self._push(journal)
            self._forget()
            return journal.tag
        if self._head() == journal.head:
            self._restore(journal, only_ours=True)
        self._forget()
        return None

    def make(self, journal: Journal) -> None:
        """
        Make a release.

        Raises:
            VersionError, GitError: it was not made, and everything is as before; unless the message says otherwise.
        """
        journal.write(self._file)
        try:
            self._write(journal)
            self._commit(journal)
            self._tag(journal)
        except BaseException:
            self._undo(journal)
            raise
        self._push(journal)
        self._forget()

    def _write(self, journal: Journal) -> None:
        for path, text in journal.files.items():
            if text is None:
                (self._root / path).unlink(missing_ok=True)
            else:
                write_whole(self._root / path, text)

    def _commit(self, journal: Journal) -> None:
        self._git.run("add", "--all", "--", *journal.files)
        subject = journal.message.partition("\n")[0]
        self._git.run("commit", "--quiet", "--allow-empty", "--file=-", given=f"{subject}\n")

    def _tag(self, journal: Journal) -> None:
        if self._git.line("rev-parse", "--verify", "--quiet", f"refs/tags/{journal.tag}") is None:
            self._git.run("tag", "--annotate", "--cleanup=verbatim", "--file=-", journal.tag, given=journal.message)

    def _push(self, journal: Journal) -> None:
        if journal.remote is None:
            return
        names = (f"HEAD:refs/heads/{journal.branch}", f"refs/tags/{journal.tag}")
        try:
            self._git.run("push", "--quiet", "--atomic", journal.remote, *names)
        except GitError as error:
            self._judge_push(journal, journal.remote, error)

    def _judge_push(self, journal: Journal, remote: str, error: GitError) -> None:
        """See what became of a push: it may have arrived; what was refused is undone; what nobody answers waits."""
        try:
            arrived = self._git.run("ls-remote", remote, f"refs/tags/{journal.tag}")
        except GitError:
            raise VersionError(
                f"{journal.tag} is made here, and {remote} does not answer: run the command again to push it"
            ) from error
        if not arrived:
            self._undo(journal)
            raise VersionError(f"{remote} refused {journal.tag}, so it was not made: {error.message}") from error

    def _undo(self, journal: Journal) -> None:
        if self._is_committed(journal):
            self._git.accepts("tag", "--delete", journal.tag)
            self._git.run("reset", "--quiet", "--keep", journal.head)
        else:
            self._restore(journal, only_ours=False)  # a hook may have changed them, and nobody else had the time
        self._forget()

    def _restore(self, journal: Journal, *, only_ours: bool) -> None:
        """Put the files back; `only_ours` leaves what somebody has changed since the release wrote it."""
        for path, text in journal.files.items():
            file = self._root / path
            temporary(file).unlink(missing_ok=True)
            if only_ours and _content(file) != (None if text is None else text.encode("utf-8")):
                continue
            if self._git.accepts("cat-file", "-e", f"{journal.head}:{path}"):
                self._git.run("checkout", "--quiet", journal.head, "--", path)
            else:
                self._git.run("rm", "--quiet", "--force", "--cached", "--ignore-unmatch", "--", path)
                file.unlink(missing_ok=True)

    def _is_committed(self, journal: Journal) -> bool:
        """Tell whether the newest commit is the one of the journal; a hook may have changed its subject, or a file."""
        said = self._git.line("log", "-1", "--format=%P%n%s", "HEAD") or ""
        parent, _, subject = said.partition("\n")
        if parent != journal.head:
            return False
        return subject == journal.message.partition("\n")[0] or all(
            self._git.line("rev-parse", "--quiet", "--verify", f"HEAD:{path}") == self._blob(path, text)
            for path, text in journal.files.items()
        )

    def _blob(self, path: str, text: str | None) -> str | None:
        """Return the name under which git keeps a file; None for one that goes."""
        if text is None:
            return None
        return self._git.run("hash-object", "--stdin", f"--path={path}", given=text).rstrip("\n")

    def _head(self) -> str | None:
        return self._git.line("rev-parse", "HEAD")

    def _forget(self) -> None:
        temporary(self._file).unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
