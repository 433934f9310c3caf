"""A store in this process's memory: for tests, and for services that run without Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from mysingle.database._store import Aged, Notice

__all__ = ["MemoryStore"]


class MemoryStore:
    """
    Keeps at most `max_entries` in memory; the one that was used longest ago goes first. Implements `KeyValueStore`.

    Args:
        max_entries: how many there may be.
        clock: seconds that never go back.
    """

    def __init__(self, max_entries: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        if max_entries < 1:
            raise ValueError(f"A MemoryStore keeps at least one entry, not {max_entries!r}")
        self._max_entries = max_entries
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, name: bytes) -> bytes | None:
        """Return the bytes, or None."""
        return self._find(name)[0]

    async def get_aged(self, name: bytes) -> Aged:
        """Return the bytes, and how long they will live."""
        data, until = self._find(name)
        return Aged(data, max(1, round((until - self._clock()) * 1000)) if data is not None else 0)

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the bytes of each name, in order."""
        return [self._find(name)[0] for name in names]

    async def get_many_aged(self, names: Sequence[bytes]) -> list[Aged]:
        """Return the bytes of each name, in order, and how long they will live."""
        return [await self.get_aged(name) for name in names]

    async def set(self, name: bytes, data: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Store; tell whether it is stored."""
        self._entries[name] = (data, self._clock() + milliseconds / 1000)
        self._entries.move_to_end(name)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
        return True

    async def set_many(
        self, entries: Sequence[tuple[bytes, bytes]], milliseconds: int, notice: Notice | None = None
    ) -> bool:
        """Store several; tell whether all are stored."""
        for name, data in entries:
            await self.set(name, data, milliseconds)
        return True

    async def add(self, name: bytes, data: bytes, milliseconds: int) -> bool:
        """Store only if there is nothing; tell whether it is stored."""
        return self._find(name)[0] is None and await self.set(name, data, milliseconds)

    async def delete(self, names: Sequence[bytes], notice: Notice | None = None) -> int:
        """Delete; return how many there were."""
        return sum(self._drop(name) for name in names)

    async def delete_if(self, name: bytes, data: bytes) -> bool:
        """Delete only if these bytes are stored; tell whether they were."""
        return self._find(name)[0] == data and self._drop(name)

    async def exists(self, name: bytes) -> bool:
        """Tell whether there is something."""
        return self._find(name)[0] is not None

    async def expire(self, name: bytes, milliseconds: int, notice: Notice | None = None) -> bool:
        """Let what is stored live so long from now; tell whether there is something."""
        data, _ = self._find(name)
        return data is not None and await self.set(name, data, milliseconds)

    async def clear(self, prefix: bytes, notice: Notice | None = None) -> int:
        """Delete every name that begins with `prefix`; return how many there were."""
        return sum(self._drop(name) for name in list(self._entries) if name.startswith(prefix))

    async def ping(self) -> None:
        """Memory always answers."""

    def _find(self, name: bytes) -> tuple[bytes | None, float]:
        entry = self._entries.get(name)
        if entry is None:
            return None, 0.0
        if entry[1] <= self._clock():
            del self._entries[name]
            return None, 0.0
        self._entries.move_to_end(name)
        return entry

    def _drop(self, name: bytes) -> bool:
        exists = self._find(name)[0] is not None
        self._entries.pop(name, None)
        return exists
