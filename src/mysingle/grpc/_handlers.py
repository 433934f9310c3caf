"""Handlers of all four kinds inside of the layers; and whoever registers them sees an ordinary server."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import grpc
from mysingle._kernel.errors import ErrorCode, InvalidArgumentError, MySingleError
from mysingle.grpc._around import Around, Layer, LeavingLayer, ServerCall
from mysingle.grpc._interceptors.idempotency import UnaryHandler
from mysingle.grpc._methods import Method, method_idempotency
from mysingle.grpc._threads import HandlerThreads

__all__ = ["UNKNOWN_METHOD", "Listing", "Registrar", "WrapUnary", "Wrapper"]

WrapUnary = Callable[[Method, Callable[..., Any], UnaryHandler], UnaryHandler]
Handle = Callable[[Any, Any], Any]
UNKNOWN_METHOD = "_OTHER"
_LAST_WORD_SECONDS = 0.002


def _as_it_is(request: Any) -> Any:
    return request


class Wrapper:
    """
    Puts layers around handlers; requests are read, and single responses written, inside of them.

    Args:
        layers: outermost first.
        wraps: what stands between the layers and a unary handler, outermost first.
        threads: where synchronous handlers run.
    """

    def __init__(self, layers: Sequence[Any], wraps: Sequence[WrapUnary], threads: HandlerThreads) -> None:
        self._enter: tuple[Layer, ...] = tuple(layers)
        self._leave: tuple[LeavingLayer, ...] = tuple(
            layer for layer in reversed(layers) if isinstance(layer, LeavingLayer)
        )
        self._wraps = tuple(wraps)
        self._threads = threads

    def wrap(self, path: str, handler: Any) -> Any:
        """Return the handler of a method with the layers around it."""
        method = Method(
            name=path.lstrip("/"),
            request_streaming=handler.request_streaming,
            response_streaming=handler.response_streaming,
            idempotency=method_idempotency(path),
        )
        if method.is_unary:
            return grpc.unary_unary_rpc_method_handler(self._unary_unary(method, handler))
        parse = partial(_parsed, handler.request_deserializer)
        if not method.response_streaming:
            return grpc.stream_unary_rpc_method_handler(self._stream_unary(method, handler), parse)
        if method.request_streaming:
            streaming = self._streaming(method, handler.stream_stream, _to_their_end)
            return grpc.stream_stream_rpc_method_handler(streaming, parse, handler.response_serializer)
        streaming = self._streaming(method, handler.unary_stream, parse)
        return grpc.unary_stream_rpc_method_handler(streaming, None, handler.response_serializer)

    def unknown(self) -> Any:
        """Return the handler of every method that there is not."""

        async def refuse(_: Any, native: Any) -> None:
            raise MySingleError("There is no such method.", code=ErrorCode.UNIMPLEMENTED)

        method = Method(name=UNKNOWN_METHOD, request_streaming=True, response_streaming=True)
        return grpc.stream_stream_rpc_method_handler(self._streaming(method, refuse))

    def _around(self, method: Method, native: Any) -> Around:
        return Around(ServerCall(method, native), self._enter, self._leave)

    def _unary_unary(self, method: Method, handler: Any) -> Handle:
        behavior = handler.unary_unary
        parse, serialize = handler.request_deserializer, handler.response_serializer
        run = behavior if _is_async(behavior) else self._in_thread(behavior)

        async def innermost(call: ServerCall, request: bytes) -> bytes:
            response = await run(_parsed(parse, request), call.native)
            data: bytes = response if serialize is None else serialize(response)
            return data

        chain: UnaryHandler = innermost
        for wrap in reversed(self._wraps):
            chain = wrap(method, behavior, chain)

        async def handle(request: bytes, native: Any) -> bytes:
            async with self._around(method, native) as call:
                return await chain(call, request)

        return handle

    def _stream_unary(self, method: Method, handler: Any) -> Handle:
        behavior, serialize = handler.stream_unary, handler.response_serializer
        run = behavior if _is_async(behavior) else self._in_thread(behavior)

        async def handle(requests: Any, native: Any) -> Any:
            async with self._around(method, native):
                response = await run(_to_their_end(requests), native)
                return response if serialize is None else serialize(response)

        return handle

    def _streaming(
        self, method: Method, behavior: Callable[..., Any], parse: Callable[[Any], Any] = _as_it_is
    ) -> Handle:
        """Wrap a handler whose responses stream; `parse` is for its request, or for all of them."""
        if inspect.iscoroutinefunction(behavior):
            return self._writing(method, behavior, parse)
        if inspect.isasyncgenfunction(behavior) or _is_async(behavior):
            return self._yielding(method, behavior, parse)

        def in_threads(request: Any, native: Any) -> AsyncIterator[Any]:
            return self._threads.stream(behavior, request, native)

        return self._yielding(method, in_threads, parse)

    def _writing(self, method: Method, behavior: Callable[..., Any], parse: Callable[[Any], Any]) -> Handle:
        """Wrap a handler that calls `context.write` itself."""

        async def handle(request: Any, native: Any) -> None:
            async with self._around(method, native):
                await behavior(parse(request), native)

        return handle

    def _yielding(self, method: Method, behavior: Callable[..., Any], parse: Callable[[Any], Any]) -> Handle:
        """Wrap a handler that yields; its end is awaited here, so that its `finally` runs inside of the layers."""

        async def handle(request: Any, native: Any) -> None:
            write = native.write
            async with self._around(method, native):
                responses = behavior(parse(request), native)
                try:
                    async for response in responses:
                        await write(response)
                finally:
                    close = getattr(responses, "aclose", None)
                    if close is not None:
                        await close()

        return handle

    def _in_thread(self, behavior: Callable[..., Any]) -> Handle:
        async def run(request: Any, native: Any) -> Any:
            return await self._threads.unary(behavior, request, native)

        return run


def _is_async(behavior: Callable[..., Any]) -> bool:
    call = getattr(behavior, "__call__", None)  # noqa: B004  # the method of an object that is called
    return any(inspect.iscoroutinefunction(item) or inspect.isasyncgenfunction(item) for item in (behavior, call))


def _parsed(parse: Callable[[bytes], Any] | None, request: bytes) -> Any:
    if parse is None:
        return request
    try:
        return parse(request)
    except Exception as error:  # whatever a parser raises, the bytes are what is wrong
        raise InvalidArgumentError("The request cannot be read.", reason="REQUEST_UNREADABLE") from error


async def _to_their_end(requests: Any) -> AsyncIterator[Any]:
    """
    Yield the requests of a stream.

    To gRPC the requests of a call that was cancelled end like those of a whole one, a moment before the cancellation
    arrives; a handler that does not wait for it would take half of a batch for all of it.
    """
    async for request in requests:
        yield request
    await asyncio.sleep(_LAST_WORD_SECONDS)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # the library has no types
    """A generic handler whose methods have the layers around them."""

    def __init__(self, inner: Any, wrapper: Wrapper) -> None:
        self._inner, self._wrapper = inner, wrapper
        self._wrapped: dict[str, Any] = {}

    def service(self, details: Any) -> Any:
        """Return the handler of a method; None when it is somebody else's."""
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = self._inner.service(details)
            if handler is None:
                return None
            wrapped = self._wrapped[details.method] = self._wrapper.wrap(details.method, handler)
        return wrapped


class _Rest(grpc.GenericRpcHandler):  # type: ignore[misc]  # the library has no types
    """Takes the calls of methods that nobody has."""

    def __init__(self, wrapper: Wrapper) -> None:
        self._handler = wrapper.unknown()

    def service(self, details: Any) -> Any:
        """Return the refusal."""
        return self._handler


class Registrar:
    """The server as servicers see it: `add_XServicer_to_server(servicer, registrar)`."""

    def __init__(self, server: Any, wrapper: Wrapper) -> None:
        self._server, self._wrapper = server, wrapper
        self.services: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Take handlers, with the layers around them."""
        self._server.add_generic_rpc_handlers(tuple(_Handlers(handler, self._wrapper) for handler in handlers))

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        """Take the handlers of a service, with the layers around them."""
        self.services.append(service_name)
        wrapped = {
            name: self._wrapper.wrap(f"/{service_name}/{name}", handler) for name, handler in method_handlers.items()
        }
        self._server.add_registered_method_handlers(service_name, wrapped)

    def close(self) -> None:
        """Answer what nobody has taken."""
        self._server.add_generic_rpc_handlers((_Rest(self._wrapper),))


class Listing:
    """Stands where a server would, and only writes down what servicers bring."""

    def __init__(self) -> None:
        self.methods: list[Method] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Take handlers that name no methods, and forget them; generated code names its methods as well."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        """Take the methods of a service."""
        for name, handler in method_handlers.items():
            self.methods.append(
                Method(
                    name=f"{service_name}/{name}",
                    request_streaming=handler.request_streaming,
                    response_streaming=handler.response_streaming,
                )
            )
