"""The section that a release adds to the changelog: from fragments where there are any, else from the commits."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mysingle.tooling.version._history import Commit
from mysingle.tooling.version._semver import Version
from mysingle.tooling.version.errors import VersionError

__all__ = ["KINDS", "Fragment", "insert_section", "make_section", "read_fragments"]

KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")
_FRAGMENT = re.compile(rf"([0-9]+)\.({'|'.join(KINDS)})\.md")
_COMMIT_KINDS = {"feat": "Added", "perf": "Changed", "fix": "Fixed", "revert": "Taken back"}
_BREAKING = "Breaking"
_HEADINGS = (_BREAKING, *(kind.capitalize() for kind in KINDS), "Taken back")
_EMPTY = "Nothing that users of the package notice."
_TITLE = "# Changelog\n"
_HEADING = re.compile(r"## (?!\W*(?:unreleased|upcoming|next)\b)", re.IGNORECASE)


class Fragment(NamedTuple):
    """One file of `changelog.d`."""

    path: Path
    issue: int
    kind: str
    text: str


def read_fragments(folder: Path) -> tuple[Fragment, ...]:
    """
    Read the fragments of a folder, in the order of their issues; none when there is no such folder.

    Raises:
        VersionError: a file is not named `<issue>.<kind>.md`, is empty, or is no text.
    """
    if not folder.is_dir():
        return ()
    files = (file for file in folder.glob("*.md") if file.name.lower() != "readme.md")
    return tuple(sorted((_fragment(file) for file in files), key=lambda fragment: (fragment.issue, fragment.path.name)))


def _fragment(file: Path) -> Fragment:
    match = _FRAGMENT.fullmatch(file.name)
    if match is None:
        raise VersionError(f"{file} is not named <issue>.<kind>.md; the kind is one of {', '.join(KINDS)}")
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise VersionError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not text:
        raise VersionError(f"{file} is empty: write what users notice, or delete it")
    return Fragment(file, int(match[1]), match[2], text)


def make_section(version: Version, date: str, fragments: Sequence[Fragment], commits: Iterable[Commit]) -> str:
    """Return the section of a release, as Markdown that ends with a line break."""
    entries = _from_fragments(fragments) if fragments else _from_commits(commits)
    parts = [f"### {heading}\n\n" + "".join(entries[heading]) for heading in _HEADINGS if entries.get(heading)]
    return f"## {version} - {date}\n\n" + ("\n".join(parts) or f"{_EMPTY}\n")


def _from_fragments(fragments: Iterable[Fragment]) -> Mapping[str, list[str]]:
    entries: dict[str, list[str]] = {}
    for fragment in fragments:
        entries.setdefault(fragment.kind.capitalize(), []).append(_item(fragment.text))
    return entries


def _item(text: str) -> str:
    first, *more = (line.rstrip() for line in text.splitlines())
    return "".join([f"- {first}\n", *(f"  {line}\n" if line else "\n" for line in more)])


def _from_commits(commits: Iterable[Commit]) -> Mapping[str, list[str]]:
    entries: dict[str, list[str]] = {}
    for commit in commits:
        for heading, text in _lines(commit):
            entries.setdefault(heading, []).append(text)
    return entries


def _lines(commit: Commit) -> Iterator[tuple[str, str]]:
    message, short = commit.message, commit.hash[:7]
    scope = f"{message.scope}: " if message.scope else ""
    if message.breaking:
        yield _BREAKING, f"- {scope}{message.breaking} ({short})\n"
    heading = _COMMIT_KINDS.get(message.type or "")
    if heading:
        yield heading, f"- {scope}{message.description} ({short})\n"


def insert_section(changelog: str, section: str) -> str:
    """Return the changelog with the section above the newest release; its line endings stay."""
    ending = "\r\n" if "\r\n" in changelog else "\n"
    text = changelog.replace("\r\n", "\n") or _TITLE
    place = _newest(text)
    before, after = text[:place].rstrip("\n"), text[place:]
    return f"{before}\n\n{section}{chr(10) if after else ''}{after}".replace("\n", ending)


def _newest(text: str) -> int:
    """Return where the newest release begins; the end when there is none. A block of code has no headings."""
    place, is_code = 0, False
    for line in text.splitlines(keepends=True):
        is_code ^= line.lstrip().startswith(("```", "~~~"))
        if not is_code and _HEADING.match(line):
            return place
        place += len(line)
    return len(text)
