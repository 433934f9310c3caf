"""Where Redis is, and which database numbers there are to use."""

from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.settings import RedisSettings, SettingsError, get_settings

__all__ = ["RedisConfig", "database_number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """Where Redis is and how long to wait for it. `max_connections` is for each database, process and event loop."""

    host: str = "localhost"
    port: int = 6379
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    max_connections: int = 50
    connect_timeout_seconds: float = 1.0
    timeout_seconds: float = 1.0

    @classmethod
    def from_settings(cls, settings: RedisSettings | None = None) -> Self:
        """
        Take what the settings say; the process's own when none are given.

        Raises:
            SettingsError: a `REDIS_MODE` that is not supported.
        """
        settings = settings or get_settings()
        if settings.REDIS_MODE != "standalone":
            raise SettingsError([f"REDIS_MODE = {settings.REDIS_MODE!r}: the only mode supported is 'standalone'"])
        return cls(
            host=settings.REDIS_HOST,
            port=settings.REDIS_PORT,
            username=settings.REDIS_USERNAME,
            password=settings.REDIS_PASSWORD,
            tls=settings.REDIS_TLS,
            max_connections=settings.REDIS_MAX_CONNECTIONS,
            connect_timeout_seconds=settings.REDIS_CONNECT_TIMEOUT_SECONDS,
            timeout_seconds=settings.REDIS_TIMEOUT_SECONDS,
        )

    @property
    def address(self) -> str:
        """Host and port, fit for a message."""
        return f"{self.host}:{self.port}"


def database_number(db: object, settings: RedisSettings) -> int:
    """
    Return the number to use for a `RedisDB` (its setting) or for a number out of `settings.REDIS_DB_*`.

    Raises:
        ValueError: not a number from 0 to 15, or the one that the platform reserves.
    """
    if isinstance(db, RedisDB):
        db = getattr(settings, f"REDIS_DB_{db.name}")
    if isinstance(db, bool) or not isinstance(db, int) or not 0 <= db <= RedisDB.RESERVED:
        raise ValueError(f"A Redis database is a number from 0 to 15, as in settings.REDIS_DB_STRATEGY, not {db!r}")
    if db == settings.REDIS_DB_RESERVED:
        raise ValueError(f"Redis database {db} is reserved by the platform: use one of settings.REDIS_DB_*")
    return db
