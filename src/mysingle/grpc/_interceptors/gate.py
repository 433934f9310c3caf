"""The gate: no work before the server is ready, none beyond what it can hold, none while the loop is late."""

import asyncio

from mysingle._kernel.errors import MySingleError, ResourceExhaustedError, UnavailableError
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle._kernel.rpc_metrics import RpcMetrics
from mysingle.grpc._around import ServerCall

__all__ = ["GateLayer", "LoopLag"]

_CLOSED = frozenset({ServiceState.STARTING, ServiceState.STOPPED})
_PUSHBACK_SECONDS = 0.25


class LoopLag:
    """How late the event loop runs: a timer that looks at its own delay."""

    INTERVAL_SECONDS = 0.05

    def __init__(self) -> None:
        self.seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look, on the running loop."""
        loop = asyncio.get_running_loop()
        self._schedule(loop, loop.time() + self.INTERVAL_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._timer = loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self.seconds = max(now - due, self.seconds / 2)
        self._schedule(loop, now + self.INTERVAL_SECONDS)


class GateLayer:
    """Refuses before a call costs anything; a refusal says when to come back. Counts the calls inside of it."""

    def __init__(
        self, health: HealthRegistry, lag: LoopLag, metrics: RpcMetrics, *, max_calls: int, max_lag_seconds: float
    ) -> None:
        self._health, self._lag, self._metrics = health, lag, metrics
        self._max_calls, self._max_lag_seconds = max_calls, max_lag_seconds
        self.calls = 0

    def enter(self, call: ServerCall) -> None:
        """Let the call in, or refuse it."""
        self.calls += 1
        state = self._health.state
        if state in _CLOSED:
            raise self._refused(_closed(state))
        if self.calls > self._max_calls:
            message = "The server has as many calls as it takes."
            raise self._refused(
                ResourceExhaustedError(message, reason="TOO_MANY_CALLS", retry_after_seconds=_PUSHBACK_SECONDS)
            )
        if self._lag.seconds > self._max_lag_seconds:
            raise self._refused(
                UnavailableError(
                    "The server is overloaded.", reason="OVERLOADED", retry_after_seconds=_PUSHBACK_SECONDS
                )
            )

    def leave(self, call: ServerCall, error: BaseException | None) -> None:
        """Count it out."""
        self.calls -= 1

    def _refused(self, error: MySingleError) -> MySingleError:
        self._metrics.shed.labels(error.reason).inc()
        return error


def _closed(state: ServiceState) -> MySingleError:
    return UnavailableError(
        f"The service is {state.value}.", reason=f"SERVICE_{state.name}", retry_after_seconds=_PUSHBACK_SECONDS
    )
