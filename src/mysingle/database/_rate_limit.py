"""How often somebody may do something: one script on the server, and the same rule in memory."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.settings import get_settings
from mysingle.database._redis import RedisClientManager, get_redis_manager
from mysingle.database._redis_config import database_number

__all__ = ["Allowance", "Limit", "MemoryLimitStore", "RateLimitStore", "RedisLimitStore"]

_UNITS = {"second": 1, "minute": 60, "hour": 3600}
_TEXT = re.compile(r"(\d{1,9})\s*(?:/|per)\s*(\d{1,4})?\s*(second|minute|hour)s?")
_LONGEST_SECONDS = 3600
_SHORTEST_TTL = 60_000

# One key holds the moment at which everything used so far would be earned back (GCRA). It is stored only if every
# limit allows the call. The server's clock decides, so that those of the services may jump; a moment that lies
# further away than the window, after a jump of the server's own clock, counts as the end of the window.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cost = tonumber(ARGV[1])
local allowed, moments, answer = true, {}, {}
for i, key in ipairs(KEYS) do
  local count, window = tonumber(ARGV[i * 2]), tonumber(ARGV[i * 2 + 1])
  local step = window / count
  local used_until = math.max(now, math.min(tonumber(redis.call('GET', key) or 0) or 0, now + window))
  local after = used_until + cost * step
  moments[i] = after
  local missing = after - now - window
  if missing > 0.001 then allowed = false end
  answer[i] = {math.floor((window - (used_until - now)) / step + 0.000001), math.ceil(math.max(0, missing)),
               math.ceil(used_until - now)}
end
if allowed then
  for i, key in ipairs(KEYS) do
    local life = math.max(tonumber(ARGV[2 * #KEYS + 2]), math.ceil(moments[i] - now))
    redis.call('SET', key, string.format('%.3f', moments[i]), 'PX', life)
  end
end
return {allowed and 1 or 0, answer}
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in so many seconds; all of them may come at once, and they are earned back one by one."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if not (self.count >= 1 and 1 <= self.seconds <= _LONGEST_SECONDS):
            raise ValueError(f"A limit is at least one call in 1 to {_LONGEST_SECONDS} seconds, not {self}")

    @classmethod
    def parse(cls, text: "str | Limit") -> "Limit":
        """
        Read `100/minute`, `5 per 10 seconds`, `1000/hour`.

        Raises:
            ValueError: another form.
        """
        if isinstance(text, Limit):
            return text
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"A limit is written as '100/minute' or '5 per 10 seconds', not {text!r}")
        return cls(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one limit says: how many calls are left now, and after how many seconds the call would be allowed."""

    limit: Limit
    remaining: int
    retry_after_seconds: float
    reset_after_seconds: float

    @property
    def is_allowed(self) -> bool:
        """Whether this limit alone would let the call through."""
        return self.retry_after_seconds == 0


class RateLimitStore(Protocol):
    """Counts calls under names."""

    async def take(self, limits: Sequence[tuple[str, Limit]], cost: int = 1) -> list[Allowance]:
        """Count a call against all limits if all allow it, against none otherwise; say what each one says."""


class RedisLimitStore:
    """
    Counts in the database of rate limits, for all processes together, in one round trip.

    Raises from `take`:
        MySingleError: the server is away.
    """

    def __init__(self, manager: RedisClientManager | None = None) -> None:
        self._own_manager = manager

    async def take(self, limits: Sequence[tuple[str, Limit]], cost: int = 1) -> list[Allowance]:
        """Count a call against all limits if all allow it, against none otherwise."""
        manager = self._own_manager or get_redis_manager()
        number = database_number(RedisDB.RATE_LIMIT, get_settings())
        space = manager.config.namespace(number)
        keys = [space + name.encode("utf-8", "surrogatepass") for name, _ in limits]
        bounds = [value for _, limit in limits for value in (limit.count, limit.seconds * 1000)]
        is_allowed, answer = await manager.run_script(number, _SCRIPT, keys, [cost, *bounds, _SHORTEST_TTL])
        return [
            _allowance(limit, cost, bool(is_allowed), *map(float, said[:3]))
            for (_, limit), said in zip(limits, answer, strict=True)
        ]


class MemoryLimitStore:
    """Counts in this process alone; at most `max_entries` names, the one used longest ago is forgotten first."""

    def __init__(self, max_entries: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._moments: OrderedDict[str, float] = OrderedDict()

    async def take(self, limits: Sequence[tuple[str, Limit]], cost: int = 1) -> list[Allowance]:
        """Count a call against all limits if all allow it, against none otherwise."""
        now = self._clock() * 1000
        said, moments = [], {}
        for name, limit in limits:
            window = limit.seconds * 1000
            step = window / limit.count
            used_until = max(now, min(self._moments.get(name, 0.0), now + window))
            moments[name] = used_until + cost * step
            missing = max(0.0, moments[name] - now - window)
            said.append((limit, int((window - (used_until - now)) / step + 1e-6), missing, used_until - now))
        is_allowed = all(missing <= 0.001 for _, _, missing, _ in said)
        if is_allowed:
            self._keep(moments)
        return [_allowance(limit, cost, is_allowed, *values) for limit, *values in said]

    def _keep(self, moments: dict[str, float]) -> None:
        for name, moment in moments.items():
            self._moments[name] = moment
            self._moments.move_to_end(name)
        while len(self._moments) > self._max_entries:
            self._moments.popitem(last=False)


def _allowance(limit: Limit, cost: int, is_allowed: bool, left: float, missing: float, used: float) -> Allowance:
    """Turn milliseconds before the call into what is true after it."""
    step = limit.seconds / limit.count
    taken = cost if is_allowed else 0
    return Allowance(
        limit=limit,
        remaining=max(0, int(left) - taken),
        retry_after_seconds=0.0 if is_allowed or missing <= 0.001 else missing / 1000,
        reset_after_seconds=used / 1000 + taken * step,
    )
