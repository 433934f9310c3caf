import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from mysingle.core.health import ServiceState

PROBES = ("/health", "/live", "/ready", "/startup", "/health/details")
PATHS = (*PROBES, "/metrics")
SPELLINGS = [spelling for path in PATHS for spelling in (path, f"{path}/")]

MakeApp = Callable[..., FastAPI]
Live = Callable[..., Any]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", SPELLINGS)
async def test_both_spellings_answer(make_app: MakeApp, live: Live, path: str, method: str) -> None:
    """Every operation answers 200 with and without a trailing slash, to GET and HEAD, without login and redirect."""
    async with live(make_app()) as client:
        client.headers.pop("X-User-Id")
        answer = await client.request(method, path, follow_redirects=False)

    assert answer.status_code == 200
    assert not answer.history


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/health", "/ready/", "/metrics"])
async def test_other_methods(make_app: MakeApp, live: Live, path: str, method: str) -> None:
    """Any other method is a 405 problem that names the allowed ones."""
    async with live(make_app()) as client:
        answer = await client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"


async def test_operations_leave_no_trace(make_app: MakeApp, live: Live, log: Callable[[], Any]) -> None:
    """Operations appear neither in the access log nor in the request metrics."""
    app = make_app()
    app.get("/work")(lambda: "done")

    async with live(app) as client:
        for path in SPELLINGS:
            await client.get(path)
        await client.get("/work")
        metrics = (await client.get("/metrics")).text

    counted = [line for line in metrics.splitlines() if line.startswith("http_server_request_duration_seconds_count")]
    assert [record["url.path"] for record in log() if record["body"] == "http.request"] == ["/work"]
    assert len(counted) == 1
    assert 'http_route="/work"' in counted[0]


async def test_body_names_the_service(make_app: MakeApp, live: Live) -> None:
    """`/health` says that it passes, with the service and its version, and nothing else."""
    async with live(make_app(service_version="4.5.6")) as client:
        answer = await client.get("/health")

    assert answer.json() == {"status": "pass", "service": "test-service", "version": "4.5.6"}
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "ready", "startup"),
    [
        (ServiceState.CREATED, 503, 503),
        (ServiceState.STARTING, 503, 503),
        (ServiceState.READY, 200, 200),
        (ServiceState.DRAINING, 503, 200),
        (ServiceState.STOPPED, 503, 200),
    ],
)
async def test_states(
    make_app: MakeApp, unborn: Callable[..., Any], state: ServiceState, ready: int, startup: int
) -> None:
    """`/ready` is 200 in READY only, `/startup` from READY on, and `/health` and `/live` always."""
    app = make_app()
    app.state.health.enter(state)

    async with unborn(app) as client:
        statuses = [(await client.get(path)).status_code for path in ("/health", "/live", "/ready", "/startup")]

    assert statuses == [200, 200, ready, startup]


@pytest.mark.parametrize("state", [ServiceState.STARTING, ServiceState.STOPPED])
async def test_no_work_outside_of_life(make_app: MakeApp, unborn: Callable[..., Any], state: ServiceState) -> None:
    """While a service starts or has stopped, every other path is a 503 problem that names the state."""
    app = make_app()
    app.get("/work")(lambda: "done")
    app.state.health.enter(state)

    async with unborn(app) as client:
        answer = await client.get("/work")

    assert (answer.status_code, answer.json()["code"]) == (503, f"SERVICE_{state.name}")
    assert answer.headers["retry-after"] == "1"


async def test_draining_closes_connections(make_app: MakeApp, unborn: Callable[..., Any]) -> None:
    """A draining service still does its work, and asks each client to leave the connection."""
    app = make_app()
    app.get("/work")(lambda: "done")
    app.state.health.enter(ServiceState.DRAINING)

    async with unborn(app) as client:
        answer = await client.get("/work")

    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_failing_critical_check(make_app: MakeApp, live: Live) -> None:
    """A failing critical check turns `/ready` to 503 and names itself; `/health` stays 200."""

    async def licence() -> bool:
        return False

    async with live(make_app(critical_checks={"licence": licence})) as client:
        ready, health = await client.get("/ready"), await client.get("/health")

    assert (ready.status_code, ready.json()["failing"]) == (503, ["licence"])
    assert health.status_code == 200


async def test_failing_uncritical_check(make_app: MakeApp, live: Live) -> None:
    """A failing check that nobody declared critical leaves `/ready` at 200 and shows as a warning in the details."""

    async def mirror() -> None:
        raise ConnectionError("away")

    app = make_app()
    app.state.health.add_check("mirror", mirror)
    async with live(app) as client:
        await _eventually(lambda: app.state.health.results()["mirror"][1])
        ready, details = await client.get("/ready"), await client.get("/health/details")

    assert ready.status_code == 200
    assert (details.status_code, details.json()["status"]) == (200, "warn")
    assert details.json()["checks"]["mirror"][0]["output"] == "ConnectionError: away"


async def test_critical_check_recovers(make_app: MakeApp, live: Live) -> None:
    """`/ready` follows a critical check down and up again."""
    state = {"is_fine": True}

    async def licence() -> bool:
        return state["is_fine"]

    app = make_app(critical_checks=["licence"])
    app.state.health.add_check("licence", licence, interval=0.02)
    seen = []
    async with live(app) as client:
        for state["is_fine"] in (True, False, True):
            await _eventually(lambda: app.state.health.is_ready() is state["is_fine"])
            seen.append((await client.get("/ready")).status_code)

    assert seen == [200, 503, 200]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_hanging_check_never_holds_a_probe(make_app: MakeApp, live: Live, kind: str) -> None:
    """While a critical check hangs, the service starts within a bound, `/ready` is 503 and no probe waits for it."""
    released = asyncio.Event()

    async def hang() -> None:
        await released.wait()

    def block() -> None:
        time.sleep(0.5)

    app = make_app(critical_checks=["slow"])
    app.state.health.add_check("slow", hang if kind == "async" else block, timeout=0.1)
    async with asyncio.timeout(5), live(app) as client:
        async with asyncio.timeout(1):
            statuses = [(await client.get(path)).status_code for path in PATHS for _ in range(5)]
        ready = (await client.get("/ready")).json()

    assert set(statuses) == {200, 503}
    assert ready["failing"] == ["slow"]


async def test_unknown_critical_check(make_app: MakeApp, live: Live) -> None:
    """A critical check that nobody registered stops the start, and the message lists the known ones."""
    app = make_app(critical_checks=["mongo"])

    with pytest.raises(ValueError, match=r"critical_checks names mongo, but the registered checks are"):
        async with live(app):
            pass


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ("development", 200),
        ("testing", 200),
        ("local", 200),
        ("staging", 404),
        ("production", 404),
        ("prod", 404),
        (..., 404),
    ],
)
async def test_details_are_for_developers(
    make_app: MakeApp, unborn: Callable[..., Any], environment: Any, status: int
) -> None:
    """`/health/details` exists only where the environment is explicitly development or testing."""
    app = make_app({"ENVIRONMENT": environment, "GATEWAY_TRUST": "network"})

    async with unborn(app) as client:
        answers = [await client.get(path) for path in ("/health/details", "/health/details/")]

    assert [answer.status_code for answer in answers] == [status, status]
    assert status == 200 or "checks" not in answers[0].text


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        pytest.param("*/*", "text/plain", "\n", id="text"),
        pytest.param("", "text/plain", "\n", id="nothing"),
        pytest.param("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", "# EOF\n", id="om"),
        pytest.param("garbage;;q=x", "text/plain", "\n", id="garbage"),
    ],
)
async def test_metrics_negotiation(make_app: MakeApp, live: Live, accept: str, content_type: str, end: str) -> None:
    """`/metrics` speaks OpenMetrics when the scraper asks for it, and Prometheus text otherwise."""
    async with live(make_app()) as client:
        answer = await client.get("/metrics", headers={"Accept": accept})

    assert answer.headers["content-type"].startswith(content_type)
    assert answer.text.endswith(end)
    assert 'mysingle_service_info{service_name="test-service",service_version="1.0.0"} 1.0' in answer.text


async def test_catch_all_does_not_hide_operations(make_app: MakeApp, live: Live) -> None:
    """A service's own catch-all route, or its own `/health`, never stands before an operation."""
    app = make_app()
    app.get("/health")(lambda: "mine")
    app.api_route("/{path:path}", methods=["GET", "HEAD"])(lambda path: path)

    async with live(app) as client:
        probes = [(await client.get(path)).headers["content-type"] for path in PROBES]
        caught = (await client.get("/elsewhere")).json()

    assert set(probes) == {"application/health+json"}
    assert caught == "elsewhere"


@pytest.mark.parametrize(
    ("switch", "gone", "there"),
    [
        ("enable_metrics", ("/metrics",), PROBES),
        ("enable_health_check", PROBES, ("/metrics",)),
    ],
)
async def test_switched_off(
    make_app: MakeApp, live: Live, switch: str, gone: tuple[str, ...], there: tuple[str, ...]
) -> None:
    """An operation that the configuration switches off is an unknown path, and leaves the document and the routes."""
    app = make_app(**{switch: False})

    async with live(app) as client:
        statuses = {path: (await client.get(path)).status_code for path in PATHS}

    assert {path for path, status in statuses.items() if status == 404} == set(gone)
    assert set(app.openapi()["paths"]) == set(there)


def test_operations_are_documented(make_app: MakeApp) -> None:
    """Operations stand in the API document and in `app.routes`, once, before the service's own."""
    app = make_app()
    router = APIRouter()
    router.get("/mine")(lambda: "mine")
    app.include_router(router)

    paths = [getattr(route, "path", "") for route in app.routes]

    assert set(PATHS) <= set(app.openapi()["paths"])
    assert all(paths.count(path) == 1 for path in PATHS)


async def test_below_a_root_path(make_app: MakeApp, unborn: Callable[..., Any]) -> None:
    """Behind a gateway that keeps its prefix, an app mounted there still answers its probes."""
    outer = FastAPI()
    outer.mount("/v1", make_app())

    async with unborn(outer) as client:
        answer = await client.get("/v1/health")

    assert (answer.status_code, json.loads(answer.text)["status"]) == (200, "pass")


async def _eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
