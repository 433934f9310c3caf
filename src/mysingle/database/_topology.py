"""How a client is made: one server, a master that Sentinel names, or a cluster."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from mysingle.database._guard import GuardedCluster, GuardedRedis
from mysingle.database._pool import Discover, Pool, TcpConnection, TlsConnection, following_sentinel
from mysingle.database._redis_config import RedisConfig

__all__ = ["Client", "make_client", "make_listener"]

Client: TypeAlias = GuardedRedis | GuardedCluster


def make_client(config: RedisConfig, number: int) -> Client:
    """Return a client with a bounded pool of its own; nothing connects yet."""
    if config.mode == "cluster":
        return _make_cluster(config)
    kind: type[AbstractConnection] = TlsConnection if config.tls else TcpConnection
    if config.mode == "sentinel":
        kind = following_sentinel(kind, _discover(config))
    pool = Pool(
        connection_class=kind,
        host=config.host,
        port=config.port,
        db=number,
        max_connections=config.max_connections,
        timeout=config.timeout_seconds,
        **_common(config),
        **_tls(config),
    )
    return GuardedRedis(connection_pool=pool)


def make_listener(config: RedisConfig, attempt: int) -> GuardedRedis:
    """Return a client with one connection, for pub/sub; in a cluster every node hears all messages."""
    addresses = config.addresses
    host, port = addresses[attempt % len(addresses)] if config.mode == "cluster" else (config.host, config.port)
    mode: Literal["standalone", "sentinel"] = "sentinel" if config.mode == "sentinel" else "standalone"
    made = make_client(replace(config, mode=mode, host=host, port=port, max_connections=1), 0)
    assert isinstance(made, GuardedRedis)
    return made


def _make_cluster(config: RedisConfig) -> GuardedCluster:
    made = GuardedCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in config.addresses],
        max_connections=config.max_connections,
        ssl=config.tls,
        # Slots move and masters change: the second try asks the cluster again. The caller's time limit is for all.
        **{**_common(config), "retry": Retry(NoBackoff(), 2)},
        **_tls(config),
    )
    made.gate = asyncio.Semaphore(config.max_connections)
    return made


def _discover(config: RedisConfig) -> Discover:
    options = {**_common(config), **_tls(config), "username": None, "password": _secret(config.sentinel_password)}
    sentinel = Sentinel(config.addresses, sentinel_kwargs={**options, "ssl": config.tls})  # type: ignore[no-untyped-call]  # untyped

    async def discover() -> tuple[str, int]:
        try:
            host, port = await sentinel.discover_master(config.sentinel_master)
        finally:
            # Asked once for each connection: a question in between is not worth connections that stay.
            await asyncio.gather(*(client.aclose() for client in sentinel.sentinels))
        return host, port

    return discover


def _common(config: RedisConfig) -> dict[str, Any]:
    return {
        "username": config.username,
        "password": _secret(config.password),
        "socket_timeout": config.timeout_seconds,
        "socket_connect_timeout": config.connect_timeout_seconds,
        "socket_keepalive": True,
        "health_check_interval": 0,
        # A command that was sent may have run: repeating it is the caller's choice.
        "retry": Retry(NoBackoff(), 0),
        "client_name": "mysingle",
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "decode_responses": True,
        "encoding_errors": "surrogateescape",  # foreign bytes are no reason to fail
    }


def _tls(config: RedisConfig) -> Mapping[str, Any]:
    if not config.tls:
        return {}
    paths = {"ssl_ca_certs": config.tls_ca, "ssl_certfile": config.tls_cert, "ssl_keyfile": config.tls_key}
    return {name: str(path) for name, path in paths.items() if path is not None}


def _secret(value: Any) -> str | None:
    return None if value is None else str(value.get_secret_value())
