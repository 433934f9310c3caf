"""Typed groups of settings: names, defaults, bounds."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings

from mysingle._kernel.allocation import POLICIES, RedisDB
from mysingle._kernel.settings.types import Port, Seconds, SecretList, TextList

__all__ = [
    "HttpSettings",
    "MongoSettings",
    "ProjectSettings",
    "RedisAllocation",
    "RedisSettings",
    "allocation_problems",
]

GUIDE_PLACEHOLDER = "REDIS_DB_MYSERVICE"
_MIN_KEY_LENGTH = 32


def _database(db: RedisDB) -> Any:  # Any: a pydantic field stands in for its value in the class body
    """Return the field of one `REDIS_DB_*` setting, with the older names of the allocation table."""
    names = [f"REDIS_DB_{name}" for name in (db.name, *POLICIES[db].aliases)]
    return Field(db.value, validation_alias=AliasChoices(*names), ge=0, le=15, description="a Redis database, 0 to 14")


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < _MIN_KEY_LENGTH for key in keys):
        raise ValueError(f"Input should have keys of at least {_MIN_KEY_LENGTH} characters")
    return keys


class ProjectSettings(BaseSettings):
    """What every process has: a name, an environment, a log."""

    PROJECT_NAME: str = "MySingle Quant"
    SERVICE_NAME: str | None = None
    ENVIRONMENT: str = Field("development", description="development, testing, staging or production")
    DEBUG: bool = False
    LOG_LEVEL: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    ] = "INFO"
    LOG_FORMAT: Literal["json", "console"] | None = None
    LOG_FILE: Path | None = None
    STARTUP_TIMEOUT_SECONDS: Seconds = 30.0
    AUDIT_LOGGING_ENABLED: bool = False
    AUDIT_SIGNING_KEYS: Annotated[SecretList, AfterValidator(_long_enough)] = ()
    KUBERNETES_SERVICE_HOST: str | None = None

    @property
    def environment(self) -> str:
        """The environment's name, trimmed and in lower case; "development" when nobody set it."""
        return self.ENVIRONMENT.strip(" \t").lower()

    @property
    def is_environment_explicit(self) -> bool:
        """Whether somebody chose the environment. Trust is never relaxed for a default."""
        return "ENVIRONMENT" in self.model_fields_set and bool(self.environment)

    @property
    def is_development(self) -> bool:
        """Whether conveniences for people apply; true also when the environment is not set."""
        return self.environment in ("development", "local", "")

    @property
    def is_production(self) -> bool:
        """Whether production rules apply; true for every name nobody knows."""
        return not self.is_development and self.environment not in ("testing", "staging")

    @property
    def is_relaxed(self) -> bool:
        """Whether rules of trust are relaxed: development or testing, and explicitly so."""
        return self.is_environment_explicit and self.environment in ("development", "local", "testing")


class HttpSettings(BaseSettings):
    """Bounds of the HTTP side: nothing that a client sends or withholds keeps a request open for ever."""

    CORS_ORIGINS: TextList = ()
    HTTP_MAX_BODY_BYTES: PositiveInt = 10 * 1024 * 1024
    HTTP_MAX_HEADER_BYTES: PositiveInt = 32 * 1024
    HTTP_BODY_TIMEOUT_SECONDS: Seconds = 20.0
    HTTP_REQUEST_TIMEOUT_SECONDS: Seconds = 60.0
    HTTP_ACCESS_LOG: bool = True
    DRAIN_DELAY_SECONDS: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    SHUTDOWN_GRACE_SECONDS: Seconds = 20.0


class MongoSettings(BaseSettings):
    """Where MongoDB is. `MONGODB_URL` wins over the parts."""

    MONGODB_URL: SecretStr | None = None
    MONGODB_SERVER: str = "localhost:27017"
    MONGODB_USERNAME: str | None = None
    MONGODB_PASSWORD: SecretStr | None = None
    MONGODB_MIN_POOL_SIZE: Annotated[int, Field(ge=0)] = 0
    MONGODB_MAX_POOL_SIZE: PositiveInt = 100
    MONGODB_CONNECT_TIMEOUT_MS: PositiveInt = 3_000
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: PositiveInt = 3_000
    MONGODB_TIMEOUT_MS: PositiveInt = 5_000
    MONGODB_SLOW_QUERY_MS: Annotated[int, Field(ge=0)] = 500

    @property
    def mongodb_url(self) -> str:
        """The connection string, credentials included: pass it on, never print it."""
        if self.MONGODB_URL is not None:
            return self.MONGODB_URL.get_secret_value()
        if not self.MONGODB_USERNAME:
            return f"mongodb://{self.MONGODB_SERVER}"
        password = quote_plus(self.MONGODB_PASSWORD.get_secret_value()) if self.MONGODB_PASSWORD else ""
        return f"mongodb://{quote_plus(self.MONGODB_USERNAME)}:{password}@{self.MONGODB_SERVER}/?authSource=admin"


class RedisAllocation(BaseSettings):
    """Which Redis database serves which purpose (`_kernel.allocation`)."""

    REDIS_DB_USER: int = _database(RedisDB.USER)
    REDIS_DB_GRPC: int = _database(RedisDB.GRPC)
    REDIS_DB_RATE_LIMIT: int = _database(RedisDB.RATE_LIMIT)
    REDIS_DB_SESSION: int = _database(RedisDB.SESSION)
    REDIS_DB_DSL: int = _database(RedisDB.DSL)
    REDIS_DB_MARKET_DATA: int = _database(RedisDB.MARKET_DATA)
    REDIS_DB_BACKTEST: int = _database(RedisDB.BACKTEST)
    REDIS_DB_INDICATOR: int = _database(RedisDB.INDICATOR)
    REDIS_DB_STRATEGY: int = _database(RedisDB.STRATEGY)
    REDIS_DB_NOTIFICATION: int = _database(RedisDB.NOTIFICATION)
    REDIS_DB_CELERY_BROKER: int = _database(RedisDB.CELERY_BROKER)
    REDIS_DB_CELERY_RESULT: int = _database(RedisDB.CELERY_RESULT)
    REDIS_DB_ML: int = _database(RedisDB.ML)
    REDIS_DB_GENAI: int = _database(RedisDB.GENAI)
    REDIS_DB_SUBSCRIPTION: int = _database(RedisDB.SUBSCRIPTION)
    REDIS_DB_RESERVED: int = _database(RedisDB.RESERVED)

    def redis_purpose(self, number: int) -> RedisDB | None:
        """Return the purpose to which a database number is assigned; None for a number that nobody has."""
        for db in RedisDB:
            if getattr(self, f"REDIS_DB_{db.name}") == number:
                return db
        return None

    def __getattr__(self, name: str) -> Any:  # pydantic's own hook has this signature
        """Resolve older names of the allocation, and say which ones exist when a name is unknown."""
        if not name.startswith("REDIS_DB_"):
            return super().__getattr__(name)  # type: ignore[misc]  # pydantic defines it outside of TYPE_CHECKING only
        known = {f"REDIS_DB_{alias}": row.db for row in POLICIES.values() for alias in row.aliases}
        known[GUIDE_PLACEHOLDER] = RedisDB.STRATEGY
        if name in known:
            return getattr(self, f"REDIS_DB_{known[name].name}")
        names = ", ".join(f"REDIS_DB_{db.name}" for db in RedisDB if db is not RedisDB.RESERVED)
        raise AttributeError(f"No Redis database is allocated to {name!r}. The platform's allocation has: {names}")


class RedisSettings(RedisAllocation):
    """Where Redis is."""

    REDIS_HOST: str = "localhost"
    REDIS_PORT: Port = 6379
    REDIS_USERNAME: str | None = None
    REDIS_PASSWORD: SecretStr | None = None
    REDIS_TLS: bool = False
    REDIS_TLS_CA: Path | None = None
    REDIS_TLS_CERT: Path | None = None
    REDIS_TLS_KEY: Path | None = None
    REDIS_MODE: Literal["standalone", "sentinel", "cluster"] = "standalone"
    REDIS_NODES: TextList = ()
    REDIS_SENTINEL_MASTER: str = "mymaster"
    REDIS_SENTINEL_PASSWORD: SecretStr | None = None
    REDIS_POLICY: Literal["warn", "strict"] = "warn"
    REDIS_MAX_CONNECTIONS: PositiveInt = 50
    REDIS_CONNECT_TIMEOUT_SECONDS: Seconds = 1.0
    REDIS_TIMEOUT_SECONDS: Seconds = 1.0

    @property
    def redis_url(self) -> str:
        """The address without a database number, credentials included: pass it on, never print it."""
        scheme = "rediss" if self.REDIS_TLS else "redis"
        password = quote_plus(self.REDIS_PASSWORD.get_secret_value()) if self.REDIS_PASSWORD else ""
        user = quote_plus(self.REDIS_USERNAME or "")
        credentials = f"{user}:{password}@" if user or password else ""
        return f"{scheme}://{credentials}{self.REDIS_HOST}:{self.REDIS_PORT}"

    @property
    def REDIS_URL(self) -> str:
        """The same as `redis_url`; computed, never read from the environment."""
        return self.redis_url


def allocation_problems(settings: RedisAllocation) -> list[str]:
    """Return what is wrong with the assignments: two purposes in one database, or the reserved one in use."""
    numbers: dict[int, str] = {}
    problems = []
    for db in RedisDB:
        name = f"REDIS_DB_{db.name}"
        number = getattr(settings, name)
        if number in numbers and not db == number == RedisDB.RESERVED:
            problems.append(f"{name} = {number} is already {numbers[number]}: every purpose has its own database")
        elif number == RedisDB.RESERVED and db is not RedisDB.RESERVED:
            problems.append(f"{name} = 15: database 15 is reserved by the platform, choose 0 to 14")
        numbers.setdefault(number, name)
    return problems
