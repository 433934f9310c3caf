"""A submodule as it is: what the service records, what is checked out, what would be lost."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle.tooling.git import Git, GitError
from mysingle.tooling.version import parse_version

__all__ = ["DEFAULT_PATH", "Checkout", "Standing", "SubmoduleError", "newest_release"]

DEFAULT_PATH = "packages/mysingle"
_TAG_PREFIX = "v"
_SHOWN = 3
_MOVED = re.compile(r"\[rejected\] +(\S+) .*would clobber existing tag")


class SubmoduleError(MySingleError):
    """The submodule cannot be changed as asked; the message says why, and what to do."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="SUBMODULE_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    How a submodule stands.

    `recorded` is the commit that the service's newest commit names, `checked_out` the one in the working tree, None
    when there is none; `version` describes it. `newest` is the newest release that is known here. `unpushed` counts
    commits that no remote has. `origin` is where the checkout comes from, None when that is where `url` says.
    """

    path: str
    url: str
    recorded: str | None
    checked_out: str | None
    version: str | None
    newest: str | None
    changes: tuple[str, ...]
    unpushed: int
    origin: str | None = None
    is_in_conflict: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """What somebody should see to, one sentence each; being older than the newest release is none."""
        if self.is_in_conflict:
            return (f"in conflict after a merge: check out the commit that is right, then `git add {self.path}`",)
        if self.checked_out is None:
            return ("not checked out: `mysingle submodule update`, or `git submodule update --init`",)
        said = {
            "not committed in the service yet": self.recorded is None,
            "another commit is checked out than the service records": self.recorded not in (None, self.checked_out),
            f"local changes: {_listed(self.changes)}": bool(self.changes),
            f"{_commits(self.unpushed)} that no remote has": self.unpushed > 0,
            f"it comes from {self.origin}, not from its url: `git submodule sync {self.path}`": self.origin is not None,
        }
        return tuple(text for text, applies in said.items() if applies)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**asdict(self), "problems": self.problems}


class Checkout:
    """
    One submodule of a service.

    Raises:
        GitError: the folder is in no repository. SubmoduleError: the path leads out of it.
    """

    def __init__(self, folder: Path, path: str = DEFAULT_PATH) -> None:
        self.root = Git(folder).root()
        self.parent = Git(self.root)
        self.folder = self.root / path
        if self.root not in self.folder.parents or ".." in self.folder.parts:
            raise SubmoduleError(f"{path!r} is not a folder below {self.root}")
        self.path = self.folder.relative_to(self.root).as_posix()

    @property
    def git(self) -> Git:
        """Git inside of the submodule."""
        return Git(self.folder)

    def is_checked_out(self) -> bool:
        """Tell whether the submodule's files are there."""
        return (self.folder / ".git").exists()

    def url(self) -> str | None:
        """Return where the submodule comes from, as `.gitmodules` says; None when it does not know it."""
        found = self.parent.line("config", "--file", ".gitmodules", "--get", f"submodule.{self.name()}.url")
        return found or None

    def resolved(self, url: str) -> str:
        """Return a URL that git can reach from here: `../x.git` stands beside the service's own remote."""
        if not url.startswith(("./", "../")):
            return url
        base = self.parent.line("remote", "get-url", "origin") or str(self.root)
        while url.startswith("../"):
            base, url = re.sub(r"[/:][^/:]*$", "", base.rstrip("/")), url.removeprefix("../")
        return f"{base.rstrip('/')}/{url.removeprefix('./')}"

    def remote(self) -> str:
        """
        Return the remote of the checkout: `origin`, or the only one there is.

        Raises:
            SubmoduleError: there is none, or several.
        """
        names = self.git.run("remote").split()
        if "origin" in names or len(names) == 1:
            return "origin" if "origin" in names else names[0]
        said = f"has the remotes {', '.join(names)}, and none is origin" if names else "has no remote"
        raise SubmoduleError(f"{self.path} {said}: run `git -C '{self.path}' remote add origin {self.url()}`")

    def fetch(self) -> None:
        """
        Ask the remote for its releases.

        Raises:
            SubmoduleError: it has moved a tag that is known here. GitError: it does not answer.
        """
        try:
            self.git.run("fetch", "--tags", self.remote())
        except GitError as error:
            moved = _MOVED.search(error.message)
            if moved is None:
                raise
            raise SubmoduleError(
                f"the remote of {self.path} has moved the tag {moved[1]}: when that is right, "
                f"run `git -C '{self.path}' fetch --tags --force`"
            ) from error

    def name(self) -> str:
        """Return the name that `.gitmodules` gives to the path; the path itself when it has none."""
        pairs = (self.parent.line("config", "--file", ".gitmodules", "--get-regexp", r"\.path$") or "").splitlines()
        for key, _, path in (pair.partition(" ") for pair in pairs):
            if path == self.path:
                return key.removeprefix("submodule.").removesuffix(".path")
        return self.path

    def recorded(self) -> str | None:
        """Return the commit that the service's newest commit names."""
        return self._link(self.parent.line("ls-tree", "HEAD", "--", self.path))

    def staged(self) -> str | None:
        """Return the commit that the service's index names."""
        return self._link(self.parent.line("ls-files", "--stage", "--", self.path))

    def _link(self, line: str | None) -> str | None:
        words = (line or "").split()
        return next((word for word in words[1:3] if len(word) >= 40), None) if words[:1] == ["160000"] else None

    def is_in_conflict(self) -> bool:
        """Tell whether a merge of the service left two commits to choose from."""
        return bool(self.parent.run("ls-files", "--unmerged", "--", self.path))

    def other_origin(self) -> str | None:
        """Return where the checkout comes from when `.gitmodules` names another place; a relative one is not judged."""
        try:
            url, origin = self.url() or "", self.git.line("config", "--get", f"remote.{self.remote()}.url")
        except SubmoduleError:  # which stops whoever needs the remote, and nobody else
            return None
        return origin if origin and not url.startswith(("./", "../")) and origin != url else None

    def changes(self) -> tuple[str, ...]:
        """Return the files that were changed or added and are in no commit."""
        return tuple(line[3:] for line in self.git.run("status", "--porcelain").splitlines())

    def is_half_checked_out(self) -> bool:
        """Tell whether files are missing, or are as some commit has them, and nothing else: a checkout was killed."""
        if not self.changes() or self.unpushed():
            return False
        output = self.git.run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        files = [name for entry in output.split("\0") if (name := entry[3:]) and (self.folder / name).is_file()]
        return all(
            self.git.accepts("cat-file", "-e", self.git.run("hash-object", "--", name).strip()) for name in files
        )

    def unpushed(self) -> int:
        """Count the commits that neither a remote nor a tag has."""
        return int(self.git.run("rev-list", "--count", "HEAD", "--not", "--remotes", "--tags"))

    def releases(self) -> tuple[str, ...]:
        """Return the release tags that are known here."""
        return tuple(self.git.run("tag", "--list").split())

    def standing(self) -> Standing:
        """
        Say how it stands.

        Raises:
            SubmoduleError: there is no such submodule.
        """
        url = self.url()
        if url is None:
            raise SubmoduleError(f"{self.path} is no submodule of {self.root.name}: run `mysingle submodule add`")
        if not self.is_checked_out():
            absent: tuple[str, ...] = ()
            return Standing(
                path=self.path, url=url, recorded=self.recorded(), checked_out=None, version=None, newest=None,
                changes=absent, unpushed=0, is_in_conflict=self.is_in_conflict(),
            )  # fmt: skip
        return Standing(
            path=self.path,
            url=url,
            recorded=self.recorded(),
            checked_out=self.git.line("rev-parse", "HEAD"),
            version=self.git.line("describe", "--tags", "--always", "HEAD"),
            newest=newest_release(self.releases()),
            changes=self.changes(),
            unpushed=self.unpushed(),
            origin=self.other_origin(),
            is_in_conflict=self.is_in_conflict(),
        )

    def check_nothing_is_lost(self) -> None:
        """Refuse to leave what is in no commit, or in commits that no remote has."""
        changes = self.changes()
        if changes:
            raise SubmoduleError(
                f"{self.path} has local changes: {_listed(changes)}; "
                "`mysingle submodule sync` makes a branch of them, `git stash` puts them away"
            )
        count = self.unpushed()
        if count:
            raise SubmoduleError(
                f"{self.path} has {_commits(count)} that no remote has: `mysingle submodule sync --push` pushes them"
            )


def newest_release(tags: Iterable[str]) -> str | None:
    """Return the tag of the newest release; pre-releases do not count."""
    pairs = ((parse_version(tag.removeprefix(_TAG_PREFIX)), tag) for tag in tags if tag.startswith(_TAG_PREFIX))
    return max(((version, tag) for version, tag in pairs if version and not version.label), default=(None, None))[1]


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
