"""How calls to a target behave."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import translate
from mysingle._kernel.rpc_metrics import client_metrics
from mysingle.clients import ClientPolicy, PolicyError
from mysingle.clients._breaker import Breaker
from mysingle.core.config import CommonSettings
from mysingle.protos.notification.v1 import notification_pb2
from mysingle.testing import Faults, grpc_pair

SERVICE = "mysingle.market_data.v1.MarketDataService"
GET_BARS = f"{SERVICE}/GetBars"

WRONG = [
    ({"max_attempts": 6}, "max_attempts"),
    ({"max_attempts": 0}, "max_attempts"),
    ({"initial_backoff": 0}, "initial_backoff"),
    ({"initial_backoff": 2, "max_backoff": 1}, "initial_backoff"),
    ({"retry_tokens": 1001}, "retry_tokens"),
    ({"retry_token_ratio": 0}, "retry_token_ratio"),
    ({"ejection_threshold": 101}, "ejection_threshold"),
    ({"keepalive_time": 5}, "keepalive_time"),
    ({"max_reconnect_delay": 0}, "max_reconnect_delay"),
    ({"hedge_after": {GET_BARS: 0}}, "hedge_after"),
    ({"hedge_after": {"mysingle.notification.v1.NotificationService/Send": 1}}, "NO_SIDE_EFFECTS"),
]


@pytest.mark.parametrize(("values", "field"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_policy(values: dict[str, Any], field: str) -> None:
    """A policy that gRPC would refuse at the first call, or ignore, fails when it is made, by the field's name."""
    with pytest.raises(PolicyError, match=field):
        ClientPolicy(**values)


def test_keepalive_pair() -> None:
    """Settings by which servers would close the connections of their clients are refused."""
    settings = CommonSettings(_env_file=None, GRPC_KEEPALIVE_TIME_SECONDS=5)
    with pytest.raises(PolicyError, match="too_many_pings"):
        ClientPolicy.from_settings(settings)


async def test_back_after_an_outage(rpc: Any, tmp_path: Path) -> None:
    """A backend that comes back is found within the time of the policy, although gRPC waits longer and longer."""
    socket = f"unix:{tmp_path}/s"
    policy = ClientPolicy(max_reconnect_delay=0.1, breaker=False)
    async with rpc.Client(socket, policy=policy, timeout=0.5) as client:
        ends = time.monotonic() + 3.0
        while time.monotonic() < ends:
            with pytest.raises(grpc.aio.AioRpcError):
                await client.market.GetBars(rpc.bars("x"))
        async with grpc_pair(rpc.register, host=socket):
            answer = await client.market.GetBars(rpc.bars("x"), wait_for_ready=True, timeout=20)

    options = dict(ClientPolicy().channel_options(SERVICE))
    assert answer.symbol
    assert options["grpc.max_reconnect_backoff_ms"] == 2000
    own = ClientPolicy(options=(("grpc.max_reconnect_backoff_ms", 7),)).channel_options(SERVICE)
    assert [value for name, value in own if name == "grpc.max_reconnect_backoff_ms"] == [7]


def test_only_idempotent_methods_are_retried() -> None:
    """Retries are for the methods that their protos declare, and no timeout stands in the service config."""
    config = json.loads(ClientPolicy().service_config(SERVICE))
    orders = json.loads(ClientPolicy().service_config("mysingle.notification.v1.NotificationService"))
    names = {item["method"] for item in config["methodConfig"][1]["name"]}

    assert names == {"GetBars", "ListSymbols", "StreamBars"}
    assert len(orders["methodConfig"]) == 1
    assert "timeout" not in json.dumps(config)


async def test_retry(rpc: Any) -> None:
    """An idempotent method is tried again after UNAVAILABLE; the retries are counted."""
    faults = Faults(abort=grpc.StatusCode.UNAVAILABLE, times=2)
    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host) as client:
        await client.market.GetBars(rpc.bars("x"))

    assert len(rpc.market.calls) == 1
    assert client_metrics().retries.total() == 2
    assert client_metrics().count() == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED])
async def test_no_retry(code: grpc.StatusCode, rpc: Any) -> None:
    """Any other status is final."""
    faults = Faults(abort_after=code, times=1)
    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await client.market.GetBars(rpc.bars("x"))

    assert len(rpc.market.calls) == 1


async def test_exactly_once(rpc: Any) -> None:
    """A method that is not declared idempotent runs exactly once, although it ends with UNAVAILABLE each time."""
    faults = Faults(abort_after=grpc.StatusCode.UNAVAILABLE)
    policy = ClientPolicy(breaker=False, ejection=False)
    number = 10_000

    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host, policy=policy) as client:

        async def some(count: int) -> int:
            failed = 0
            for _ in range(count):
                try:
                    await client.notifications.Send(notification_pb2.SendRequest(template="x"))
                except grpc.aio.AioRpcError:
                    failed += 1
            return failed

        failed = sum(await asyncio.gather(*(some(number // 20) for _ in range(20))))

    assert (failed, len(rpc.market.calls)) == (number, number)


async def test_retry_budget(rpc: Any) -> None:
    """In a total outage the retries stop: few attempts more than calls."""
    number = 600
    faults = Faults(abort_after=grpc.StatusCode.UNAVAILABLE)
    policy = ClientPolicy(breaker=False, ejection=False, initial_backoff=0.01, max_backoff=0.02)
    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host, policy=policy) as client:
        for _ in range(number // 20):
            calls = (client.market.GetBars(rpc.bars("x")) for _ in range(20))
            await asyncio.gather(*(rpc.finish("unary_unary", call) for call in calls), return_exceptions=True)

    assert len(rpc.market.calls) / number <= 1.1


async def test_hedging(rpc: Any) -> None:
    """A slow attempt is overtaken by a second one, and cancelled."""
    faults = Faults(delay_seconds=5, times=1)
    policy = ClientPolicy(hedge_after={GET_BARS: 0.05})
    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host, policy=policy) as client:
        started = time.monotonic()
        await client.market.GetBars(rpc.bars("x"))
        seconds = time.monotonic() - started
        faults.times, faults.delay_seconds = 0, 0
        await client.market.GetBars(rpc.bars("x"))

    assert seconds < 4
    assert client_metrics().hedges.total() == 1
    assert client_metrics().count() == 2


async def test_hedged_error(rpc: Any) -> None:
    """An error of a hedged call is an error, with its details."""
    policy = ClientPolicy(hedge_after={GET_BARS: 1.0})
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host, policy=policy) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("none"))
    told = translate(caught.value)

    assert told is not None
    assert told.reason == "SYMBOL_NOT_FOUND"


def test_breaker() -> None:
    """The more calls fail, the more are refused; successes open it again; few calls are never judged."""
    breaker = Breaker()
    for _ in range(5):
        breaker.record("UNAVAILABLE")
    assert breaker.probability == 0
    for _ in range(200):
        breaker.record("UNAVAILABLE")
    assert breaker.probability > 0.9
    assert sum(breaker.allows() for _ in range(500)) < 200
    for _ in range(2000):
        breaker.record("NOT_FOUND")
    assert breaker.probability == 0


async def test_breaker_refuses(rpc: Any) -> None:
    """A call that the breaker refuses ends like a call, costs no network, and is counted apart."""
    faults = Faults(abort=grpc.StatusCode.UNAVAILABLE, method="Send")
    reasons = []
    async with grpc_pair(rpc.register, faults=faults) as pair, rpc.Client(pair.host) as client:
        for _ in range(150):
            try:
                await client.notifications.Send(notification_pb2.SendRequest())
            except grpc.aio.AioRpcError as error:
                told = translate(error)
                assert told is not None
                reasons.append(told.reason)

    assert len(reasons) == 150
    assert reasons.count("BREAKER_OPEN") == client_metrics().rejected.total() > 50
