"""Where Redis is, and which database numbers there are to use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.settings import RedisSettings, SettingsError, get_settings

__all__ = ["RedisConfig", "database_number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """
    Where Redis is and how long to wait for it. `max_connections` is for each database, process and event loop.

    `nodes` are the addresses of the sentinels or of some nodes of the cluster, as `host:port`; without them
    `host` and `port` are the only one.
    """

    host: str = "localhost"
    port: int = 6379
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    mode: Literal["standalone", "sentinel", "cluster"] = "standalone"
    nodes: tuple[str, ...] = ()
    sentinel_master: str = "mymaster"
    sentinel_password: SecretStr | None = None
    max_connections: int = 50
    connect_timeout_seconds: float = 1.0
    timeout_seconds: float = 1.0

    @classmethod
    def from_settings(cls, settings: RedisSettings | None = None) -> Self:
        """
        Take what the settings say; the process's own when none are given.

        Raises:
            SettingsError: an entry of `REDIS_NODES` that is not `host:port`.
        """
        settings = settings or get_settings()
        for node in settings.REDIS_NODES:
            if not _is_address(node):
                raise SettingsError([f"REDIS_NODES has {node!r}: expected host:port, for example redis-1:6379"])
        return cls(
            host=settings.REDIS_HOST,
            port=settings.REDIS_PORT,
            username=settings.REDIS_USERNAME,
            password=settings.REDIS_PASSWORD,
            tls=settings.REDIS_TLS,
            tls_ca=settings.REDIS_TLS_CA,
            tls_cert=settings.REDIS_TLS_CERT,
            tls_key=settings.REDIS_TLS_KEY,
            mode=settings.REDIS_MODE,
            nodes=settings.REDIS_NODES,
            sentinel_master=settings.REDIS_SENTINEL_MASTER,
            sentinel_password=settings.REDIS_SENTINEL_PASSWORD,
            max_connections=settings.REDIS_MAX_CONNECTIONS,
            connect_timeout_seconds=settings.REDIS_CONNECT_TIMEOUT_SECONDS,
            timeout_seconds=settings.REDIS_TIMEOUT_SECONDS,
        )

    @property
    def address(self) -> str:
        """Where the server is, fit for a message."""
        return ",".join(self.nodes) or f"{self.host}:{self.port}"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The sentinels, or the known nodes of the cluster."""
        nodes = self.nodes or (f"{self.host}:{self.port}",)
        return [(host.strip("[]"), int(port)) for host, _, port in (node.rpartition(":") for node in nodes)]

    def namespace(self, number: int) -> bytes:
        """Return what keys of a database begin with: nothing, except in a cluster, which has no numbered databases."""
        # The braces put all keys of one database on one node, so that commands with many keys and scripts work.
        return b"{db%d}:" % number if self.mode == "cluster" else b""


def _is_address(node: str) -> bool:
    host, _, port = node.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


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
