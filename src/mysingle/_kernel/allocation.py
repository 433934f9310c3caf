"""The platform's Redis allocation, as data: who owns which database, with which keys, for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["POLICIES", "CachePolicy", "RedisDB", "policy_for_prefix"]


class RedisDB(IntEnum):
    """The sixteen databases. A value is the default number; `REDIS_DB_<NAME>` overrides it."""

    USER = 0
    GRPC = 1
    RATE_LIMIT = 2
    SESSION = 3
    DSL = 4
    MARKET_DATA = 5
    BACKTEST = 6
    INDICATOR = 7
    STRATEGY = 8
    NOTIFICATION = 9
    CELERY_BROKER = 10
    CELERY_RESULT = 11
    ML = 12
    GENAI = 13
    SUBSCRIPTION = 14
    RESERVED = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """
    One row of the allocation.

    `prefixes` end in the separator that follows them. `min_ttl_seconds` and `max_ttl_seconds` are the guidance,
    both None where another system manages expiry. `helper_ttls` are prefixes beside the guide's (locks, negative
    entries, counters, marks), with the longest TTL in seconds. `aliases` are older names of the setting.
    """

    db: RedisDB
    purpose: str
    owner: str
    prefixes: tuple[str, ...] = ()
    min_ttl_seconds: int | None = None
    max_ttl_seconds: int | None = None
    helper_ttls: Mapping[str, int] | None = None
    aliases: tuple[str, ...] = ()

    @property
    def is_managed(self) -> bool:
        """Whether another system (Celery) writes and expires the keys."""
        return self.max_ttl_seconds is None and self.db is not RedisDB.RESERVED

    def owns(self, key: str) -> bool:
        """Tell whether a key begins with a prefix of this row, a helper's included."""
        return key.startswith((*self.prefixes, *(self.helper_ttls or ())))

    def allows_ttl(self, seconds: int) -> bool:
        """Tell whether a TTL lies inside the guidance."""
        return self.max_ttl_seconds is None or (self.min_ttl_seconds or 0) <= seconds <= self.max_ttl_seconds


def _row(
    db: RedisDB,
    purpose: str,
    owner: str,
    prefixes: tuple[str, ...] = (),
    ttl: tuple[int, int] | None = None,
    **more: Mapping[str, int] | tuple[str, ...],
) -> CachePolicy:
    low, high = ttl or (None, None)
    return CachePolicy(
        db=db,
        purpose=purpose,
        owner=owner,
        prefixes=prefixes,
        min_ttl_seconds=low,
        max_ttl_seconds=high,
        **more,  # type: ignore[arg-type]  # the two optional columns differ in type
    )


POLICIES: Mapping[RedisDB, CachePolicy] = {
    row.db: row
    for row in (
        _row(RedisDB.USER, "User Authentication", "IAM", ("user:",), (300, 300)),
        _row(RedisDB.GRPC, "gRPC Response Cache", "All Services", ("grpc:",), (3600, 3600)),
        _row(
            RedisDB.RATE_LIMIT,
            "Rate Limiting",
            "Kong/Gateway",
            ("ratelimit:", "quota:"),
            (60, 3600),
            helper_ttls={"authrl:": 3600, "idem:": 86400},
        ),
        _row(RedisDB.SESSION, "Session Storage", "IAM", ("session:",), (86400, 86400), helper_ttls={"revoked:": 86400}),
        _row(
            RedisDB.DSL,
            "DSL Bytecode Cache",
            "Strategy",
            ("dsl:",),
            (3600, 86400),
            helper_ttls={"dsl:neg:": 60, "dsl:lock:": 5},
            aliases=("DSL_BYTECODE",),
        ),
        _row(RedisDB.MARKET_DATA, "Market Data Cache", "Market Data", ("market:",), (300, 3600)),
        _row(RedisDB.BACKTEST, "Backtest Service Cache", "Backtest", ("walkforward:", "progress:"), (3600, 86400)),
        _row(RedisDB.INDICATOR, "Indicator Cache", "Indicator", ("indicator:",), (1800, 7200)),
        _row(
            RedisDB.STRATEGY,
            "Strategy Cache",
            "Strategy",
            ("strategy:", "version:"),
            (600, 3600),
            aliases=("STRATEGY_CACHE",),
        ),
        _row(RedisDB.NOTIFICATION, "Notification Queue", "Notification", ("notif:", "email_queue:"), (300, 1800)),
        _row(RedisDB.CELERY_BROKER, "Celery Broker", "Backtest (Celery)", ("celery:task:", "celery:group:")),
        _row(RedisDB.CELERY_RESULT, "Celery Result Backend", "Backtest (Celery)", ("celery-task-meta-",)),
        _row(RedisDB.ML, "ML Model Cache", "ML", ("ml:",), (3600, 86400), aliases=("ML_MODEL",)),
        _row(RedisDB.GENAI, "GenAI Response Cache", "GenAI", ("genai:",), (1800, 7200)),
        _row(RedisDB.SUBSCRIPTION, "Subscription Cache", "Subscription", ("subscription:", "plan:"), (3600, 3600)),
        _row(RedisDB.RESERVED, "Reserved", "Platform"),
    )
}


def policy_for_prefix(prefix: str) -> CachePolicy | None:
    """Return the row that owns a key prefix such as `strategy:` or `strategy`; None when nobody does."""
    key = prefix if prefix.endswith((":", "-")) else f"{prefix}:"
    for policy in POLICIES.values():
        if policy.owns(key):
            return policy
    return None
