"""What a release reads from a repository: tags, commits, and whether it may write here."""

from collections.abc import Collection, Mapping
from pathlib import Path

from mysingle.tooling.git import Git
from mysingle.tooling.version._conventional import parse_message
from mysingle.tooling.version._history import Commit
from mysingle.tooling.version._semver import Version, parse_version
from mysingle.tooling.version.errors import VersionError

__all__ = ["Repository"]

_FIELDS = 3
_SHOWN = 3


class Repository:
    """
    The repository around a package; a package below its top has its own commits and its own tags.

    Raises:
        GitError: the folder is in no repository.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.root = Git(folder).root()
        self.git = Git(self.root)
        inside = folder.resolve().relative_to(self.root.resolve())
        self.folder = inside.as_posix()
        self.is_whole = self.folder == "."
        self._prefix = "" if self.is_whole else f"{name}-"

    def head(self) -> str:
        """Return the hash of the newest commit."""
        found = self.git.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if not found:
            raise VersionError(f"{self.root} has no commits yet: make the first one, then run this again")
        return found

    def tags(self, *, merged: bool) -> Mapping[Version, str]:
        """Return the version tags: all, or those that this branch has."""
        words = ["--merged=HEAD"] if merged else []
        names = self.git.run("for-each-ref", *words, "--format=%(refname:lstrip=2)", "refs/tags/").split("\n")
        ours = sorted(name for name in names if name.startswith(self._prefix))  # v1.2.3 comes after 1.2.3, and wins
        versions = ((parse_version(name.removeprefix(self._prefix).removeprefix("v")), name) for name in ours)
        return {version: name for version, name in versions if version}

    def tag_of(self, version: Version) -> str:
        """Return how the tag of a version is called: with a `v`, unless the newest one has none."""
        tags = self.tags(merged=False)
        newest = tags[max(tags)] if tags else "v"
        letter = "v" if newest.removeprefix(self._prefix).startswith("v") else ""
        return f"{self._prefix}{letter}{version}"

    def commits(self, since: str | None) -> tuple[Commit, ...]:
        """
        Return the commits of the package since a tag, newest first; all of them without a tag.

        Raises:
            VersionError: a shallow clone, in which some of them may be missing.
        """
        span = f"refs/tags/{since}..HEAD" if since else "HEAD"
        paths = [] if self.is_whole else ["--full-history", "--", self.folder]  # merges too, somebody may revert one
        output = self.git.run("log", "-z", "--topo-order", "--encoding=UTF-8", "--format=%H%x00%P%x00%B", span, *paths)
        fields = output.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split("\0")
        rows = zip(fields[::_FIELDS], fields[1::_FIELDS], fields[2::_FIELDS], strict=False)
        commits = tuple(Commit(digest, parse_message(text), tuple(parents.split())) for digest, parents, text in rows)
        self._check_depth(span)
        return commits

    def _check_depth(self, span: str) -> None:
        shallow = self.git.path("shallow")
        if not shallow.is_file():
            return
        ends = set(shallow.read_text(encoding="ascii").split())
        if not ends.isdisjoint(self.git.run("rev-list", span).split()):
            raise VersionError("this clone is shallow, commits are missing: run `git fetch --unshallow --tags`")

    def branch(self) -> str:
        """
        Return the branch on which a release may be made.

        Raises:
            VersionError: there is none, a merge has not ended, or a tracked file was changed.
        """
        branch = self.git.line("symbolic-ref", "--quiet", "--short", "HEAD")
        if not branch:
            raise VersionError("no branch is checked out (detached HEAD): run `git switch <branch>` first")
        if self.git.path("MERGE_HEAD").exists():
            raise VersionError("a merge has not ended: commit it, or run `git merge --abort`")
        status = self.git.run("status", "--porcelain", "-z", "--untracked-files=no").strip("\0")
        if status:
            changed = [entry[3:] for entry in status.split("\0")]
            raise VersionError(f"changes are not committed: {_listed(changed)}; commit them, or run `git stash`")
        return branch

    def check_tracked(self, paths: Collection[str]) -> None:
        """Refuse to write over a file that no commit has, one that git ignores, or through a link."""
        existing = [path for path in paths if (self.root / path).exists()]
        ignored = [path for path in paths if path not in existing and self.git.accepts("check-ignore", "--quiet", path)]
        if ignored:
            raise VersionError(
                f"{_listed(ignored)} would be written, but .gitignore keeps it out: take it out of there"
            )
        known = set(self.git.run("ls-files", "-z", "--", *existing).split("\0")) if existing else set()
        unknown = [path for path in existing if path not in known]
        if unknown:
            raise VersionError(f"{_listed(unknown)} would be changed, but no commit has it: commit it first")
        links = [path for path in existing if (self.root / path).is_symlink()]
        if links:
            raise VersionError(f"{_listed(links)} is a symbolic link; a release writes plain files only")

    def check_remote(self, remote: str, branch: str, tag: str) -> None:
        """
        Refuse a push that cannot succeed, before anything is done.

        Raises:
            VersionError: there is no such remote, it has the tag, or commits that are not here.
            GitError: it does not answer.
        """
        if self.git.line("remote", "get-url", remote) is None:
            raise VersionError(
                f"there is no remote {remote!r}: run `git remote add {remote} <url>`, or leave --push out"
            )
        wanted = (f"refs/heads/{branch}", f"refs/tags/{tag}")
        lines = self.git.run("ls-remote", remote, *wanted).splitlines()
        found = {name: digest for digest, _, name in (line.partition("\t") for line in lines)}
        if wanted[1] in found:
            raise VersionError(f"{remote} has the tag {tag} already: run `git fetch --tags`")
        theirs = found.get(wanted[0])
        if theirs and not self.git.accepts("merge-base", "--is-ancestor", theirs, "HEAD"):
            raise VersionError(f"{remote} has commits on {branch} that are not here: run `git pull` first")


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
