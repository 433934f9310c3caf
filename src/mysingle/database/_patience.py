"""How long one call of a cache may wait for its store in all, however many commands it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

__all__ = ["Patience", "current_patience", "no_patience", "renew_patience"]

_current: ContextVar["Patience | None"] = ContextVar("mysingle.patience", default=None)


class Patience:
    """
    Adds up, inside of its block, what commands to a store have taken; time between them does not count.

    One command takes at most twice the time limit, queue included, and all commands of a block together no more.
    """

    __slots__ = ("_token", "spent_seconds")

    def __init__(self) -> None:
        self.spent_seconds = 0.0

    def __enter__(self) -> Self:
        self._token: Token[Patience | None] = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)


@contextmanager
def no_patience() -> Iterator[None]:
    """Mark a block whose commands are somebody else's: a loader has limits of its own."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def renew_patience() -> None:
    """Begin to count anew: what follows is another attempt."""
    patience = _current.get()
    if patience is not None:
        patience.spent_seconds = 0.0


def current_patience() -> Patience | None:
    """Return what the running block has; None outside of one."""
    return _current.get()
