"""Uvicorn's HTTP protocol, except that the head of a request has to arrive in time."""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Protocol
else:
    _Protocol = object

__all__ = ["with_bounded_head"]


class _BoundedHead(_Protocol):
    """
    Closes a connection on which no request begins, or whose head does not end.

    Uvicorn has a timer between requests only, so a client that sends half a head would hold its connection for ever.
    A head that comes whole costs one comparison.
    """

    head_seconds = 20.0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_watch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_busy():
            self._end_watch()
        elif self._head_timer is None:
            self._watch_head()

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _end_watch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if not self._is_busy():
            self.transport.abort()

    def _is_busy(self) -> bool:
        if self.transport.get_protocol() is not self:
            return True  # a WebSocket has taken the connection over
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's annotation says
        return cycle is not None and not cycle.response_complete


def with_bounded_head(protocol: type[Any], head_seconds: float) -> type[Any]:
    """Return uvicorn's protocol class, whichever it has chosen, with the time limit."""
    return type("BoundedHead", (_BoundedHead, protocol), {"head_seconds": head_seconds})
