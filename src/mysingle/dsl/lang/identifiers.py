"""Which identifiers are safe to read (S2): no leading underscore, bounded, and no mix of look-alike scripts."""

import re
from bisect import bisect_right
from typing import Final

from mysingle.dsl.limits import LIMITS

__all__ = ["identifier_problem", "scripts_of"]

_SHAPE: Final = re.compile(r"[^\W_]\w*")

# First code point of each run of letters and its script; Unicode 15 Scripts.txt, the scripts that keyboards produce.
_RANGES: Final = (
    (0x0041, "Latin"), (0x02B0, ""), (0x0370, "Greek"), (0x0400, "Cyrillic"), (0x0530, "Armenian"), (0x0590, "Hebrew"),
    (0x0600, "Arabic"), (0x0700, ""), (0x0900, "Devanagari"), (0x0980, "Bengali"), (0x0A00, ""), (0x0B80, "Tamil"),
    (0x0C00, "Telugu"), (0x0C80, ""), (0x0E00, "Thai"), (0x0E80, ""), (0x10A0, "Georgian"), (0x1100, "Hangul"),
    (0x1200, "Ethiopic"), (0x13A0, ""), (0x1E00, "Latin"), (0x1F00, "Greek"), (0x2000, ""), (0x3005, "Han"),
    (0x3041, "Hiragana"), (0x30A0, "Katakana"), (0x3105, "Bopomofo"), (0x3131, "Hangul"), (0x3190, ""),
    (0x3400, "Han"), (0x4DC0, ""), (0x4E00, "Han"), (0xA000, ""), (0xAC00, "Hangul"), (0xD7FC, ""), (0xF900, "Han"),
    (0xFB00, ""), (0x20000, "Han"), (0x323B0, ""),
)  # fmt: skip
_STARTS: Final = [start for start, _ in _RANGES]
_TOGETHER: Final = (
    frozenset({"Latin", "Han", "Hangul"}),
    frozenset({"Latin", "Han", "Hiragana", "Katakana"}),
    frozenset({"Latin", "Han", "Bopomofo"}),
)
"""UTS #39, "Highly Restrictive"."""


def identifier_problem(name: str) -> str:
    """Return the key of the message that refuses the name, empty when the name is fine."""
    if name.isascii() and name.isidentifier() and name[0] != "_" and len(name) <= LIMITS.identifier:
        return ""
    if len(name) > LIMITS.identifier:
        return "identifier_long"
    if name.startswith("_"):
        return "identifier_underscore"
    if not _SHAPE.fullmatch(name) or not _may_mix(scripts_of(name)):
        return "identifier_script"
    return ""


def scripts_of(name: str) -> frozenset[str]:
    """Return the scripts of the letters; an empty name stands for a letter of no listed script."""
    return frozenset(_script(ord(char)) for char in name if not char.isdigit() and char != "_")


def _script(point: int) -> str:
    index = bisect_right(_STARTS, point) - 1
    return _RANGES[index][1] if index >= 0 else ""


def _may_mix(scripts: frozenset[str]) -> bool:
    if "" in scripts:
        return False
    return len(scripts) <= 1 or any(scripts <= allowed for allowed in _TOGETHER)
