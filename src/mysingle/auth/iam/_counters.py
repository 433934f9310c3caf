"""Counters of attempts with a delay: one rule, kept in Redis for all processes or in the memory of this one."""

import functools
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from mysingle._kernel.errors import MySingleError
from mysingle.database import get_redis_manager

__all__ = ["Counter", "Counters", "MemoryCounters", "RedisCounters", "Rule"]

_MAX_COUNTERS = 50_000
_MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    How many attempts are free, and what follows.

    With `first_delay_seconds` each attempt from the last free one on doubles the delay up to `max_delay_seconds`, and
    a pause of `window_seconds` forgets all of them. Without it, no further attempt is possible until
    `window_seconds` after the first one. Refused attempts are not counted, so no delay lasts for ever.
    """

    attempts: int
    window_seconds: int
    first_delay_seconds: int = 0
    max_delay_seconds: int = 0

    def delay_until(self, count: int, since: float, now: float) -> float:
        """Return when the next attempt is possible, after `count` of which the first was at `since`."""
        if count < self.attempts:
            return 0.0
        if not self.first_delay_seconds:
            return since + self.window_seconds
        doublings = min(count - self.attempts, _MAX_DOUBLINGS)
        return now + min(self.first_delay_seconds * 2.0**doublings, self.max_delay_seconds)


class Counter(NamedTuple):
    """One thing that is counted: its key below `authrl:`, and its rule."""

    key: str
    rule: Rule


class Counters(Protocol):
    """Where attempts are counted."""

    async def attempt(self, counters: Sequence[Counter], now: float) -> float:
        """Count one attempt in all counters, or in none when one refuses; return the seconds to wait, 0 for none."""

    async def forgive(self, counters: Sequence[Counter], now: float) -> None:
        """Take one attempt back; of a rule with delays, all of them."""


@dataclass(slots=True)
class _State:
    count: int = 0
    since: float = 0.0
    until: float = 0.0


class MemoryCounters:
    """Counts in this process, at most 50,000 things; the ones that were touched first are forgotten first."""

    def __init__(self, max_counters: int = _MAX_COUNTERS) -> None:
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._max_counters = max_counters

    async def attempt(self, counters: Sequence[Counter], now: float) -> float:
        """Count one attempt in all counters, or in none when one refuses; return the seconds to wait, 0 for none."""
        known = [state for counter in counters if (state := self._states.get(counter.key)) is not None]
        wait = max((state.until - now for state in known), default=0.0)
        if wait > 0:  # nothing is remembered of what is refused, so it can push nothing out
            return wait
        for counter in counters:
            _count(counter.rule, self._state(counter.key), now)
        return 0.0

    async def forgive(self, counters: Sequence[Counter], now: float) -> None:
        """Take one attempt back; of a rule with delays, all of them."""
        for key, rule in counters:
            state = self._states.get(key)
            if state is None:
                continue
            if rule.first_delay_seconds or state.count <= 1:
                del self._states[key]
                continue
            state.count -= 1
            state.until = rule.delay_until(state.count, state.since, now)

    def _state(self, key: str) -> _State:
        state = self._states.setdefault(key, _State())
        self._states.move_to_end(key)
        while len(self._states) > self._max_counters:
            self._states.popitem(last=False)
        return state


def _count(rule: Rule, state: _State, now: float) -> None:
    if now - state.since > rule.window_seconds:
        state.count = 0
    state.count += 1
    if state.count == 1 or rule.first_delay_seconds:
        state.since = now
    state.until = rule.delay_until(state.count, state.since, now)


# The same arithmetic as above, in milliseconds. KEYS: one hash for each counter, with its count, since and until.
# ARGV: now, then for each counter "attempts window first-delay longest-delay".
_SHARED = """
local now = tonumber(ARGV[1])
local function rule(i)
  local attempts, window, first, longest = string.match(ARGV[i + 1], '(%d+) (%d+) (%d+) (%d+)')
  return tonumber(attempts), tonumber(window), tonumber(first), tonumber(longest)
end
local function read(key)
  local found = redis.call('HMGET', key, 'count', 'since', 'until')
  return tonumber(found[1]) or 0, tonumber(found[2]) or 0, tonumber(found[3]) or 0
end
local function delay_until(i, count, since)
  local attempts, window, first, longest = rule(i)
  if count < attempts then return 0 end
  if first == 0 then return since + window end
  return now + math.min(first * 2 ^ math.min(count - attempts, 16), longest)
end
local function write(i, key, count, since)
  local attempts, window, first, longest = rule(i)
  local till = delay_until(i, count, since)
  redis.call('HSET', key, 'count', count, 'since', string.format('%.0f', since), 'until', string.format('%.0f', till))
  redis.call('PEXPIRE', key, math.max(window, longest))
end
"""
_ATTEMPT = (
    _SHARED
    + """
local wait = 0
for i, key in ipairs(KEYS) do
  local _, _, till = read(key)
  wait = math.max(wait, till - now)
end
if wait > 0 then return string.format('%.0f', wait) end
for i, key in ipairs(KEYS) do
  local count, since = read(key)
  local _, window, first = rule(i)
  if now - since > window then count = 0 end
  count = count + 1
  if count == 1 or first > 0 then since = now end
  write(i, key, count, since)
end
return '0'
"""
)
_FORGIVE = (
    _SHARED
    + """
for i, key in ipairs(KEYS) do
  local count, since = read(key)
  local _, _, first = rule(i)
  if first > 0 or count <= 1 then redis.call('UNLINK', key) else write(i, key, count - 1, since) end
end
return '0'
"""
)


class RedisCounters:
    """
    Counts for all processes, in one round trip, under `authrl:` in the database given.

    Raises:
        MySingleError: Redis is away; from every method.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    async def attempt(self, counters: Sequence[Counter], now: float) -> float:
        """Count one attempt in all counters, or in none when one refuses; return the seconds to wait, 0 for none."""
        return float(await self._run(_ATTEMPT, counters, now)) / 1000

    async def forgive(self, counters: Sequence[Counter], now: float) -> None:
        """Take one attempt back; of a rule with delays, all of them."""
        await self._run(_FORGIVE, counters, now)

    async def _run(self, script: str, counters: Sequence[Counter], now: float) -> Any:
        keys = [f"authrl:{counter.key}" for counter in counters]
        rules = [_milliseconds(counter.rule) for counter in counters]
        return await get_redis_manager().run_script(self._number, script, keys, [math.floor(now * 1000), *rules])


class SafeCounters:
    """
    Counts in Redis, and in memory too.

    While Redis is away the memory decides. It has counted all along, so an outage forgives nothing.
    """

    def __init__(self, shared: Counters, local: Counters) -> None:
        self._shared = shared
        self._local = local

    async def attempt(self, counters: Sequence[Counter], now: float) -> float:
        """Count one attempt in all counters, or in none when one refuses; return the seconds to wait, 0 for none."""
        local = await self._local.attempt(counters, now)
        try:
            return await self._shared.attempt(counters, now)
        except MySingleError:
            return local

    async def forgive(self, counters: Sequence[Counter], now: float) -> None:
        """Take one attempt back; of a rule with delays, all of them."""
        await self._local.forgive(counters, now)
        try:
            await self._shared.forgive(counters, now)
        except MySingleError:
            return


@functools.cache
def _milliseconds(rule: Rule) -> str:
    return f"{rule.attempts} {rule.window_seconds}000 {rule.first_delay_seconds}000 {rule.max_delay_seconds}000"
