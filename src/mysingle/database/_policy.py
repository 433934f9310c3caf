"""Which database and which TTL a cache may have, checked against the platform's allocation."""

from collections.abc import Iterator

from mysingle._kernel.allocation import POLICIES, CachePolicy, RedisDB, policy_for_prefix
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import RedisSettings

__all__ = ["CacheRules", "home_database"]

log = get_logger("mysingle.cache")

_warned: set[tuple[str, int]] = set()


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
