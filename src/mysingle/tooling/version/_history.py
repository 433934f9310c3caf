"""From the commits since a release to the size of the next one. Nothing here touches a repository."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mysingle.tooling.version._conventional import Message
from mysingle.tooling.version._semver import Bump, Version

__all__ = ["Commit", "bump_of", "effective", "labelled"]

_MERGE = 2
_BUMPS = {"feat": Bump.MINOR, "fix": Bump.PATCH, "perf": Bump.PATCH, "revert": Bump.PATCH}


class Commit(NamedTuple):
    """A commit, what its message says, and the commits that it follows; a merge follows several."""

    hash: str
    message: Message
    parents: tuple[str, ...] = ()

    @property
    def bump(self) -> Bump | None:
        """What the commit means for the version; None for nothing."""
        return Bump.MAJOR if self.message.breaking else _BUMPS.get(self.message.type or "")


def effective(commits: Sequence[Commit]) -> tuple[Commit, ...]:
    """
    Return the commits that count, in their order, newest first.

    A commit that was taken back and the one that takes it back are both gone; a commit that takes back an older
    release's work stays. Taking back a revert brings the work back. Taking back a merge takes back what it brought.
    """
    known = {commit.hash: commit for commit in commits}
    undone: set[str] = set()
    counted = []
    for commit in commits:
        if commit.hash in undone:
            continue
        targets = _targets(commit, commits)
        undone |= targets.union(*(_brought(known[target], known) for target in targets))
        if len(targets) < len(commit.message.reverts) or not commit.message.reverts or commit.message.breaking:
            counted.append(commit)
    return tuple(counted)


def _targets(commit: Commit, commits: Sequence[Commit]) -> set[str]:
    """Return which of these commits one takes back."""
    reverts = commit.message.reverts
    return {other.hash for short in reverts for other in commits if other.hash.startswith(short)} - {commit.hash}


def _brought(merge: Commit, known: Mapping[str, Commit]) -> set[str]:
    """Return which of these commits a merge brought; none for a commit that is no merge."""
    if len(merge.parents) < _MERGE:
        return set()
    first, *others = merge.parents
    return _history(others, known) - _history([first], known)


def _history(heads: Iterable[str], known: Mapping[str, Commit]) -> set[str]:
    found: set[str] = set()
    waiting = list(heads)
    while waiting:
        commit = known.get(waiting.pop())
        if commit is not None and commit.hash not in found:
            found.add(commit.hash)
            waiting += commit.parents
    return found


def bump_of(commits: Iterable[Commit]) -> Bump | None:
    """Return the largest bump; None when no user would notice a thing."""
    return max((commit.bump for commit in commits if commit.bump), default=None)


def labelled(release: Version, label: str | None, taken: Iterable[Version]) -> Version:
    """
    Return a release, or the next pre-release that leads to it.

    Args:
        label: of the pre-release, `alpha`, `beta` or `rc`; it gets the first free number.
        taken: every version that has a tag.
    """
    if label is None:
        return release
    numbers = (version.number for version in taken if version.release == release and version.label == label)
    return release._replace(label=label, number=max(numbers, default=0) + 1)
