"""From a wish (`auto`, `minor`, a version) to a plan, and from the plan to a release."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mysingle.tooling.version._carry_out import Maker
from mysingle.tooling.version._changelog import insert_section, make_section, read_fragments
from mysingle.tooling.version._history import Commit, bump_of, effective, labelled
from mysingle.tooling.version._journal import Journal
from mysingle.tooling.version._pyproject import read_project
from mysingle.tooling.version._repository import Repository
from mysingle.tooling.version._semver import Bump, Version, parse_version
from mysingle.tooling.version.errors import VersionError

__all__ = ["Outcome", "Plan", "Releases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a release would do; `version` is None when there is nothing to release.

    `commits` are those that count, newest first; `files` maps a path below the repository to its new text, or None.
    """

    name: str
    current: Version
    since: str | None
    bump: Bump | None
    commits: tuple[Commit, ...]
    version: Version | None
    tag: str | None
    section: str
    files: Mapping[str, str | None]

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON knows it."""
        return {
            "name": self.name,
            "current": str(self.current),
            "since": self.since,
            "bump": self.bump.name.lower() if self.bump else None,
            "version": str(self.version) if self.version else None,
            "tag": self.tag,
            "commits": [_commit(commit) for commit in self.commits],
            "files": sorted(self.files),
            "changelog": self.section,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done: by this run (`tag`), or for an earlier run that did not end (`finished`)."""

    plan: Plan | None
    tag: str | None
    finished: str | None


class Releases:
    """
    The releases of one package.

    Raises:
        VersionError: the package cannot be read. GitError: it is in no repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project = read_project(folder)
        self._repository = Repository(folder, self._project.name)
        self._maker = Maker(self._repository)

    def interrupted(self) -> str | None:
        """Return the tag of a release that did not end."""
        return self._maker.interrupted()

    def make(self, wish: str, *, label: str | None = None, remote: str | None = None) -> Outcome:
        """
        Make a release, after finishing or taking back what an earlier run has left.

        Args:
            wish: `auto`, `major`, `minor`, `patch` or a version.
            label: of a pre-release: `alpha`, `beta` or `rc`.
            remote: where to push.

        Raises:
            VersionError, GitError: nothing was changed, unless the message says otherwise.
        """
        with self._maker.alone():
            finished = self._maker.settle()
            if finished:
                return Outcome(plan=None, tag=None, finished=finished)
            branch = self._repository.branch()
            self._project = read_project(self._folder)
            plan = self.plan(wish, label=label)
            if plan.version is None or plan.tag is None:
                return Outcome(plan=plan, tag=None, finished=None)
            self._maker.make(self._journal(plan, plan.tag, branch, remote))
            return Outcome(plan=plan, tag=plan.tag, finished=None)

    def _journal(self, plan: Plan, tag: str, branch: str, remote: str | None) -> Journal:
        self._repository.check_tracked(plan.files)
        if remote is not None:
            self._repository.check_remote(remote, branch, tag)
        subject = str(plan.version) if self._repository.is_whole else f"{plan.name} {plan.version}"
        message = f"chore(release): {subject}\n\n{plan.section}"
        return Journal(
            head=self._repository.head(), branch=branch, tag=tag, message=message, files=plan.files, remote=remote
        )

    def plan(self, wish: str, *, label: str | None = None) -> Plan:
        """
        Say what a release would do, and change nothing.

        Raises:
            VersionError: the wish cannot be had, or the file and the tags do not agree.
        """
        self._repository.head()
        merged = self._repository.tags(merged=True)
        latest = max(merged, default=None)
        base = max((version for version in merged if not version.label), default=None)
        since = merged[base] if base else None
        commits = effective(self._repository.commits(since))
        wanted = parse_version(wish)
        if wanted is None:
            self._check_agreement(latest, merged)
            bump, version = self._raised(wish, label, base, latest, commits)
            if wish == "auto" and label and latest and not effective(self._repository.commits(merged[latest])):
                bump, version, since, commits = None, None, merged[latest], ()
        else:
            bump, version = None, wanted
        if version is not None:
            self._check_free(version, latest)
        return self._plan(bump, version, since, commits)

    def _raised(
        self,
        wish: str,
        label: str | None,
        base: Version | None,
        latest: Version | None,
        commits: tuple[Commit, ...],
    ) -> tuple[Bump | None, Version | None]:
        """Return the size of the release and its version; `auto` goes at least where the newest candidate leads."""
        is_auto = wish == "auto"
        bump = bump_of(commits) if is_auto else Bump[wish.upper()]
        promised = latest.release if is_auto and latest is not None and latest.label else None
        raised = (base or self._project.version).raised(bump) if bump is not None else None
        if raised is None and label is not None:
            return None, None
        release = max((version for version in (raised, promised) if version is not None), default=None)
        if release is None:
            return None, None
        return bump, labelled(release, label, self._repository.tags(merged=False))

    def _check_agreement(self, latest: Version | None, merged: Mapping[Version, str]) -> None:
        said = self._project.version
        if latest is not None and said != latest:
            raise VersionError(
                f"{self._project.file.name} says {said}, but the newest tag is {merged[latest]}: "
                f"`mysingle version set {max(said, latest.raised(Bump.PATCH))}` brings them together"
            )

    def _check_free(self, version: Version, latest: Version | None) -> None:
        tags = self._repository.tags(merged=False)
        if version in tags:
            raise VersionError(f"the tag {tags[version]} exists already: choose a newer version")
        if latest is not None and version < latest:
            raise VersionError(f"{version} is older than {latest}, which is released: choose a newer version")

    def _plan(self, bump: Bump | None, version: Version | None, since: str | None, commits: tuple[Commit, ...]) -> Plan:
        section, files = self._files(version, commits) if version is not None else ("", {})
        return Plan(
            name=self._project.name,
            current=self._project.version,
            since=since,
            bump=bump,
            commits=commits,
            version=version,
            tag=self._repository.tag_of(version) if version else None,
            section=section,
            files=files,
        )

    def _files(self, version: Version, commits: tuple[Commit, ...]) -> tuple[str, dict[str, str | None]]:
        """Return the new section and the files; the changelog waits for the release, however many tries come before."""
        fragments = read_fragments(self._folder / "changelog.d")
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        section = make_section(version, today, fragments, commits)
        files: dict[str, str | None] = {self._inside("pyproject.toml"): self._project.text_with(version)}
        if not version.label:
            changelog = self._folder / "CHANGELOG.md"
            files[self._inside("CHANGELOG.md")] = insert_section(_text(changelog), section)
            files |= {self._inside(f"changelog.d/{fragment.path.name}"): None for fragment in fragments}
        return section, files

    def _inside(self, name: str) -> str:
        return name if self._repository.is_whole else f"{self._repository.folder}/{name}"


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as error:
        raise VersionError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _commit(commit: Commit) -> dict[str, Any]:
    message = commit.message
    return {
        "hash": commit.hash,
        "type": message.type,
        "scope": message.scope,
        "description": message.description,
        "breaking": message.breaking,
    }
