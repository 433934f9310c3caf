"""What a cache needs of whatever keeps its bytes; one contract for memory, a server and a cluster."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Aged", "KeyValueStore", "Notice"]


class Aged(NamedTuple):
    """Bytes and the milliseconds that they will live; None and 0 when there are none."""

    data: bytes | None
    milliseconds: int


class Notice(NamedTuple):
    """A message to other processes about a change, sent along with it."""

    channel: bytes
    message: bytes


class KeyValueStore(Protocol):
    """
    Bytes under names, each for a limited time in milliseconds.

    Every method is one round trip, except `clear`. A fault is a `MySingleError`; a store never answers wrongly.
    """

    async def get(self, name: bytes) -> bytes | None:
        """Return the bytes, or None."""

    async def get_aged(self, name: bytes) -> Aged:
        """Return the bytes, and how long they will live."""

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the bytes of each name, in order."""

    async def get_many_aged(self, names: Sequence[bytes]) -> list[Aged]:
        """Return the bytes of each name, in order, and how long they will live."""

    async def set(self, name: bytes, data: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Store; tell whether it is stored."""

    async def set_many(
        self, entries: Sequence[tuple[bytes, bytes]], milliseconds: int, notice: Notice | None = None
    ) -> bool:
        """Store several; tell whether all are stored."""

    async def add(self, name: bytes, data: bytes, milliseconds: int) -> bool:
        """Store only if there is nothing; tell whether it is stored."""

    async def delete(self, names: Sequence[bytes], notice: Notice | None = None) -> int:
        """Delete; return how many there were."""

    async def delete_if(self, name: bytes, data: bytes) -> bool:
        """Delete only if these bytes are stored; tell whether they were."""

    async def exists(self, name: bytes) -> bool:
        """Tell whether there is something."""

    async def expire(self, name: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Let what is stored live so long from now; tell whether there is something."""

    async def clear(self, prefix: bytes, notice: Notice | None = None) -> int:
        """Delete every name that begins with `prefix`; return how many there were."""

    async def ping(self) -> None:
        """Raise when the store does not answer."""
