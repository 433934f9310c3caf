"""Calls that stream: a thin stand-in, so that an abandoned call ends at once, and a broken one says why."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

__all__ = ["Requests", "StreamingCall"]

Serialize = Callable[[Any], bytes]


class Requests:
    """
    The requests of a stream, serialised one by one.

    It keeps what goes wrong: of an iterator that raises, and of a request that cannot be sent, gRPC itself would
    tell nothing but that the call was cancelled, or would send an empty message.
    """

    __slots__ = ("_requests", "_serialize", "failure")

    def __init__(self, requests: Any, serialize: Serialize) -> None:
        if not hasattr(requests, "__aiter__") and not hasattr(requests, "__iter__"):
            raise TypeError(f"the requests of a stream come from an iterator, not from a {type(requests).__name__}")
        self._requests, self._serialize = requests, serialize
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        requests, serialize = self._requests, self._serialize
        try:
            if hasattr(requests, "__aiter__"):
                async for request in requests:
                    yield serialize(request)
            else:
                for request in requests:
                    yield serialize(request)
        except Exception as error:
            self.failure = error
            raise


class StreamingCall:
    """
    The native call, and its end when nobody refers to it.

    Without it an abandoned stream stays open until its deadline: gRPC's own tasks refer to each other.
    """

    __slots__ = ("__weakref__", "_loop", "_requests", "_serialize", "native")

    def __init__(self, native: Any, serialize: Serialize, requests: Requests | None) -> None:
        self.native = native
        self._serialize, self._requests = serialize, requests
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        kind = _Responses if self._requests is None else _ExplainedResponses
        return kind(self, self.native.__aiter__())

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self.native.__await__())  # a generator of ours, because it keeps this object alive
        except asyncio.CancelledError:
            self.explain()
            raise

    async def read(self) -> Any:
        """Return the next response, or `grpc.aio.EOF`."""
        try:
            return await self.native.read()
        except asyncio.CancelledError:
            self.explain()
            raise

    async def write(self, request: Any) -> None:
        """Send a request."""
        await self.native.write(self._serialize(request))

    def explain(self) -> None:
        """Raise what was wrong with the requests, when that and nobody else has cancelled the call."""
        failure = None if self._requests is None else self._requests.failure
        task = asyncio.current_task()
        if failure is not None and (task is None or not task.cancelling()):
            raise failure

    def __del__(self) -> None:
        native = self.native
        if not native.done() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(native.cancel)


class _Responses:
    """The iterator over a call's responses; it keeps the call alive."""

    __slots__ = ("_call", "_next")

    def __init__(self, call: StreamingCall, native: Any) -> None:
        self._call = call
        self._next = native.__anext__

    def __aiter__(self) -> "_Responses":
        return self

    def __anext__(self) -> Any:
        return self._next()


class _ExplainedResponses(_Responses):
    """The same, when requests are streamed too and may fail."""

    __slots__ = ()

    async def __anext__(self) -> Any:
        try:
            return await self._next()
        except asyncio.CancelledError:
            self._call.explain()
            raise
