"""Passwords that whoever guesses tries first: words with their usual tails, runs over the keyboard, repetitions."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["common_passwords", "folded", "is_common", "plain"]

_FILE = Path(__file__).with_name("_common_passwords.txt")
_LEET = str.maketrans("013457@$!|+", "oieastasiit")
_RUNS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
)
_SIGNS = "!?.*#@$_-+"
_MAX_PERIOD = 4
_SHORTEST_RUN = 4
_DATE = re.compile(r"(19|20)\d\d[-./]?(0[1-9]|1[0-2])[-./]?[0-3]\d|[0-3]\d[-./]?[0-3]\d[-./]?(19|20)\d\d", re.ASCII)


class _Common(NamedTuple):
    words: frozenset[str]
    tails: frozenset[str]


@cache
def _common() -> _Common:
    """Read the list once, when the first password is judged."""
    sections: dict[str, set[str]] = {"words": set(), "tails": set()}
    section = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section:
            sections[section].update(line.split())
    return _Common(frozenset(sections["words"]), frozenset(sections["tails"]))


def common_passwords(min_length: int = 8) -> frozenset[str]:
    """Return every password that the list stands for, in lower case, from a length on."""
    words, tails = _common()
    return frozenset(word + tail for word in words for tail in ("", *tails) if len(word + tail) >= min_length)


def is_common(password: str) -> bool:
    """Tell whether a password is in the list, in any case and with digits for letters, or is made as mechanically."""
    text = folded(password)
    return (
        not text  # blanks alone
        or any(map(_is_listed, _readings(text)))
        or _is_repetition(text)
        or _is_made_of_runs(text)
        or _DATE.fullmatch(text) is not None
    )


def folded(text: str) -> str:
    """Return a text without differences of case, width and spacing; for comparing alone, never for hashing."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def plain(text: str) -> str:
    """Return a folded text with letters where digits and signs stand for them, but for those at its end."""
    head = text.rstrip("0123456789" + _SIGNS)
    return head.translate(_LEET) + text[len(head) :]


def _readings(text: str) -> set[str]:
    """Return what a text may be meant as: with letters for digits, without signs at its end or anywhere."""
    return {form for reading in (text, plain(text)) for form in (reading, reading.rstrip(_SIGNS), _letters(reading))}


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _is_listed(text: str) -> bool:
    words, tails = _common()
    if text in words:
        return True
    longest = max(map(len, tails))
    splits = range(max(1, len(text) - longest), len(text))
    return any(text[:place] in words and (text[place:] in tails or text[place:] in words) for place in splits)


def _is_repetition(text: str) -> bool:
    """Tell whether a few characters come again and again, as in `abababab`."""
    periods = range(1, min(_MAX_PERIOD, len(text) // 2) + 1)
    return any(text == (text[:period] * len(text))[: len(text)] for period in periods)


def _is_made_of_runs(text: str) -> bool:
    """Tell whether a text is nothing but pieces of the alphabet, the digits or the keyboard, either way round."""
    place = 0
    while place < len(text):
        length = _run_length(text[place:])
        if length < _SHORTEST_RUN:
            return False
        place += length
    return bool(text)


def _run_length(text: str) -> int:
    best = 0
    for run in _RUNS:
        for way in (run, run[::-1]):
            while best < len(text) and text[: best + 1] in way:
                best += 1
    return best
