"""The observe layer: one duration, one access line and one span for every call, whatever its end."""

import time
from typing import NamedTuple

from mysingle._kernel import context, logging
from mysingle._kernel.histogram import DurationSeries
from mysingle._kernel.log_record import AccessTemplate
from mysingle._kernel.rpc_metrics import RpcCount, RpcMetrics
from mysingle._kernel.tracing import start_span
from mysingle.grpc._around import ServerCall

__all__ = ["ObserveLayer"]

_MAX_OUTCOMES = 2_000
_OTHER = "_OTHER"
_SPAN = {"rpc.system.name": "grpc"}


class _Outcome(NamedTuple):
    duration: DurationSeries
    access: AccessTemplate


class ObserveLayer:
    """Measures the whole call inside of it."""

    def __init__(self, metrics: RpcMetrics, *, logs: bool, measures: bool) -> None:
        self._metrics = metrics
        self._logs, self._measures = logs, measures
        self._outcomes: dict[tuple[str, str, str, int], _Outcome] = {}
        self._active: dict[str, RpcCount] = {}

    def enter(self, call: ServerCall) -> None:
        """Begin to measure."""
        name = call.method.name
        active = self._active.get(name)
        if active is None:
            active = self._active[name] = self._metrics.active.labels(name)
        active.value += 1
        span = start_span(name, "server", call.context, _SPAN)
        if span is not None:
            call.span = span
            call.context = call.context._replace(traceparent=span.traceparent)
            context.enter(call.context)

    def leave(self, call: ServerCall, error: BaseException | None) -> None:
        """Report the call once."""
        self._active[call.method.name].value -= 1
        seconds = time.perf_counter() - call.started
        outcome = self._outcome(call.method.name, call.code, call.reason, call.previous_attempts)
        request = call.context
        if self._measures:
            outcome.duration.observe(seconds, context.sampled_trace(request.traceparent))
        if self._logs:
            logging.log_access(outcome.access, None, seconds, call.native.peer())
        if call.span is not None:
            ids = (("correlation.id", request.correlation_id), ("user.id", request.user_id))
            call.span.end(
                call.code, call.reason, {"rpc.method": call.method.name} | {key: value for key, value in ids if value}
            )

    def _outcome(self, *key: str | int) -> _Outcome:
        return self._outcomes.get(key) or self._new_outcome(*key)  # type: ignore[arg-type]  # the four of the key

    def _new_outcome(self, method: str, code: str, reason: str, attempts: int) -> _Outcome:
        reason = reason if len(self._outcomes) < _MAX_OUTCOMES else _OTHER
        access = AccessTemplate.of_call(method, code, reason, attempts)
        outcome = _Outcome(self._metrics.duration(method, code, reason), access)
        self._outcomes[method, code, reason, attempts] = outcome
        return outcome
