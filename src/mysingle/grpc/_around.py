"""One async context manager around every call, whatever its kind: layers, entered in order, left in reverse."""

import time
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from mysingle._kernel.context import RequestContext
from mysingle.grpc._methods import Method

__all__ = ["Around", "Layer", "LeavingLayer", "ServerCall"]

_NOBODY = RequestContext()


class ServerCall:
    """
    One call as the layers see it.

    `code` and `reason` say how it ended once the errors layer has been left; until then `code` is OK.
    """

    __slots__ = (
        "code",
        "context",
        "has_duplicates",
        "metadata",
        "method",
        "native",
        "previous_attempts",
        "reason",
        "span",
        "started",
    )

    def __init__(self, method: Method, native: Any) -> None:
        self.method = method
        self.native = native
        self.started = time.perf_counter()
        pairs = native.invocation_metadata() or ()
        self.metadata: dict[str, Any] = dict(pairs)
        self.has_duplicates = len(self.metadata) != len(pairs)
        self.context = _NOBODY
        self.code = "OK"
        self.reason = ""
        self.previous_attempts = 0
        self.span: Any = None


@runtime_checkable
class Layer(Protocol):
    """One concern around a call. `enter` may raise to refuse the call; a coroutine is awaited."""

    def enter(self, call: ServerCall) -> Awaitable[None] | None:
        """Begin."""


@runtime_checkable
class LeavingLayer(Protocol):
    """A layer that also looks at how the call ended."""

    def leave(self, call: ServerCall, error: BaseException | None) -> Awaitable[None] | None:
        """End; what it raises goes on in place of the error."""


class Around:
    """The layers of one call, as `async with`."""

    __slots__ = ("_call", "_enter", "_leave")

    def __init__(self, call: ServerCall, enter: Sequence[Layer], leave: Sequence[LeavingLayer]) -> None:
        self._call, self._enter, self._leave = call, enter, leave

    async def __aenter__(self) -> ServerCall:
        call = self._call
        try:
            for layer in self._enter:
                pending = layer.enter(call)
                if pending is not None:
                    await pending
        except BaseException as error:
            await self._end(error)
            raise
        return call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """Leave every layer, also when one of them raises; the last one to raise wins."""
        raised: BaseException | None = None
        for layer in self._leave:
            try:
                pending = layer.leave(self._call, error)
                if pending is not None:
                    await pending
            except BaseException as failure:  # it is raised again below
                raised = failure
        if raised is not None:
            raise raised
