"""Versions from Conventional Commits: the size of the next release, and the release itself, whole or not at all."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.version._conventional import is_conventional
    from mysingle.tooling.version._semver import PRE_LABELS, parse_version
    from mysingle.tooling.version.errors import VersionError
    from mysingle.tooling.version.releasing import Outcome, Plan, Releases

__all__ = ["PRE_LABELS", "Outcome", "Plan", "Releases", "VersionError", "is_conventional", "parse_version"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Outcome": ".releasing",
        "PRE_LABELS": "._semver",
        "Plan": ".releasing",
        "Releases": ".releasing",
        "VersionError": ".errors",
        "is_conventional": "._conventional",
        "parse_version": "._semver",
    },
)
