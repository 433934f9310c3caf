"""Calls that stream: a thin stand-in, so that a call which nobody holds any more ends at once."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

__all__ = ["StreamingCall"]


class StreamingCall:
    """
    The native call, and its end when nobody refers to it.

    Without it an abandoned stream stays open until its deadline: gRPC's own tasks refer to each other.
    """

    __slots__ = ("__weakref__", "_loop", "native")

    def __init__(self, native: Any) -> None:
        self.native = native
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Responses(self, self.native.__aiter__())

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self.native.__await__())  # a generator of ours, because it keeps this object alive

    async def read(self) -> Any:
        """Return the next response, or `grpc.aio.EOF`."""
        return await self.native.read()

    async def write(self, request: Any) -> None:
        """Send a request."""
        await self.native.write(request)

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
