"""Exactly one span and one duration for every call, whatever its end."""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from typing import Any

import pytest

import grpc
from mysingle._kernel.rpc_metrics import client_metrics
from mysingle.testing import grpc_pair

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
ENDS = {
    "ok": ("OK", "OK"),
    "abort": ("FAILED_PRECONDITION", "FAILED_PRECONDITION"),
    "exception": ("INTERNAL", "INTERNAL"),
    "client cancel": ("CANCELLED", "CANCELLED"),
    "deadline": ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    "server stop": ("CANCELLED", "CANCELLED"),
    "abandoned": ("CANCELLED", "CANCELLED"),
}
"""End → what the server and the client report."""

WORDS = {"ok": "x", "abort": "abort", "exception": "raise"}


async def bring_about(end: str, kind: str, rpc: Any, client: Any, server: Any) -> None:
    options = {"timeout": 0.2} if end == "deadline" else {}
    call = rpc.start(kind, client, WORDS.get(end, "sleep:30"), **options)
    if end in ("ok", "abort", "exception", "deadline"):
        with contextlib.suppress(grpc.aio.AioRpcError):
            await rpc.finish(kind, call)
        return
    waiting = asyncio.ensure_future(rpc.finish(kind, call)) if end != "abandoned" else None
    while not rpc.market.calls:
        await asyncio.sleep(0.01)
    if end == "client cancel":
        call.cancel()
    elif end == "server stop":
        await server.stop(0.05)
    else:
        if kind == "unary_unary":
            call.cancel()  # a unary call nobody holds goes on, as with any stub
        del call
        gc.collect()
    if waiting is not None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            await waiting


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ENDS)
async def test_once(end: str, kind: str, rpc: Any, spans: Callable[[], list[Any]]) -> None:
    """Server and client each report one span and one duration, with the status of the end."""
    expected = ENDS[end]
    async with grpc_pair(rpc.register) as pair, rpc.Client(pair.host) as client:
        await bring_about(end, kind, rpc, client, pair.server)
        for _ in range(100):
            if len(spans()) >= 2 and not pair.server.running:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)
        metrics = pair.server.metrics
    found = {str(span.kind).removeprefix("SpanKind."): span.attributes["rpc.status_code"] for span in spans()}

    assert len(spans()) == 2
    assert found == {"SERVER": expected[0], "CLIENT": expected[1]}
    assert (metrics.count(), client_metrics().count()) == (1, 1)
    assert (metrics.active.total(), client_metrics().active.total()) == (0, 0)
    assert len({span.context.trace_id for span in spans()}) == 1
