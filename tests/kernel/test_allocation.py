# ruff: noqa: E501  # the guide's table stays as it is
import re

import pytest

from mysingle._kernel.allocation import POLICIES, CachePolicy, RedisDB, policy_for_prefix

GUIDE = """
| 0   | User Authentication    | IAM               | `user:{user_id}`                                      | 300s (5min)  |
| 1   | gRPC Response Cache    | All Services      | `grpc:{service_name}:{method}:{hash}`                 | 3600s (1h)   |
| 2   | Rate Limiting          | Kong/Gateway      | `ratelimit:{user_id}:{endpoint}`, `quota:{user_id}`   | 60-3600s     |
| 3   | Session Storage        | IAM               | `session:{session_id}`                                | 86400s (24h) |
| 4   | DSL Bytecode Cache     | Strategy          | `dsl:bytecode:{strategy_id}`, `dsl:warmed:{hash}`     | 3600-86400s  |
| 5   | Market Data Cache      | Market Data       | `market:{symbol}:{interval}:{date_range_hash}`        | 300-3600s    |
| 6   | Backtest Service Cache | Backtest          | `walkforward:{job_id}:{window}`, `progress:{task_id}` | 3600-86400s  |
| 7   | Indicator Cache        | Indicator         | `indicator:{name}:{symbol}:{params_hash}`             | 1800-7200s   |
| 8   | Strategy Cache         | Strategy          | `strategy:{strategy_id}`, `version:{version_id}`      | 600-3600s    |
| 9   | Notification Queue     | Notification      | `notif:{user_id}:{timestamp}`, `email_queue:{id}`     | 300-1800s    |
| 10  | Celery Broker          | Backtest (Celery) | `celery:task:{task_id}`, `celery:group:{group_id}`    | Managed      |
| 11  | Celery Result Backend  | Backtest (Celery) | `celery-task-meta-{task_id}`                          | Managed      |
| 12  | ML Model Cache         | ML                | `ml:model:{model_id}`, `ml:prediction:{request_hash}` | 3600-86400s  |
| 13  | GenAI Response Cache   | GenAI             | `genai:{prompt_hash}`, `genai:context:{session_id}`   | 1800-7200s   |
| 14  | Subscription Cache     | Subscription      | `subscription:{user_id}`, `plan:{plan_id}`            | 3600s        |
| 15  | Reserved               | Platform          | -                                                     | -            |
"""
"""The guide's table, verbatim."""

ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in GUIDE.strip().splitlines()]

SETTINGS = [
    "USER",
    "GRPC",
    "RATE_LIMIT",
    "SESSION",
    "DSL",
    "MARKET_DATA",
    "BACKTEST",
    "INDICATOR",
    "STRATEGY",
    "NOTIFICATION",
    "CELERY_BROKER",
    "CELERY_RESULT",
    "ML",
    "GENAI",
    "SUBSCRIPTION",
    "RESERVED",
]


@pytest.mark.parametrize(("number", "purpose", "owner", "keys", "guidance"), ROWS, ids=[row[1] for row in ROWS])
class TestGuide:
    def test_row(self, number: str, purpose: str, owner: str, keys: str, guidance: str) -> None:
        """Purpose and owner of each database are the guide's."""
        policy = POLICIES[RedisDB(int(number))]

        assert (purpose, owner, int(number)) == (policy.purpose, policy.owner, policy.db)

    def test_ttl(self, number: str, purpose: str, owner: str, keys: str, guidance: str) -> None:
        """The bounds of the TTL are the guide's; where Celery manages expiry there are none."""
        policy = POLICIES[RedisDB(int(number))]
        seconds = [int(text) for text in re.findall(r"\d+(?=s|-)", guidance)]
        expected = (min(seconds), max(seconds)) if seconds else (None, None)

        assert expected == (policy.min_ttl_seconds, policy.max_ttl_seconds)
        assert (guidance == "Managed") == policy.is_managed

    def test_keys(self, number: str, purpose: str, owner: str, keys: str, guidance: str) -> None:
        """Every key of the guide's examples belongs to the database beside which it stands."""
        policy = POLICIES[RedisDB(int(number))]
        examples = re.findall(r"`([^`]+)`", keys)

        assert [policy] * len(examples) == [policy_for_prefix(example) for example in examples]
        assert bool(examples) == bool(policy.prefixes)


def test_setting_names() -> None:
    """The names of the settings are the contract's, in the order of the numbers."""
    assert [db.name for db in RedisDB] == SETTINGS
    assert [db.value for db in RedisDB] == list(range(16))
    assert set(POLICIES) == set(RedisDB)


def test_aliases() -> None:
    """Three databases have an older name."""
    found = {alias: policy.db for policy in POLICIES.values() for alias in policy.aliases}

    assert found == {"DSL_BYTECODE": RedisDB.DSL, "STRATEGY_CACHE": RedisDB.STRATEGY, "ML_MODEL": RedisDB.ML}


def test_helper_prefixes() -> None:
    """A helper's prefix belongs to one database: its own, or one below a prefix of the guide."""
    helpers = {prefix: db for db, policy in POLICIES.items() for prefix in policy.helper_ttls or ()}

    assert helpers == {
        "authrl:": RedisDB.RATE_LIMIT,
        "idem:": RedisDB.RATE_LIMIT,
        "revoked:": RedisDB.SESSION,
        "dsl:neg:": RedisDB.DSL,
        "dsl:lock:": RedisDB.DSL,
    }
    assert all(policy_for_prefix(prefix) is POLICIES[db] for prefix, db in helpers.items())


def test_prefixes_are_unambiguous() -> None:
    """No prefix begins with another one, so a key has one owner."""
    prefixes = [prefix for policy in POLICIES.values() for prefix in policy.prefixes]

    assert [(a, b) for a in prefixes for b in prefixes if a is not b and a.startswith(b)] == []
    assert all(prefix.endswith((":", "-")) for prefix in prefixes)


PREFIXES = [
    ("strategy", RedisDB.STRATEGY),
    ("strategy:", RedisDB.STRATEGY),
    ("grpc:orders", RedisDB.GRPC),
    ("market", RedisDB.MARKET_DATA),
    ("celery-task-meta-", RedisDB.CELERY_RESULT),
    ("strategyx", None),
    ("strateg", None),
    ("myservice", None),
    ("", None),
    (":", None),
]


@pytest.mark.parametrize(("prefix", "db"), PREFIXES, ids=[row[0] or "empty" for row in PREFIXES])
def test_policy_for_prefix(prefix: str, db: RedisDB | None) -> None:
    """A prefix belongs to a database only as a whole word."""
    policy = policy_for_prefix(prefix)

    assert db == (policy.db if policy else None)


@pytest.mark.parametrize(("seconds", "allowed"), [(59, False), (60, True), (3600, True), (3601, False)])
def test_allows_ttl(seconds: int, allowed: bool) -> None:
    """The bounds themselves are allowed; what is managed elsewhere has none."""
    unbounded = CachePolicy(db=RedisDB.CELERY_BROKER, purpose="", owner="")

    assert allowed == POLICIES[RedisDB.RATE_LIMIT].allows_ttl(seconds)
    assert unbounded.allows_ttl(seconds)
