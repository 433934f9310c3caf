"""Which database and which TTL a cache may have, checked against the platform's allocation."""

import re
from collections.abc import Iterator

from mysingle._kernel.allocation import POLICIES, CachePolicy, RedisDB, policy_for_prefix
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import RedisSettings

__all__ = ["CacheRules", "KeyRules", "home_database"]

log = get_logger("mysingle.cache")

_warned: set[tuple[str, int]] = set()
_MAX_WARNED = 1000
_NAMESPACE = re.compile(r"\{db(\d{1,2})\}:")


def home_database(prefix: str, settings: RedisSettings, service_name: str | None = None) -> int:
    """
    Return the database number for a cache that names none.

    The owner of the prefix decides; for a prefix that nobody owns, the database of this service (`market-data` →
    `REDIS_DB_MARKET_DATA`); for a service that has none, `REDIS_DB_STRATEGY`, as the guide's `REDIS_DB_MYSERVICE`.
    Keys carry their prefix, so caches in one database cannot meet.
    """
    policy = policy_for_prefix(prefix)
    db = policy.db if policy else _database_of(service_name or "")
    number: int = getattr(settings, f"REDIS_DB_{db.name}")
    return number


def _database_of(service_name: str) -> RedisDB:
    name = service_name.lower().removesuffix("-service").removesuffix("_service").replace("-", "_").upper()
    return RedisDB.__members__.get(name, RedisDB.STRATEGY)


class CacheRules:
    """The allocation's rules for the keys of one cache: one prefix in one database."""

    def __init__(self, prefix: str, number: int, settings: RedisSettings) -> None:
        self._prefix = prefix
        self._number = number
        self._is_strict = settings.REDIS_POLICY == "strict"
        purpose = settings.redis_purpose(number)
        self._policy = POLICIES[RedisDB.RESERVED if purpose is None else purpose]

    def check(self, ttl_seconds: float) -> None:
        """
        Compare prefix and TTL with the guidance: warn once for each prefix and database.

        Raises:
            ValueError: they differ and `REDIS_POLICY=strict`.
        """
        problems = "; ".join(self._problems(ttl_seconds))
        if not problems:
            return
        if self._is_strict:
            raise ValueError(f"Cache {self._prefix!r} in Redis database {self._number}: {problems}")
        if (self._prefix, self._number) not in _warned:
            _warned.add((self._prefix, self._number))
            log.warning("cache.policy", cache=self._prefix, db=self._number, problem=problems)

    def _problems(self, ttl_seconds: float) -> Iterator[str]:
        key = f"{self._prefix}:"
        if not self._policy.owns(key):
            yield _foreign(self._prefix, self._policy)
        helper = (self._policy.helper_ttls or {}).get(key)
        low, high = (0, helper) if helper else (self._policy.min_ttl_seconds, self._policy.max_ttl_seconds)
        if high is not None and not (low or 0) <= ttl_seconds <= high:
            yield f"a TTL of {ttl_seconds:g} s is outside of the guidance, {low} to {high} s"


def _foreign(prefix: str, policy: CachePolicy) -> str:
    owner = policy_for_prefix(prefix)
    whose = f"belongs to {owner.purpose}" if owner else "is not allocated"
    return f"the prefix {whose}, and this database is for {policy.purpose} ({' '.join(policy.prefixes) or 'nothing'})"


class KeyRules:
    """
    The rules for keys that a service writes without a cache: a prefix of the database, and a time to live.

    Without a number the key says which database is meant, as in a cluster: `{db8}:strategy:1`.
    Warns once for each prefix; with `REDIS_POLICY=strict` it raises `ValueError` instead.
    """

    def __init__(self, settings: RedisSettings, number: int | None) -> None:
        self._settings = settings
        self._number = number
        self._is_strict = settings.REDIS_POLICY == "strict"

    def __call__(self, key: str, *, lives_forever: bool, ttl_seconds: float | None) -> None:
        """Judge one key that is about to be written."""
        number, rest = self._place(key)
        if number is None:
            self._complain(key, -1, "in a cluster a key begins with its database, as in {db8}:strategy:1")
            return
        purpose = self._settings.redis_purpose(number)
        policy = POLICIES[RedisDB.RESERVED if purpose is None else purpose]
        if not policy.is_managed:
            for problem in _key_problems(rest, policy, lives_forever, ttl_seconds):
                self._complain(rest, number, problem)

    def _place(self, key: str) -> tuple[int | None, str]:
        if self._number is not None:
            return self._number, key
        found = _NAMESPACE.match(key)
        return (int(found[1]), key[found.end() :]) if found else (None, key)

    def _complain(self, key: str, number: int, problem: str) -> None:
        prefix = _prefix_of(key)
        if self._is_strict:
            raise ValueError(f"Key {prefix!r} in Redis database {number}: {problem}")
        mark = (f"{prefix} {problem}", number)
        if mark not in _warned and len(_warned) < _MAX_WARNED:
            _warned.add(mark)
            log.warning("redis.policy", prefix=prefix, db=number, problem=problem)


def _prefix_of(key: str) -> str:
    """Return what may stand in a message: the prefix only, because the rest may name a user."""
    head, colon, _ = key.partition(":")
    return f"{head[:40]}{colon}"


def _key_problems(key: str, policy: CachePolicy, lives_forever: bool, ttl_seconds: float | None) -> Iterator[str]:
    if not policy.owns(key):
        yield _foreign(_prefix_of(key).removesuffix(":"), policy)
    if lives_forever:
        yield "a key needs a TTL"
    helper = next((ttl for prefix, ttl in (policy.helper_ttls or {}).items() if key.startswith(prefix)), None)
    high = helper or policy.max_ttl_seconds
    if ttl_seconds is not None and high is not None and not 0 < ttl_seconds <= high:
        yield f"a TTL of {ttl_seconds:g} s is outside of the guidance, at most {high} s"
