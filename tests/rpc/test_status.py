"""Errors over the wire."""

from typing import Any

import pytest

import grpc
from mysingle._kernel.errors import ErrorCode, FieldViolation, MySingleError, translate
from mysingle._kernel.problems import HTTP_STATUS, to_problem
from mysingle.grpc import error_of_status, status_code, to_status
from mysingle.protos.market_data.v1 import market_data_pb2, market_data_pb2_grpc
from mysingle.testing import grpc_pair

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
INTERNAL = {ErrorCode.INTERNAL, ErrorCode.UNKNOWN, ErrorCode.DATA_LOSS}


def test_codes_are_total() -> None:
    """Every code has one status, and every status but OK one code."""
    assert {status_code(code) for code in ErrorCode} == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.value)
def test_round_trip(code: ErrorCode) -> None:
    """Code, reason, message, violations, delay and HTTP status survive; the inside of an INTERNAL does not leave."""
    violations = (FieldViolation(field="range.start_time", message="must be before the end", code="order"),)
    error = MySingleError(
        "Say it.", code=code, reason="SOME_REASON", violations=violations, retry_after_seconds=1.25, status=422
    )
    wire = to_status(error, "a-service", "c-1")
    told = error_of_status(wire.code, wire.message, wire.trailers)

    assert told.code is code
    if code in INTERNAL:
        assert "Say it" not in repr(wire)
        assert "SOME_REASON" not in repr(wire)
        assert told.reason == code.value
    else:
        assert (told.reason, told.message, told.violations) == ("SOME_REASON", "Say it.", violations)
        assert (told.retry_after_seconds, told.status) == (1.25, 422)


def test_trailers_are_bounded() -> None:
    """However much is wrong, the trailers stay below the limit of 8 KB."""
    violations = tuple(FieldViolation(field="f" * 500, message="m" * 500) for _ in range(500))
    wire = to_status(
        MySingleError("x" * 10_000, code=ErrorCode.INVALID_ARGUMENT, violations=violations), "s", "c" * 128
    )

    assert len(wire.message) + sum(len(key) + len(value) for key, value in wire.trailers) < 6 * 1024


@pytest.mark.parametrize(
    "trailers", [(), (("grpc-status-details-bin", b"\xff\xff"),), (("grpc-status-details-bin", b""),)]
)
def test_foreign_status(trailers: Any) -> None:
    """A server of somebody else is understood; what the transport says of addresses is not shown."""
    told = error_of_status(grpc.StatusCode.NOT_FOUND, "no such bar", trailers)
    transport = error_of_status(grpc.StatusCode.UNAVAILABLE, "failed to connect to ipv4:10.0.0.7:50051", trailers)

    assert (told.code, told.reason, told.message) == (ErrorCode.NOT_FOUND, "NOT_FOUND", "no such bar")
    assert "10.0.0.7" not in transport.message
    assert "10.0.0.7" in transport.details["rpc_message"]


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.value)
@pytest.mark.parametrize("kind", KINDS)
async def test_chain(kind: str, code: ErrorCode, rpc: Any) -> None:
    """Over two hops and all kinds of call the first error arrives: code, reason and HTTP answer."""
    async with grpc_pair(rpc.register) as last:

        class Middle(market_data_pb2_grpc.MarketDataServiceServicer):
            async def GetBars(self, request: Any, context: Any) -> Any:
                async with rpc.Client(last.host) as client:
                    await rpc.finish(kind, rpc.start(kind, client, request.symbol))
                return market_data_pb2.GetBarsResponse()

        def register(server: Any) -> None:
            market_data_pb2_grpc.add_MarketDataServiceServicer_to_server(Middle(), server)

        async with grpc_pair(register) as first, rpc.Client(first.host) as client:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.market.GetBars(rpc.bars(f"error:{code.value}"))
    told = translate(caught.value)
    assert told is not None

    assert caught.value.code() is status_code(code)
    assert told.code is code
    assert to_problem(told).status == HTTP_STATUS[code]
    assert to_problem(told).code == (code.value if code in INTERNAL else "TOLD")


async def test_exception_leaks_nothing(rpc: Any) -> None:
    """Of an exception that nobody expected the caller hears nothing."""
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.market.GetBars(rpc.bars("raise"))

    assert "inside" not in repr(caught.value)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
