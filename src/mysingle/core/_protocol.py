"""Uvicorn's HTTP protocol, except that it notices clients that fall silent, and clients that leave."""

import asyncio
from typing import TYPE_CHECKING, Any

from mysingle.core._middleware.deadlines import client_left

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Protocol
else:
    _Protocol = object

__all__ = ["with_bounded_silence"]


class _BoundedSilence(_Protocol):
    """
    Closes a connection on which no request begins, or whose head does not end, or whose answer nobody takes.

    Uvicorn has a timer between requests only, so a client that sends half a head, or that never reads, would hold
    its connection and the bytes meant for it for ever. A request that comes whole and whose answer fits into the
    socket costs one comparison. When a client leaves before its answer has begun, what runs for it is told.
    """

    silence_seconds = 20.0
    _head_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None
    _untaken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_watch()
        self._end_reading_watch()
        super().connection_lost(exc)
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            client_left(cycle.scope)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_busy():
            self._end_watch()
        elif self._head_timer is None:
            self._watch_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        self._end_reading_watch()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()  # closing waits until the client has taken what is left
        self._watch_reading()

    def shutdown(self) -> None:
        super().shutdown()
        self._watch_reading()

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(self.silence_seconds, self._give_up)

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

    def _watch_reading(self) -> None:
        if self._reading_timer is None:
            self._untaken = self.transport.get_write_buffer_size()
            if self._untaken:
                self._reading_timer = self.loop.call_later(self.silence_seconds, self._look_whether_it_reads)

    def _end_reading_watch(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    def _look_whether_it_reads(self) -> None:
        """End the connection when not one byte was taken since the last look."""
        self._reading_timer = None
        if self.transport.get_write_buffer_size() >= self._untaken > 0:
            self.transport.abort()
        else:
            self._watch_reading()


def with_bounded_silence(protocol: type[Any], silence_seconds: float) -> type[Any]:
    """Return uvicorn's protocol class, whichever it has chosen, with the time limits."""
    return type("BoundedSilence", (_BoundedSilence, protocol), {"silence_seconds": silence_seconds})
