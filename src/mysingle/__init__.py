"""mysingle: the service chassis. Importing it imports nothing else; see `mysingle.core` for the app factory."""

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would cost more than all the rest
if TYPE_CHECKING:
    __version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Read `__version__` from the package metadata on first use, so that the number stands in one place."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mysingle")
    raise AttributeError(f"module 'mysingle' has no attribute {name!r}")
