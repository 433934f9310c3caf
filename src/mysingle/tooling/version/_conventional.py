"""What a commit message says: Conventional Commits 1.0, from text to value."""

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Footer", "Message", "is_conventional", "parse_message"]

_HEADER = re.compile(r"(?P<type>\w[\w-]*)(?:\((?P<scope>[^()]+)\))?(?P<mark>!)?: +(?P<description>\S.*)")
_FOOTER = re.compile(r"(BREAKING[ -]CHANGE|[A-Za-z0-9][A-Za-z0-9-]*)(?:: +| (?=#))(\S.*)")
_BREAKING = re.compile(r"BREAKING[ -]CHANGE(?:: *| #)(.*)")
_GIT_REVERT = re.compile(r'(?:Revert|Reapply) "(.*)"')
_REVERTED = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
_END_OF_NOTE = re.compile(r"\n\s*\n|\n(?=[A-Za-z0-9-]+(?:: | #))")
_HASH = re.compile(r"\b[0-9a-f]{7,64}\b")


class Footer(NamedTuple):
    """A line such as `Reviewed-by: Z`; a value may go on over several lines."""

    token: str
    value: str


class Message(NamedTuple):
    """
    A commit message.

    `type` is lower-case; None when the message does not follow the convention. `breaking` says what breaks, and is
    None when nothing does. `reverts` are the hashes, maybe shortened, of commits that this one takes back.
    """

    type: str | None
    scope: str | None
    description: str
    body: str
    footers: tuple[Footer, ...]
    breaking: str | None
    reverts: tuple[str, ...]


def parse_message(text: str) -> Message:
    """Read a message; every text is one, and what is not conventional has no type."""
    subject, _, rest = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").partition("\n")
    lines = rest.split("\n")
    start = _footers_start(lines)
    body, footers = "\n".join(lines[:start]).strip("\n"), tuple(_footers(lines[start:]))
    reverted = tuple(_REVERTED.findall(rest))
    match, breaking = _HEADER.fullmatch(subject.strip()), _breaking(lines)
    if match is None:
        kind = "revert" if _GIT_REVERT.fullmatch(subject.strip()) and reverted else None
        return Message(kind, None, subject.strip(), body, footers, breaking, reverted if kind else ())
    kind, description = match["type"].lower(), match["description"].rstrip()
    breaking = breaking or (description if match["mark"] else None)
    return Message(kind, match["scope"], description, body, footers, breaking, _reverts(kind, reverted, footers))


def is_conventional(text: str) -> bool:
    """Tell whether a message begins as the convention says."""
    return _HEADER.fullmatch(text.partition("\n")[0].strip()) is not None


def _footers_start(lines: list[str]) -> int:
    """Return where the footers begin: at the first of the last paragraphs that all begin with a token."""
    starts = [
        index for index, line in enumerate(lines) if line.strip() and (index == 0 or not lines[index - 1].strip())
    ]
    first = len(lines)
    for index in reversed(starts):
        if index == 0 or not _FOOTER.match(lines[index]):
            break
        first = index
    return first


def _footers(lines: list[str]) -> Iterator[Footer]:
    token, value = "", ""
    for line in lines:
        match = _FOOTER.match(line)
        if match and token:
            yield Footer(token, value.strip())
        if match:
            token, value = match[1], match[2]
        else:
            value = f"{value}\n{line}"
    if token:
        yield Footer(token, value.strip())


def _breaking(lines: list[str]) -> str | None:
    """
    Find the note of a breaking change, in a footer or anywhere in the body; it ends with its paragraph.

    A message that does not follow the convention may have one too: somebody wrote it in capitals for a reason.
    """
    for index, line in enumerate(lines):
        match = _BREAKING.match(line)
        if match:
            note = "\n".join([match[1], *lines[index + 1 :]]).strip()
            return " ".join(_END_OF_NOTE.split(note, maxsplit=1)[0].split()) or "see the commit"
    return None


def _reverts(kind: str, reverted: tuple[str, ...], footers: tuple[Footer, ...]) -> tuple[str, ...]:
    if kind != "revert":
        return ()
    named = (found for footer in footers if footer.token.lower() == "refs" for found in _HASH.findall(footer.value))
    return tuple(dict.fromkeys((*reverted, *named)))
