"""What a cache does beside storing: all of it is off until it is asked for."""

import math
from dataclasses import dataclass, fields
from typing import TypedDict

__all__ = ["Behaviour", "CacheOptions"]


class CacheOptions(TypedDict, total=False):
    """
    Options of a cache.

    `ttl_jitter`: by what share `get_or_set` shortens TTLs at random, so that values do not expire together.
    `negative_ttl`: seconds for which `get_or_set` remembers that a loader returned None.
    `stale_seconds`: how long a value that has expired may still stand in for a loader that fails.
    `early_refresh`: in this last share of its life a value that is read is loaded anew in the background.
    `lock_seconds`: one process at a time loads a key; the others wait so long for what it stores.
    `local_entries`: how many values are kept in this process, in front of the server; they are shared, not copied.
    `local_ttl`: seconds for which a value in this process may be older than the one in the server.
    `max_value_bytes`: values of more bytes are refused.
    """

    ttl_jitter: float
    negative_ttl: float
    stale_seconds: float
    early_refresh: float
    lock_seconds: float
    local_entries: int
    local_ttl: float
    max_value_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The options of one cache, checked."""

    ttl_jitter: float = 0.1
    negative_ttl: float = 0.0
    stale_seconds: float = 0.0
    early_refresh: float = 0.0
    lock_seconds: float = 0.0
    local_entries: int = 0
    local_ttl: float = 5.0
    max_value_bytes: int = 8 * 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"A cache's {field.name} is a number of at least zero, not {value!r}")
        for name in ("ttl_jitter", "early_refresh"):
            if getattr(self, name) >= 1:
                raise ValueError(f"A cache's {name} is a share below one, not {getattr(self, name)!r}")

    @property
    def needs_age(self) -> bool:
        """Whether reading must tell how long a value will live."""
        return bool(self.stale_seconds or self.early_refresh)

    @property
    def stale_milliseconds(self) -> int:
        """The part of a value's life in the store in which it has expired."""
        return math.ceil(self.stale_seconds * 1000)
