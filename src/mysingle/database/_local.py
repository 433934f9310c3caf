"""Values in this process, in front of the server: bounded in number and in time, dropped when others change them."""

import os
import struct
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, Generic, TypeVar

from mysingle.database._store import Notice

__all__ = ["ABSENT", "LocalCache"]

T = TypeVar("T")

_SENDER_BYTES = 8
_EVERYTHING = b"*"
_SIZE = struct.Struct(">I")
_MAX_KEYS_IN_NOTICE = 1000


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT


class LocalCache(Generic[T]):
    """
    Keeps at most `max_entries` values for at most `ttl_seconds`; the one that was used longest ago goes first.

    It takes values only while it hears what others change (`is_listening`). Values are handed out as they are, not
    copied. One object serves one event loop.
    """

    def __init__(self, channel: bytes, max_entries: int, ttl_seconds: float) -> None:
        self.channel = channel
        self.changes = 0
        self._is_listening = False
        self._max_entries = max_entries
        self._ttl_seconds = ttl_seconds
        self._sender = os.urandom(_SENDER_BYTES)
        self._entries: OrderedDict[str, tuple[T, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_listening(self) -> bool:
        """Whether changes made elsewhere are heard."""
        return self._is_listening

    def listen(self, *, is_listening: bool) -> None:
        """Begin or end to believe that changes are heard; whatever was kept before a beginning is dropped."""
        self._is_listening = is_listening
        if is_listening:
            self.clear()

    def get(self, key: str) -> T | _Absent:
        """Return the value, or `ABSENT`."""
        entry = self._entries.get(key)
        if entry is None:
            return ABSENT
        if entry[1] <= time.monotonic():
            del self._entries[key]
            return ABSENT
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: str, value: T, seen_changes: int) -> None:
        """Keep a value that was read when `changes` was `seen_changes`: a change since then may be one of it."""
        if not self._is_listening or self.changes != seen_changes:
            return
        self._entries[key] = (value, time.monotonic() + self._ttl_seconds)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def drop(self, keys: Iterable[str]) -> None:
        """Forget some values."""
        self.changes += 1
        for key in keys:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget all values."""
        self.changes += 1
        self._entries.clear()

    def notice(self, keys: Iterable[str] | None) -> Notice:
        """Return the message that tells others of changed keys; None stands for all."""
        texts = [_EVERYTHING] if keys is None else [_SIZE.pack(len(raw)) + raw for raw in map(_to_bytes, keys)]
        if len(texts) > _MAX_KEYS_IN_NOTICE:
            texts = [_EVERYTHING]
        return Notice(self.channel, self._sender + b"".join(texts))

    def hear(self, message: bytes) -> None:
        """Forget what a message of somebody else says; a message that makes no sense concerns everything."""
        if message.startswith(self._sender):
            return
        try:
            self.drop(_keys_of(message[_SENDER_BYTES:]))
        except ValueError:
            self.clear()


def _keys_of(body: bytes) -> list[str]:
    if body == _EVERYTHING:
        raise ValueError("everything")
    return list(_split(body))


def _split(body: bytes) -> Iterator[str]:
    position = 0
    while position < len(body):
        if position + _SIZE.size > len(body):
            raise ValueError("cut off")
        (size,) = _SIZE.unpack_from(body, position)
        position += _SIZE.size
        if position + size > len(body):
            raise ValueError("cut off")
        yield body[position : position + size].decode("utf-8", "surrogatepass")
        position += size


def _to_bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
