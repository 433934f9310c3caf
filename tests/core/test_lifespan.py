from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request

from mysingle.auth import AuthConfigurationError
from mysingle.core import create_fastapi_app, create_service_config

MakeApp = Callable[..., FastAPI]
Live = Callable[..., Any]


class Step:
    """A resource that tells when it is opened and closed, and fails where it is told to."""

    def __init__(self, name: str, events: list[str], fails_at: str = "") -> None:
        self.name = name
        self._events = events
        self._fails_at = fails_at

    async def open(self) -> None:
        await self._do("open")

    async def close(self) -> None:
        await self._do("close")

    async def ping(self) -> None: ...

    async def _do(self, what: str) -> None:
        self._events.append(f"{what} {self.name}")
        if what == self._fails_at:
            raise ConnectionError(f"{self.name} cannot {what}")


def _service(events: list[str], fails_at: str = "") -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
        events.append("enter service")
        if fails_at == "enter":
            raise ConnectionError("the service cannot enter")
        yield {"model": "loaded"}
        events.append("leave service")
        if fails_at == "leave":
            raise ConnectionError("the service cannot leave")

    return lifespan


async def test_order(make_app: MakeApp, live: Live) -> None:
    """Resources open in order before the service's own lifespan, and close in reverse order after it."""
    events: list[str] = []
    app = make_app(resources=[Step("a", events), Step("b", events)], lifespan=_service(events))

    async with live(app):
        events.append("live")

    assert events == [
        "open a",
        "open b",
        "enter service",
        "live",
        "leave service",
        "close b",
        "close a",
    ]


async def test_grpc_server_is_the_last_resource(make_app: MakeApp, live: Live) -> None:
    """A gRPC server opens when everything that it serves from is open, and closes first."""
    events: list[str] = []
    app = make_app(grpc_server=Step("grpc", events), resources=[Step("a", events)])

    async with live(app):
        pass

    assert events == ["open a", "open grpc", "close grpc", "close a"]


async def test_state_reaches_requests(make_app: MakeApp, live: Live) -> None:
    """What the service's lifespan yields is in `request.state`, beside the user."""

    def handler(request: Request) -> list[object]:
        return [request.state.model, request.state.user.id]

    app = make_app(lifespan=_service([]))
    app.get("/work")(handler)
    async with live(app) as client:
        answer = await client.get("/work")

    assert answer.json() == ["loaded", "a11ce0000000000000000001"]


async def test_lifespan_that_yields_nothing(make_app: MakeApp, live: Live) -> None:
    """A lifespan that only opens and closes things needs no state."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    async with live(make_app(lifespan=lifespan)) as client:
        assert (await client.get("/ready")).status_code == 200


@pytest.mark.parametrize("fails_at", ["enter", "leave"])
async def test_failing_lifespan_closes_resources(make_app: MakeApp, live: Live, fails_at: str) -> None:
    """An error in the service's own lifespan comes out as it is, after every resource is closed."""
    events: list[str] = []
    app = make_app(resources=[Step("a", events), Step("b", events)], lifespan=_service(events, fails_at))

    with pytest.raises(ConnectionError, match=f"the service cannot {fails_at}"):
        async with live(app):
            pass

    assert events[-2:] == ["close b", "close a"]


async def test_failing_open_closes_those_before(make_app: MakeApp, live: Live) -> None:
    """When a resource cannot open, those before it are closed, those behind it are not touched, nobody enters."""
    events: list[str] = []
    steps = [Step("a", events), Step("b", events, fails_at="open"), Step("c", events)]
    app = make_app(resources=steps, lifespan=_service(events))

    with pytest.raises(ConnectionError, match="b cannot open"):
        async with live(app):
            pass

    assert events == ["open a", "open b", "close b", "close a"]


async def test_failing_close_closes_the_others(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """A resource that cannot close is reported, and the others close all the same."""
    events: list[str] = []
    app = make_app(resources=[Step("a", events), Step("b", events, fails_at="close")])

    async with live(app):
        pass

    assert events[-2:] == ["close b", "close a"]
    assert [record["errors"] for record in log() if record["body"] == "service.unclean_stop"] == [
        ["ConnectionError('b cannot close')"]
    ]


async def test_resources_are_checked(make_app: MakeApp, live: Live) -> None:
    """Each resource has a health check of its own name, which the service may declare critical."""
    app = make_app(resources=[Step("a", [])], critical_checks=["a"])

    async with live(app) as client:
        details = (await client.get("/health/details")).json()

    assert details["checks"]["a"][0]["critical"] is True


async def test_not_ready_before_the_service_is(make_app: MakeApp, live: Live) -> None:
    """The service is STARTING, not READY, while its own lifespan starts."""
    states = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        states.append(app.state.health.state.value)
        yield
        states.append(app.state.health.state.value)

    app = make_app(lifespan=lifespan)
    async with live(app):
        states.append(app.state.health.state.value)
    states.append(app.state.health.state.value)

    assert states == ["starting", "ready", "draining", "stopped"]


async def test_not_ready_before_its_parts_are(make_app: MakeApp, live: Live) -> None:
    """Lifespans of routers and event handlers run inside of the service's own lifespan, before READY and once each."""
    events: list[str] = []
    router, older = APIRouter(), APIRouter()
    app = make_app(resources=[Step("a", events)], lifespan=_service(events))

    def note(what: str) -> None:
        events.append(f"{what} {app.state.health.state.value}")

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, str]]:
        note("enter router")
        yield {"router": "open"}
        note("leave router")

    async def begin() -> None:
        note("startup")

    router.lifespan_context = lifespan

    async def state(request: Request) -> list[str]:
        return [request.state.model, request.state.router]

    router.get("/state")(state)
    for each, event, handler in (
        (app.router, "startup", begin),
        (app.router, "shutdown", lambda: note("shutdown")),
        (older, "startup", lambda: note("older startup")),
    ):
        each.add_event_handler(event, handler)
    app.include_router(router)
    app.include_router(older)
    async with live(app) as client:
        note("live")
        seen = (await client.get("/state")).json()

    assert seen == ["loaded", "open"]
    assert events == [
        "open a",
        "enter service",
        "startup starting",
        "enter router starting",
        "older startup starting",
        "live ready",
        "leave router draining",
        "shutdown draining",
        "leave service",
        "close a",
    ]


async def test_lifespan_without_its_decorator(make_app: MakeApp, live: Live) -> None:
    """An async generator function is a lifespan too, as FastAPI takes it."""
    events: list[str] = []

    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        events.append("enter")
        yield
        events.append("leave")

    async with live(make_app(lifespan=lifespan)) as client:
        assert (await client.get("/ready")).status_code == 200

    assert events == ["enter", "leave"]


PLACEHOLDER = {"REDIS_PASSWORD": "changeme-now"}
TRUSTED = {"GATEWAY_TRUST": "network"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"ENVIRONMENT": "production"}, ["GATEWAY_TRUST"], id="no-proof"),
        pytest.param({"ENVIRONMENT": "staging"}, ["GATEWAY_TRUST"], id="staging"),
        pytest.param({"ENVIRONMENT": "prdo"}, ["GATEWAY_TRUST"], id="unknown-name"),
        pytest.param({"ENVIRONMENT": "production", "GATEWAY_TRUST": "none"}, ["GATEWAY_TRUST"], id="trust-none"),
        pytest.param({"ENVIRONMENT": "production", **TRUSTED, **PLACEHOLDER}, ["REDIS_PASSWORD"], id="placeholder"),
        pytest.param(
            {"ENVIRONMENT": "production", **PLACEHOLDER, "MONGODB_PASSWORD": "change-this"},
            ["MONGODB_PASSWORD", "REDIS_PASSWORD", "GATEWAY_TRUST"],
            id="everything-at-once",
        ),
    ],
)
async def test_production_refuses(make_app: MakeApp, live: Live, settings: dict[str, Any], named: list[str]) -> None:
    """Under production rules unsafe settings stop the start: every one is named, no value is shown."""
    events: list[str] = []
    app = make_app(settings, resources=[Step("a", events)])

    with pytest.raises(AuthConfigurationError, match="must not start") as caught:
        async with live(app):
            pass

    assert [name for name in named if name in str(caught.value)] == named
    assert len(caught.value.problems) == len(named)
    assert "changeme-now" not in str(caught.value)
    assert not events


async def test_production_starts(make_app: MakeApp, live: Live) -> None:
    """Under production rules safe settings start."""
    async with live(make_app({"ENVIRONMENT": "production", **TRUSTED})) as client:
        assert (await client.get("/ready")).status_code == 200


async def test_unset_environment(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """Without ENVIRONMENT a service starts with one ERROR line, believes nobody, and says what to do."""
    app = make_app({"ENVIRONMENT": ...})
    async with live(app) as client:
        answer = await client.get("/work")

    errors = [record for record in log() if record["severity_number"] >= 17]
    assert [record["body"] for record in errors] == ["service.trusts_nothing"]
    assert "ENVIRONMENT is not set" in errors[0]["hint"]
    assert answer.status_code == 401
    assert "ENVIRONMENT=development" in answer.json()["detail"]


@pytest.mark.parametrize("environment", ["development", "testing", "local"])
async def test_relaxed_warns(make_app: MakeApp, live: Live, log: Callable[[], Any], environment: str) -> None:
    """In development and testing unsafe settings are a warning that shows names, not values."""
    async with live(make_app({"ENVIRONMENT": environment} | PLACEHOLDER)):
        pass

    warnings = [record for record in log() if record["body"] == "service.unsafe_settings"]
    assert [record["problems"] for record in warnings] == [["REDIS_PASSWORD is a placeholder from a template"]]
    assert [record["severity_text"] for record in warnings] == ["WARN"]


@pytest.mark.parametrize(
    ("environment", "status", "refused"),
    [("development", 200, False), ("testing", 401, True), ("local", 401, True), (..., 401, True)],
)
async def test_bypass(
    make_app: MakeApp, live: Live, log: Callable[[], Any], environment: Any, status: int, refused: bool
) -> None:
    """The guide's bypass works with an explicit ENVIRONMENT=development only; elsewhere asking for it is CRITICAL."""
    app = make_app({"ENVIRONMENT": environment, "MYSINGLE_AUTH_BYPASS": "true"})
    app.get("/work")(lambda: "done")
    async with live(app) as client:
        client.headers.pop("X-User-Id")
        answer = await client.get("/work")

    assert answer.status_code == status
    assert any(record["body"] == "auth.bypass.refused" for record in log()) is refused


def test_own_settings_are_used(configure: Callable[..., Any]) -> None:
    """The settings that a service has made its own decide, not the environment."""
    configure(CORS_ORIGINS="https://a.example", ENVIRONMENT="production")

    assert create_fastapi_app(create_service_config("a")).openapi_url is None
