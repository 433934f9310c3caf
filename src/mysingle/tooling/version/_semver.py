"""Versions as values: read, compare, raise."""

import re
from enum import IntEnum
from typing import NamedTuple

__all__ = ["PRE_LABELS", "Bump", "Version", "parse_version"]

PRE_LABELS = ("alpha", "beta", "rc")
_SHORT = {"a": "alpha", "b": "beta", "c": "rc"}
_NUMBER = r"(0|[1-9][0-9]*)"
_TEXT = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-?(alpha|beta|rc|a|b|c)\.?{_NUMBER})?")


class Bump(IntEnum):
    """How much a change means to those who use a package; the larger one wins."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3


class Version(NamedTuple):
    """
    A version that is right by Semantic Versioning and for Python packages alike: `1.2.3`, `1.3.0-rc.1`.

    `label` is empty for a release. A pre-release comes before its release; all four comparisons are written here,
    because a tuple brings its own, in which the empty label comes first.
    """

    major: int
    minor: int
    patch: int
    label: str = ""
    number: int = 0

    def __str__(self) -> str:
        release = f"{self.major}.{self.minor}.{self.patch}"
        return f"{release}-{self.label}.{self.number}" if self.label else release

    def __lt__(self, other: tuple[object, ...]) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._rank() < other._rank()

    def __gt__(self, other: tuple[object, ...]) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._rank() > other._rank()

    def __le__(self, other: tuple[object, ...]) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._rank() <= other._rank()

    def __ge__(self, other: tuple[object, ...]) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._rank() >= other._rank()

    @property
    def release(self) -> "Version":
        """The release that this is, or that this pre-release leads to."""
        return Version(self.major, self.minor, self.patch)

    def raised(self, bump: Bump) -> "Version":
        """Return the next release; a pre-release that leads to a bump of that size becomes its own release."""
        is_minor_zero, is_patch_zero = self.minor == 0, self.patch == 0
        leads_to = Bump.MAJOR if is_minor_zero and is_patch_zero else Bump.MINOR if is_patch_zero else Bump.PATCH
        if self.label and bump <= leads_to:
            return self.release
        if bump is Bump.MAJOR:
            return Version(self.major + 1, 0, 0)
        if bump is Bump.MINOR:
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)

    def _rank(self) -> tuple[int, int, int, bool, str, int]:
        return self.major, self.minor, self.patch, not self.label, self.label, self.number


def parse_version(text: str) -> Version | None:
    """Read `1.2.3`, `1.3.0-rc.1`, or the Python spelling `1.3.0rc1`; None for everything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, label, number = match.groups()
    return Version(int(major), int(minor), int(patch), _SHORT.get(label, label or ""), int(number or 0))
