"""Synchronous handlers: they run in threads, with the context of their call, and see a synchronous context object."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NoReturn

import grpc

__all__ = ["HandlerThreads", "SyncAbortError", "SyncContext"]

_END = object()


class SyncAbortError(Exception):
    """A synchronous handler ended its call by `context.abort`."""

    def __init__(self, code: Any, details: str, trailers: Sequence[tuple[str, str | bytes]]) -> None:
        super().__init__(details)
        self.code, self.details, self.trailers = code, details, trailers


class SyncContext:
    """What a synchronous handler gets as `context`; everything that it does not define is the native object's."""

    def __init__(self, native: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._native, self._loop = native, loop
        self._is_over = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """End the call."""
        raise SyncAbortError(code, details, tuple(trailing_metadata))

    def abort_with_status(self, status: Any) -> NoReturn:
        """End the call."""
        raise SyncAbortError(status.code, status.details, tuple(status.trailing_metadata or ()))

    def is_active(self) -> bool:
        """Tell whether anybody still waits."""
        return not (self._is_over or self._native.cancelled() or self._native.done())

    def end(self) -> None:
        """Note that the call was cancelled, or that its time is over; the native object does not tell."""
        self._is_over = True

    def send_initial_metadata(self, metadata: Any) -> None:
        """Send the metadata that come before the first message."""
        self._wait(self._native.send_initial_metadata(metadata))

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def requests(self, iterator: AsyncIterator[Any]) -> Iterator[Any]:
        """
        Return the requests of a stream as a synchronous iterator.

        Raises:
            grpc.RpcError: the call was cancelled, so that the requests are not all there are.
        """

        async def following() -> Any:
            async for request in iterator:
                return request
            return _END

        while (request := self._wait(following())) is not _END:
            yield request
        if not self.is_active():
            raise grpc.RpcError("the call was cancelled before its requests had ended")


class HandlerThreads:
    """The threads of synchronous handlers; made when the first one runs."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in a thread, in the context of now; its `abort` ends the call."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="grpc-handler")
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, function, *arguments)

    async def unary(self, function: Callable[..., Any], request: Any, native: Any) -> Any:
        """Run a handler that returns one response."""
        context = SyncContext(native, asyncio.get_running_loop())
        request = context.requests(request) if hasattr(request, "__aiter__") else request
        try:
            return await self.run(function, request, context)
        except SyncAbortError as error:
            return await _abort(native, error)
        except asyncio.CancelledError:
            context.end()
            raise

    async def stream(self, function: Callable[..., Any], request: Any, native: Any) -> AsyncIterator[Any]:
        """Run a handler that returns an iterator, one message at a time."""
        context = SyncContext(native, asyncio.get_running_loop())
        request = context.requests(request) if hasattr(request, "__aiter__") else request
        try:
            responses = iter(await self.run(function, request, context))
            while (response := await self.run(next, responses, _END)) is not _END:
                yield response
        except SyncAbortError as error:
            await _abort(native, error)
        except asyncio.CancelledError:
            context.end()
            raise

    def close(self) -> None:
        """Let the threads end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


async def _abort(native: Any, error: SyncAbortError) -> NoReturn:
    await native.abort(error.code, error.details, (*native.trailing_metadata(), *error.trailers))
    raise grpc.aio.AbortError
