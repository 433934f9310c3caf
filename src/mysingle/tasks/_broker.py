"""Celery's configuration: where the broker and the results are, and the bounds of tasks."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.database import RedisConfig

__all__ = ["configuration", "longest_delay", "visibility_seconds"]

_ENDING_SECONDS = 30
_LEAST_VISIBILITY_SECONDS = 3_600
_PUBLISH_RETRIES = 1


def configuration(settings: CommonSettings, service_name: str) -> dict[str, Any]:
    """
    Return the configuration of a service's tasks.

    Raises:
        SettingsError: Redis is a cluster, which Celery cannot use.
    """
    config = RedisConfig.from_settings(settings)
    if config.mode == "cluster":
        raise SettingsError(["REDIS_MODE=cluster has no broker for background tasks: use standalone or sentinel"])
    return {
        **_serialisation(),
        **_bounds(settings),
        **_addresses(config, settings),
        **_transport(config, settings, service_name),
        "task_default_queue": service_name,
        "beat_scheduler": "celery.beat:Scheduler",  # in memory: the default keeps a file beside the code, as a pickle
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def visibility_seconds(settings: CommonSettings) -> int:
    """Return after how long Redis gives a task to another worker, because the one that had it has said nothing."""
    return max(_LEAST_VISIBILITY_SECONDS, 2 * (settings.TASKS_TIME_LIMIT_SECONDS + _ENDING_SECONDS))


def longest_delay(settings: CommonSettings) -> int:
    """Return for how many seconds a task may be put off: one that waits longer would be given to a second worker."""
    return visibility_seconds(settings) - settings.TASKS_TIME_LIMIT_SECONDS - _ENDING_SECONDS


def _serialisation() -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
    }


def _bounds(settings: CommonSettings) -> dict[str, Any]:
    # A worker takes one task at a time, and gives it back when it dies: tasks have to bear being run twice.
    return {
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "task_soft_time_limit": settings.TASKS_TIME_LIMIT_SECONDS,
        "task_time_limit": settings.TASKS_TIME_LIMIT_SECONDS + _ENDING_SECONDS,
        "worker_max_tasks_per_child": settings.TASKS_PER_PROCESS,
        "result_expires": settings.TASKS_RESULT_SECONDS,
        "task_track_started": True,
    }


def _addresses(config: RedisConfig, settings: CommonSettings) -> dict[str, Any]:
    broker = _urls(config, settings.REDIS_DB_CELERY_BROKER)
    result = _urls(config, settings.REDIS_DB_CELERY_RESULT)
    kind = "Sentinel" if config.mode == "sentinel" else "Redis"
    addresses: dict[str, Any] = {
        "broker_url": broker,
        "broker_transport": f"mysingle.tasks._transport:{kind}Transport",
        "result_backend": f"mysingle.tasks._results:{kind}Results+{result}",
    }
    if config.tls:
        files = {"ssl_ca_certs": config.tls_ca, "ssl_certfile": config.tls_cert, "ssl_keyfile": config.tls_key}
        given = {name: str(path) for name, path in files.items() if path is not None}
        options = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **given}
        addresses |= {"broker_use_ssl": options, "redis_backend_use_ssl": options}
    return addresses


def _urls(config: RedisConfig, number: int) -> str:
    scheme = "sentinel" if config.mode == "sentinel" else "rediss" if config.tls else "redis"
    password = config.password.get_secret_value() if config.password else ""
    known = f"{quote(config.username or '', safe='')}:{quote(password, safe='')}@" if password else ""
    places = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in config.addresses]
    return ";".join(f"{scheme}://{known}{place}/{number}" for place in places)


def _transport(config: RedisConfig, settings: CommonSettings, service_name: str) -> dict[str, Any]:
    """Keys are under the service's own name, so that services on one Redis never take each other's tasks."""
    patience: Mapping[str, Any] = {
        "socket_connect_timeout": config.connect_timeout_seconds,
        "socket_timeout": max(config.timeout_seconds, 2.0),  # the broker waits a second for a task
        "socket_keepalive": True,
    }
    sentinel: dict[str, Any] = {}
    if config.mode == "sentinel":
        secret = config.sentinel_password
        sentinel = {
            "master_name": config.sentinel_master,
            "sentinel_kwargs": {"password": secret.get_secret_value()} if secret else {},
        }
    return {
        "broker_transport_options": {
            "global_keyprefix": f"celery:{service_name}:",
            "visibility_timeout": visibility_seconds(settings),
            **patience,
            **sentinel,
        },
        "result_backend_transport_options": {**patience, **sentinel},
        "redis_socket_timeout": patience["socket_timeout"],
        "redis_socket_connect_timeout": patience["socket_connect_timeout"],
        "broker_connection_timeout": config.connect_timeout_seconds,
        "task_publish_retry_policy": {
            "max_retries": _PUBLISH_RETRIES,
            "interval_start": 0.1,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
        "result_backend_always_retry": True,
        "result_backend_max_retries": 10,
    }
