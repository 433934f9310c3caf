"""A gRPC server and its clients in one process, joined by a Unix socket; and faults between them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from mysingle.grpc import BaseGrpcServer, GrpcServerConfig, Trust

__all__ = ["Faults", "GrpcPair", "grpc_pair"]

Register = Callable[[Any], Any]


@dataclass(slots=True, kw_only=True)
class Faults:
    """
    What goes wrong, for every method, or for those whose name ends in `method`. Change it while the server runs.

    Args:
        delay_seconds: wait before the handler.
        abort: a status to answer instead of running the handler.
        abort_after: a status to answer although the handler has run.
        drop_after: a stream breaks off after so many messages.
        times: how many calls it befalls; None for all of them.
    """

    method: str = ""
    delay_seconds: float = 0.0
    abort: grpc.StatusCode | None = None
    abort_after: grpc.StatusCode | None = None
    drop_after: int | None = None
    times: int | None = None

    def befalls(self, path: str) -> bool:
        """Tell whether a call is hit, and count it."""
        if not path.endswith(self.method) or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcPair:
    """A running server, and the `host` that clients of it take."""

    server: BaseGrpcServer
    host: str
    faults: Faults


class _TestServer(BaseGrpcServer):
    def __init__(self, config: GrpcServerConfig, register: Register) -> None:
        super().__init__(config)
        self._register_all = register

    async def register_servicers(self, server: Any) -> None:
        """Register what the test gave."""
        pending = self._register_all(server)
        if pending is not None:
            await pending


@asynccontextmanager
async def grpc_pair(
    register: Register, *, service_name: str = "test-service", faults: Faults | None = None, **overrides: Any
) -> AsyncIterator[GrpcPair]:
    """
    Run a server for a test: everything is on, and user ids are believed.

    Args:
        register: gets the server, as `register_servicers` does.
        service_name: the name that clients sign for.
        faults: what goes wrong; nothing, until the test changes it.
        overrides: any field of `GrpcServerConfig`.
    """
    chosen = faults or Faults()
    with tempfile.TemporaryDirectory(prefix="rpc") as folder:
        path = Path(folder, "s")
        values: dict[str, Any] = {
            "host": f"unix:{path}",
            "trust": Trust.RELAXED,
            "shutdown_grace_seconds": 1.0,
            "max_loop_lag_seconds": 60.0,
        }
        interceptors = (*overrides.pop("interceptors", ()), _FaultInterceptor(chosen))
        config = GrpcServerConfig(service_name=service_name, interceptors=interceptors, **(values | overrides))
        async with _TestServer(config, register) as server:
            host = config.host if config.host.startswith("unix:") else f"{config.host}:{server.port}"
            yield GrpcPair(server=server, host=host, faults=chosen)


class _FaultInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # the library has no types
    """Stands outside of the server's own layers, as a broken network would."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Return the handler, or one that fails."""
        handler = await continuation(details)
        faults = self._faults
        is_idle = not (faults.delay_seconds or faults.abort or faults.abort_after or faults.drop_after is not None)
        if handler is None or is_idle or "grpc.health" in details.method or not faults.befalls(details.method):
            return handler
        return _broken(handler, faults)


def _broken(handler: Any, faults: Faults) -> Any:
    kind = f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
    inner = getattr(handler, kind)

    async def run(request: Any, context: Any) -> Any:
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        if faults.abort is not None:
            await context.abort(faults.abort, "injected")
        result = await inner(request, _Dropping(context, faults.drop_after))
        if faults.abort_after is not None:
            await context.abort(faults.abort_after, "injected after the handler")
        return result

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(run, handler.request_deserializer, handler.response_serializer)


class _Dropping:
    """The context of a call whose stream breaks off."""

    def __init__(self, context: Any, limit: int | None) -> None:
        self._context, self._left = context, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send, until the limit is reached."""
        if self._left is not None:
            if self._left == 0:
                await self._context.abort(grpc.StatusCode.UNAVAILABLE, "injected: the stream broke off")
            self._left -= 1
        await self._context.write(message)
