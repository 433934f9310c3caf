import re
from typing import Any

import pytest
from httpx import AsyncClient

from mysingle.clients import get_pool
from mysingle.core.context import current_context
from mysingle.core.errors import NotFoundError
from mysingle.database import get_redis_client, reset_redis_manager
from mysingle.dsl import DSLError
from mysingle.embedded import EmbeddedRedis
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.testing import grpc_pair

SOURCE = """fast = param.int(20, min=2, max=100)
slow = param.int(100, min=10, max=400)
result = EMA(close, fast) > SMA(close, slow)
"""
MOMENTUM = {
    "name": "Momentum",
    "symbol": "SPY",
    "interval": "1d",
    "source": SOURCE,
    "parameters": {"fast": 20, "slow": 100},
}
NOWHERE = "/strategies/000000000000000000000000"


async def _create(client: AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/strategies", json=MOMENTUM | changes)
    assert answer.status_code == 201
    created: dict[str, Any] = answer.json()
    return created


async def test_create(alice: AsyncClient) -> None:
    """A new strategy belongs to its creator and begins as a draft."""
    created = await _create(alice)

    assert created.items() >= (MOMENTUM | {"status": "draft", "user_id": alice.headers["X-User-Id"]}).items()
    assert created["created_at"] == created["updated_at"]


async def test_list_pages(alice: AsyncClient, bob: AsyncClient) -> None:
    """A list shows the caller's strategies only, oldest first, page by page until there is no cursor."""
    names = [(await _create(alice, name=f"Number {number}"))["name"] for number in range(5)]
    await _create(bob)
    found, cursor = [], None
    while not found or cursor:
        page = (await alice.get("/strategies", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        found += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert found == names


async def test_read_is_cached(alice: AsyncClient) -> None:
    """Reading leaves the strategy in Redis database 8 under `strategy:{user}:{id}`, for ten minutes at most."""
    created = await _create(alice)
    first = (await alice.get(f"/strategies/{created['id']}")).json()
    redis = await get_redis_client(db=8)
    key = f"strategy:{created['user_id']}:{created['id']}"

    assert first == created
    assert [name for name in await redis.keys("*") if name.startswith("strategy:")] == [key]
    assert 0 < await redis.ttl(key) <= 600


class Bars(market_data_pb2_grpc.MarketDataServiceServicer):
    """Knows two bars of SPY, and who asked."""

    def __init__(self) -> None:
        self.callers: list[str | None] = []

    async def GetBars(self, request: Any, context: Any) -> Any:
        self.callers.append(current_context().user_id)
        if request.symbol != "SPY":
            raise NotFoundError("There is no such symbol", reason="SYMBOL_NOT_FOUND")
        return market_data_pb2.GetBarsResponse(bars=[market_data_pb2.Bar(close=value) for value in (510.0, 512.3)])


async def test_closes(alice: AsyncClient, bob: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices come from the market data service, asked in the name of the user; what it refuses, the caller hears."""
    bars = Bars()
    spy, none = await _create(alice), await _create(alice, symbol="NONE")
    async with grpc_pair(
        lambda server: market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(bars, server)
    ) as pair:
        monkeypatch.setenv("MARKET_DATA_SERVICE_GRPC_HOST", pair.host)
        answers = [
            await client.get(f"/strategies/{item['id']}/closes")
            for client, item in ((alice, spy), (alice, none), (bob, spy))
        ]
        await get_pool().close()

    assert (answers[0].status_code, answers[0].json()) == (200, [510.0, 512.3])
    assert [(answer.status_code, answer.json()["code"]) for answer in answers[1:]] == [
        (404, "SYMBOL_NOT_FOUND"),
        (404, "NOT_FOUND"),
    ]
    assert bars.callers == [alice.headers["X-User-Id"]] * 2


async def test_update_is_seen_at_once(alice: AsyncClient) -> None:
    """A change is what the next read shows, although the strategy was cached."""
    created = await _create(alice)
    path = f"/strategies/{created['id']}"
    await alice.get(path)
    updated = (await alice.put(path, json=MOMENTUM | {"name": "Slow"})).json()
    read = (await alice.get(path)).json()

    assert read["name"] == updated["name"] == "Slow"
    assert read["created_at"] == created["created_at"]
    assert read["updated_at"] >= created["updated_at"]


async def test_start(alice: AsyncClient) -> None:
    """The internal route starts a strategy, and the next read shows it."""
    path = f"/strategies/{(await _create(alice))['id']}"
    await alice.get(path)
    started = await alice.post(f"{path}/start")

    assert started.json()["status"] == "running"
    assert (await alice.get(path)).json()["status"] == "running"


async def test_delete(alice: AsyncClient) -> None:
    """A deleted strategy is gone, from the cache too."""
    path = f"/strategies/{(await _create(alice))['id']}"
    await alice.get(path)
    deleted = await alice.delete(path)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await alice.get(path)).status_code == 404
    assert (await alice.delete(path)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "START"])
@pytest.mark.parametrize("cached", [False, True])
async def test_foreign_strategies_do_not_exist(alice: AsyncClient, bob: AsyncClient, method: str, cached: bool) -> None:
    """Another user's strategy is a 404 like one that never was, also while it is cached, and stays unchanged."""
    created = await _create(alice)
    path = f"/strategies/{created['id']}"
    if cached:
        await alice.get(path)
    verb, suffix = ("POST", "/start") if method == "START" else (method, "")
    body = MOMENTUM | {"name": "Mine now"} if method == "PUT" else None
    foreign = await bob.request(verb, f"{path}{suffix}", json=body)
    absent = await bob.request(verb, f"{NOWHERE}{suffix}", json=body)

    assert (foreign.status_code, foreign.json()["code"]) == (absent.status_code, absent.json()["code"])
    assert foreign.status_code == 404
    assert (await alice.get(path)).json() == created


@pytest.mark.parametrize(("method", "path"), [("GET", "/strategies"), ("POST", "/strategies"), ("GET", NOWHERE)])
async def test_nobody_is_refused(nobody: AsyncClient, method: str, path: str) -> None:
    """Without a login every route is a 401 problem."""
    answer = await nobody.request(method, path, json=MOMENTUM if method == "POST" else None)

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "body.name"),
        ({"symbol": "???"}, "body.symbol"),
        ({"interval": "3m"}, "body.interval"),
        ({"parameters": {"fast": "quick"}}, "body.parameters.fast"),
        ({"parameters": {"a\0b": 1}}, "body.parameters.a\0b.[key]"),
        ({"user_id": "b0b000000000000000000002"}, "body.user_id"),
        ({"status": "running"}, "body.status"),
        ({"source": ""}, "body.source"),
        ({"source": "#" * 32_769}, "body.source"),
    ],
)
async def test_invalid_bodies(alice: AsyncClient, changes: dict[str, Any], field: str) -> None:
    """A body that is not right is a 422 problem that names the field; owner and status cannot be sent."""
    answer = await alice.post("/strategies", json=MOMENTUM | changes)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("query", "status"), [("limit=0", 422), ("limit=101", 422), ("limit=x", 422), ("cursor=zzz", 400)]
)
async def test_invalid_queries(alice: AsyncClient, query: str, status: int) -> None:
    """A page size that is none is a 422 problem, a cursor that this list did not give a 400."""
    assert (await alice.get(f"/strategies?{query}")).status_code == status


@pytest.mark.parametrize("strategy_id", ["x", "0" * 23, "0" * 25, "%00", "..%2f..", "💥"])
async def test_ids_that_are_none(alice: AsyncClient, strategy_id: str) -> None:
    """An id that cannot be one is a 404, never a 500."""
    assert (await alice.get(f"/strategies/{strategy_id}")).status_code == 404


async def test_operations(nobody: AsyncClient) -> None:
    """The platform finds its three operations without a login."""
    assert [(await nobody.get(path)).status_code for path in ("/health", "/ready", "/metrics")] == [200, 200, 200]


@pytest.mark.parametrize(
    ("source", "code", "places"),
    [
        ("x = EMA(close, windw=3)\nresult = clos > x", "DSL_002", [("DSL-002", 1, 16), ("DSL-002", 2, 10)]),
        ("x = 1\nresult = close.shift(-1) > close", "DSL_010", [("DSL-010", 2, 22)]),
        ("import os\nresult = close > open", "DSL_003", [("DSL-003", 1, 1)]),
        ("result = SMA(close, 1000000000) > close", "DSL_005", [("DSL-005", 1, 21)]),
    ],
)
async def test_sources_that_are_refused(alice: AsyncClient, source: str, code: str, places: list[object]) -> None:
    """A source that does not compile is a 422 problem with every finding at its place, and nothing is stored."""
    answers = [await alice.post("/strategies", json=MOMENTUM | {"source": source})]
    created = await _create(alice)
    answers.append(await alice.put(f"/strategies/{created['id']}", json=MOMENTUM | {"source": source}))

    for answer in answers:
        found = [(item["code"], item["line"], item["column"]) for item in answer.json()["diagnostics"]]
        assert (answer.status_code, answer.json()["code"], found) == (422, code, places)
    assert [item["source"] for item in (await alice.get("/strategies")).json()["items"]] == [SOURCE]


async def test_programs_are_cached(alice: AsyncClient) -> None:
    """A saved strategy leaves its program in Redis database 4, by its id and by its source, as long as agreed."""
    created = await _create(alice, source="result = close > 1234.5")
    redis = await get_redis_client(db=4)
    keys = sorted(await redis.keys("*"))
    lives = [await redis.ttl(key) for key in keys]

    assert keys == [f"dsl:bytecode:{created['id']}", keys[1]]
    assert re.fullmatch("dsl:warmed:[0-9a-f]{64}", keys[1])
    assert 3500 < lives[0] <= 3600
    assert 86_300 < lives[1] <= 86_400
    await alice.delete(f"/strategies/{created['id']}")
    assert await redis.keys("*") == keys[1:]


async def test_a_refusal_is_kept_for_a_minute(alice: AsyncClient) -> None:
    """A source that does not compile leaves what was found, signed and without a program; the lock is given back."""
    refused = MOMENTUM | {"source": "result = clos > 77"}
    answers = [await alice.post("/strategies", json=refused) for _ in range(2)]
    redis = await get_redis_client(db=4)
    (key,) = [name for name in await redis.keys("*") if not name.startswith("dsl:warmed:")]

    assert answers[0].json()["diagnostics"] == answers[1].json()["diagnostics"]
    assert re.fullmatch("dsl:neg:[0-9a-f]{64}", key)
    assert 50 < await redis.ttl(key) <= 60


async def test_keys_of_the_allocation(alice: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs, refusals and locks keep to the allocation where it is strict."""
    from app import programs, routes

    from mysingle.core.config import get_settings, set_settings

    before = get_settings()
    set_settings(before.model_copy(update={"REDIS_POLICY": "strict"}))
    try:
        monkeypatch.setattr(routes, "programs", programs.Programs())
        for source, status in (("result = close > 4321", 201), ("result = clos > 4321", 422)):
            assert (await alice.post("/strategies", json=MOMENTUM | {"source": source})).status_code == status
    finally:
        set_settings(before)


async def test_programs_without_redis() -> None:
    """While Redis is away sources are compiled and refused as ever, and nothing waits for a lock."""
    from app import programs

    from mysingle.core.config import get_settings, set_settings

    before = get_settings()
    with EmbeddedRedis() as gone:
        port = gone.port
    set_settings(before.model_copy(update={"REDIS_PORT": port}))
    reset_redis_manager()
    try:
        away = programs.Programs()
        compiled = [await away.compile(SOURCE), await away.load("1", SOURCE), await away.compile(SOURCE)]
        with pytest.raises(DSLError):
            await away.compile("result = clos > 1")
        await away.forget("1")
    finally:
        set_settings(before)
        reset_redis_manager()
    assert len({program.hash for program in compiled}) == 1


@pytest.mark.parametrize("planted", [b"", b"MSB1MSLB", b"MSB1\x80\x04K\x01.", b"rubbish"])
async def test_what_somebody_else_wrote_is_not_run(
    alice: AsyncClient, planted: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does not verify is compiled again from the source, and replaced."""
    from app import programs, routes

    created = await _create(alice)
    key = f"dsl:bytecode:{created['id']}"
    redis = await get_redis_client(db=4)
    await redis.set(key, planted)
    monkeypatch.setattr(routes, "programs", programs.Programs())  # as in another process, which remembers nothing
    started = await alice.post(f"/strategies/{created['id']}/start")

    assert (started.status_code, started.json()["warm_up"]) == (200, 99)
    assert await redis.strlen(key) > 100


async def test_a_program_of_another_strategy_is_not_run(alice: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two valid programs cannot be swapped: the source of the strategy decides."""
    from app import programs, routes

    first = await _create(alice)
    second = await _create(alice, source="result = close > close[5]")
    redis = await get_redis_client(db=4)
    await redis.copy(f"dsl:bytecode:{second['id']}", f"dsl:bytecode:{first['id']}", replace=True)
    monkeypatch.setattr(routes, "programs", programs.Programs())

    assert (await alice.post(f"/strategies/{first['id']}/start")).json()["warm_up"] == 99
    assert (await alice.post(f"/strategies/{second['id']}/start")).json()["warm_up"] == 5
