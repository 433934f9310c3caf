import socket
from collections.abc import Callable
from typing import Any

import pytest
from beanie import Document
from fastapi import APIRouter, FastAPI

from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.core.config import SettingsError

CONFIG = create_service_config("test-service")


class Note(Document):
    text: str


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param({}, TypeError, "needs one configuration", id="none"),
        pytest.param({"service_config": CONFIG, "config": CONFIG}, TypeError, "needs one configuration", id="two"),
        pytest.param(
            {"config": create_service_config("a", enable_database=False), "document_models": [Note]},
            ValueError,
            "enable_database=False",
            id="documents-without-database",
        ),
        pytest.param(
            {"config": CONFIG, "document_models": [Note, int]}, TypeError, "document_models has <class 'int'>", id="int"
        ),
        pytest.param({"config": CONFIG, "document_models": Note}, TypeError, "must be a list", id="no-list"),
        pytest.param(
            {"config": create_service_config("a", enable_database=False, enable_audit_logging=True)},
            ValueError,
            "Audit logging needs a database",
            id="audit-without-database",
        ),
    ],
)
def test_wrong_arguments(
    configure: Callable[..., Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A call that makes no sense is refused at once, with a sentence that says why."""
    configure()

    with pytest.raises(error, match=message):
        create_fastapi_app(**arguments)


@pytest.mark.parametrize("keyword", ["service_config", "config"])
def test_both_keywords(configure: Callable[..., Any], keyword: str) -> None:
    """The configuration may be called `service_config`, as in the guide, or `config`."""
    configure()

    assert create_fastapi_app(**{keyword: CONFIG}).title == "test-service"


def test_wrong_settings_are_reported_together(monkeypatch: pytest.MonkeyPatch, configure: Callable[..., Any]) -> None:
    """Wrong settings stop the app where it is made, in one report that names every one of them."""
    monkeypatch.setenv("REDIS_PORT", "70000")
    monkeypatch.setenv("HTTP_MAX_BODY_BYTES", "-1")

    with pytest.raises(SettingsError, match=r"(?s)2 problems.*REDIS_PORT.*HTTP_MAX_BODY_BYTES"):
        configure()


def test_app_carries_the_configuration(make_app: Callable[..., FastAPI]) -> None:
    """Title, version and description of the app are those of the configuration."""
    app = make_app(service_version="4.5.6", description="Keeps notes.")

    assert (app.title, app.version, app.description) == ("test-service", "4.5.6", "Keeps notes.")


def test_making_an_app_touches_no_network(monkeypatch: pytest.MonkeyPatch, configure: Callable[..., Any]) -> None:
    """An app is made without a socket and without entering any lifespan, so importing a service is safe."""
    entered: list[Any] = []

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    configure()

    create_fastapi_app(
        create_service_config("test-service", lifespan=entered.append, enable_audit_logging=True),  # type: ignore[arg-type]  # never entered
        document_models=[Note],
    )

    assert not entered


async def test_two_live_apps_count_apart(configure: Callable[..., Any], live: Callable[..., Any]) -> None:
    """A request to one app shows in its metrics only, and the end of one leaves the other ready."""
    configure()
    first, second = (create_fastapi_app(create_service_config(name)) for name in ("first", "second"))
    first.get("/a")(lambda: "a")

    async with live(second) as second_client:
        async with live(first) as first_client:
            await first_client.get("/a")
            scrapes = [(await client.get("/metrics")).text for client in (first_client, second_client)]
        ready = (await second_client.get("/ready")).status_code

    assert ['http_route="/a"' in scrape for scrape in scrapes] == [True, False]
    assert ready == 200


async def test_app_can_live_twice(make_app: Callable[..., FastAPI], live: Callable[..., Any]) -> None:
    """An app may be started again after it has stopped, as every test suite of a service does."""

    async def check() -> None: ...

    app = make_app(critical_checks={"own": check})
    statuses = []
    for _ in range(2):
        async with live(app) as client:
            statuses.append((await client.get("/ready")).status_code)

    assert statuses == [200, 200]


@pytest.mark.parametrize(
    ("environment", "documented"),
    [
        ("development", True),
        ("testing", True),
        ("staging", True),
        (..., True),
        ("production", False),
        ("prod", False),
    ],
)
async def test_documentation_is_hidden_in_production(
    make_app: Callable[..., FastAPI], unborn: Callable[..., Any], environment: Any, documented: bool
) -> None:
    """The API document and its pages exist only outside of production, and need no login there."""
    app = make_app({"ENVIRONMENT": environment, "GATEWAY_TRUST": "network"})

    async with unborn(app) as client:
        statuses = {path: (await client.get(path)).status_code for path in ("/docs", "/redoc", "/openapi.json")}

    assert set(statuses.values()) == ({200} if documented else {404})


async def test_documentation_needs_no_login(make_app: Callable[..., FastAPI], unborn: Callable[..., Any]) -> None:
    """Outside of production a browser without a token can read the API document."""
    async with unborn(make_app()) as client:
        client.headers.pop("X-User-Id")
        statuses = {(await client.get(path)).status_code for path in ("/docs", "/redoc", "/openapi.json")}

    assert statuses == {200}


def test_operation_ids(make_app: Callable[..., FastAPI]) -> None:
    """An operation's id is its first tag and its name; without a tag, its name."""
    app = make_app()
    router = APIRouter(prefix="/items", tags=["items", "more"])
    router.get("")(_list_items)
    app.include_router(router)
    app.get("/plain")(_plain)

    paths = app.openapi()["paths"]

    assert paths["/items"]["get"]["operationId"] == "items-_list_items"
    assert paths["/plain"]["get"]["operationId"] == "_plain"


def _list_items() -> list[str]:
    return []


def _plain() -> str:
    return ""


@pytest.mark.parametrize("service_type", list(ServiceType))
async def test_identity_headers_by_type(
    make_app: Callable[..., FastAPI], unborn: Callable[..., Any], service_type: ServiceType
) -> None:
    """A NON_IAM service believes the gateway's headers; an IAM service never does."""
    app = make_app(service_type=service_type)
    app.get("/me")(_plain)

    async with unborn(app) as client:
        status = (await client.get("/me")).status_code

    assert status == (200 if service_type is ServiceType.NON_IAM_SERVICE else 401)


async def test_public_paths_need_no_login(make_app: Callable[..., FastAPI], unborn: Callable[..., Any]) -> None:
    """Paths that the configuration opens answer without a login, and those beside them do not."""
    app = make_app(public_paths=["/open", "/files/*"])
    for path in ("/open", "/files/a", "/filesystem", "/closed"):
        app.get(path)(_plain)

    async with unborn(app) as client:
        client.headers.pop("X-User-Id")
        statuses = [(await client.get(path)).status_code for path in ("/open", "/files/a", "/filesystem", "/closed")]

    assert statuses == [200, 200, 401, 401]


async def test_without_documents_no_database_is_needed(
    make_app: Callable[..., FastAPI], live: Callable[..., Any]
) -> None:
    """A NON_IAM service without documents and audit starts and is ready although no MongoDB runs anywhere."""
    app = make_app({"MONGODB_URL": "mongodb://127.0.0.1:1", "REDIS_PORT": 1})

    async with live(app) as client:
        status = (await client.get("/ready")).status_code

    assert status == 200
