"""The chapter of the demo in which services call each other over gRPC."""

import asyncio
import secrets
import signal
import time
from collections import Counter

from examples.demo.chapters import MOMENTUM, NOWHERE, Person
from examples.demo.tour import Tour
from examples.demo.world import World

from mysingle.clients import BaseGrpcClient, get_pool
from mysingle.core.logging import setup_logging

CALLS = 40
LOG_SECONDS = 3.0


def use_market_data(tour: Tour, world: World, alice: Person) -> None:
    """One id through three processes, a killed instance, a frozen one, and one that leaves in peace."""
    body = MOMENTUM | {"symbol": "SPX"}
    created = tour.call("Alice follows the S&P 500", world.front, "POST", "/strategies", alice.headers, body, 201)
    path = f"/strategies/{created.body.get('id', NOWHERE)}/closes?limit=250"
    _trace(tour, world, alice, path)
    _kill_one(tour, world, alice, path)
    _freeze_the_other(tour, world, alice, path)
    _drain(tour, world)


def _trace(tour: Tour, world: World, alice: Person, path: str) -> None:
    correlation_id, trace_id = f"demo-{secrets.token_hex(6)}", secrets.token_hex(16)
    ids = {"Correlation-Id": correlation_id, "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    said = {"headers": alice.headers | ids, "note": lambda answer: f"{len(answer.body)} closes"}
    tour.call("she asks for the closes", world.front, "GET", path, **said)
    places = _places(world, correlation_id, trace_id)
    tour.check("one correlation id and one trace", " -> ".join(places), is_expected=len(places) == 2)


def _places(world: World, correlation_id: str, trace_id: str) -> list[str]:
    """Return the services whose logs have both ids, caller first; the logs are written a moment later."""
    deadline, found = time.monotonic() + LOG_SECONDS, set[str]()
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        for service in (world.strategies, *world.market_data):
            if any(record.get("trace_id") == trace_id for record in service.logged("correlation_id", correlation_id)):
                found.add(service.name)
    return sorted(found, key=lambda name: name != world.strategies.name)


def _kill_one(tour: Tour, world: World, alice: Person, path: str) -> None:
    statuses: Counter[int] = Counter()
    for number in range(CALLS):
        if number == CALLS // 4:
            world.market_data[0].send(signal.SIGKILL)
        statuses[world.front.call("GET", path, alice.headers).status] += 1
    said = f"{statuses[200]} of {CALLS} calls answered: they are tried again at the other instance"
    tour.check("one instance is killed meanwhile", said, is_expected=statuses == {200: CALLS})


def _freeze_the_other(tour: Tour, world: World, alice: Person, path: str) -> None:
    other = world.market_data[1]
    other.send(signal.SIGSTOP)
    cut = {"headers": alice.headers, "expect": 504, "code": "DEADLINE_EXCEEDED"}
    tour.call("the other one hangs: cut after 1 s", world.front, "GET", path, **cut)
    other.send(signal.SIGCONT)
    tour.call("it goes on", world.front, "GET", path, alice.headers)


def _drain(tour: Tour, world: World) -> None:
    other, port = world.market_data[1], world.market_data_ports[1]
    setup_logging("demo", "WARNING")
    before = asyncio.run(_is_serving(port))
    other.send(signal.SIGTERM)
    time.sleep(0.3)
    after = asyncio.run(_is_serving(port))
    other.wait()
    said = f"gRPC health: {_named(before)}, then {_named(after)}, then it is gone"
    tour.check("it is told to stop", said, is_expected=(before, after) == (True, False))


def _named(is_serving: bool) -> str:
    return "SERVING" if is_serving else "NOT_SERVING"


async def _is_serving(port: int) -> bool:
    async with BaseGrpcClient("market-data-service", 50051, host=f"127.0.0.1:{port}") as client:  # noqa: MS303 for nobody
        answer = await client.check_health()
    await get_pool().close()
    return bool(answer)
