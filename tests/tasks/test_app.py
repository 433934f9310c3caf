"""The Celery app of a service: what the settings make of it, and what it refuses before anything is sent."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.call_identity import forget_service
from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.cli import main
from mysingle.tasks import TaskApp, create_celery_app


@pytest.fixture(autouse=True)
def _nameless() -> Iterator[None]:
    yield
    forget_service()


def _app(**values: Any) -> TaskApp:
    settings = CommonSettings(**{"_env_file": None, "ENVIRONMENT": "testing", **values})
    return create_celery_app("jobs-service", settings=settings)


def test_databases() -> None:
    """Broker and results are the two databases of the allocation, and move with their settings."""
    app = _app(REDIS_HOST="redis", REDIS_PORT=6380, REDIS_DB_CELERY_BROKER=2, REDIS_DB_RATE_LIMIT=10)

    assert app.conf.broker_url == "redis://redis:6380/2"
    assert app.conf.result_backend == "mysingle.tasks._results:RedisResults+redis://redis:6380/11"


def test_credentials() -> None:
    """A password with any sign in it is one of the address."""
    app = _app(REDIS_USERNAME="jobs", REDIS_PASSWORD="p@ss/w:rd")

    assert app.conf.broker_url == "redis://jobs:p%40ss%2Fw%3Ard@localhost:6379/10"


def test_tls(tmp_path: Path) -> None:
    """With TLS the server has to prove itself."""
    app = _app(REDIS_TLS=True, REDIS_TLS_CA=tmp_path / "ca.pem")
    expected = {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": True,
        "ssl_ca_certs": str(tmp_path / "ca.pem"),
    }

    assert app.conf.broker_url.startswith("rediss://")
    assert app.conf.broker_use_ssl == app.conf.redis_backend_use_ssl == expected


def test_sentinels() -> None:
    """The sentinels are asked for the master, by broker and results."""
    app = _app(REDIS_MODE="sentinel", REDIS_NODES="one:26379,two:26379", REDIS_SENTINEL_PASSWORD="s")

    assert app.conf.broker_url == "sentinel://one:26379/10;sentinel://two:26379/10"
    assert app.conf.broker_transport_options["master_name"] == "mymaster"
    assert app.conf.result_backend_transport_options["sentinel_kwargs"] == {"password": "s"}


@pytest.mark.parametrize("name", ["accept_content", "result_accept_content"])
def test_json_only(name: str) -> None:
    """Nothing but JSON is read."""
    assert _app().conf[name] == ["json"]


def test_own_keys() -> None:
    """Services on one Redis do not take each other's tasks."""
    app = _app()

    assert app.conf.task_default_queue == "jobs-service"
    assert app.conf.broker_transport_options["global_keyprefix"] == "celery:jobs-service:"


@pytest.mark.parametrize("limit", [1, 1_800, 86_400])
def test_time(limit: int) -> None:
    """A task that still runs is never given to a second worker."""
    conf = _app(TASKS_TIME_LIMIT_SECONDS=limit).conf

    assert (
        limit == conf.task_soft_time_limit < conf.task_time_limit < conf.broker_transport_options["visibility_timeout"]
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"REDIS_MODE": "cluster", "REDIS_NODES": "one:6379"}, "REDIS_MODE=cluster"),
        ({"ENVIRONMENT": "production"}, "GRPC_SERVICE_KEYS"),
        ({"ENVIRONMENT": "staging"}, "GRPC_SERVICE_KEYS"),
        ({"TASKS_TIME_LIMIT_SECONDS": 0}, "TASKS_TIME_LIMIT_SECONDS"),
    ],
)
def test_refused(values: dict[str, Any], problem: str) -> None:
    """What cannot work, or would be unsafe, is one line before anything starts."""
    with pytest.raises(SettingsError, match=problem):
        _app(**values)


@pytest.mark.parametrize("values", [{"GRPC_TRUST": "network"}, {"GRPC_SERVICE_KEYS": "k" * 32}])
def test_production(values: dict[str, Any]) -> None:
    """Under production rules somebody has said whom to believe."""
    assert _app(ENVIRONMENT="production", **values).conf.task_default_queue == "jobs-service"


@pytest.mark.parametrize(
    "options",
    [
        {"countdown": 86_400},
        {"eta": datetime.now(UTC) + timedelta(days=1)},
        {"eta": datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)},
        {"eta": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
    ],
    ids=["countdown", "eta", "naive", "text"],
)
def test_delay(options: dict[str, Any]) -> None:
    """A delay in which Redis would give the task to a second worker is refused."""
    with pytest.raises(InvalidArgumentError, match="cannot be put off"):
        _app().send_task("a.task", **options)


@pytest.mark.parametrize("args", [[object()], [{1, 2}], [b"\xff", object()]])
def test_not_json(args: list[Any]) -> None:
    """Arguments that no worker could read are refused when they are sent."""
    with pytest.raises(InvalidArgumentError, match=r"arguments are not JSON"):
        _app().send_task("a.task", args)


async def test_called_directly() -> None:
    """In a test a task is a function: it runs here and now, and an async one is awaited."""
    app = _app()

    @app.task
    def add(left: int, right: int) -> int:
        return left + right

    @app.task
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    assert (add(1, 2), await double(2)) == (3, 4)  # type: ignore[misc]  # inside of a loop it is a coroutine


def test_called_directly_without_a_loop() -> None:
    """Outside of a loop an async task runs to its end."""
    app = _app()

    @app.task
    async def double(number: int) -> int:
        return 2 * number

    try:
        assert double(2) == 4
    finally:
        app.close()


@pytest.mark.parametrize(
    "place",
    ["", ":celery", ".tasks:celery", "nowhere:celery", "mysingle.tasks:create_celery_app", "mysingle.tasks:nothing"],
)
def test_no_app(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker without an app says in one line what is wrong."""
    with pytest.raises(SystemExit) as end:
        main(["worker", place])

    assert (end.value.code, capsys.readouterr().err.count("\n")) == (2, 1)
