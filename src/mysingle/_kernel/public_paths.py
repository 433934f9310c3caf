"""Paths that need no authentication: exact ones, and whole segments."""

from collections.abc import Iterable

__all__ = ["PublicPaths"]

_BELOW = "/*"


class PublicPaths:
    """
    Matches decoded paths. A path that ends in `/*` opens its segment and everything below, and nothing beside it.

    Raises:
        ValueError: a path without a leading slash, one that would open the whole service, or with `*` in its middle.
    """

    __slots__ = ("_exact", "_segments")

    def __init__(self, paths: Iterable[str]) -> None:
        paths = tuple(paths)
        for path in paths:
            if not path.startswith("/") or (path.endswith(_BELOW) and not path.removesuffix(_BELOW).strip("/")):
                raise ValueError(f"public path {path!r} must start with '/', and must not open the whole service")
            if "*" in path.removesuffix(_BELOW):
                raise ValueError(f"public path {path!r} may have '*' only as its last segment: '/segment/*'")
        self._exact = frozenset(path for path in paths if not path.endswith(_BELOW))
        self._segments = tuple(path.removesuffix(_BELOW) for path in paths if path.endswith(_BELOW))

    def __contains__(self, path: str) -> bool:
        """Tell whether a path is open. Dot segments open nothing: the router does not resolve them either."""
        if path in self._exact:
            return True
        if not self._segments or not {".", ".."}.isdisjoint(path.split("/")):
            return False
        return any(path == segment or path.startswith(f"{segment}/") for segment in self._segments)
