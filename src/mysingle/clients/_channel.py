"""The channel that a stub sees: every call gets metadata, a deadline, telemetry, and a policy."""

import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mysingle._kernel.call_identity import CallSigner, audience
from mysingle._kernel.context import RequestContext, current_context, sampled_trace
from mysingle._kernel.errors import ErrorCode, InvalidArgumentError, MySingleError, UnavailableError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.propagation import (
    HEADER_TRACEPARENT,
    HEADER_TRACESTATE,
    METADATA_AUTHORIZATION,
    METADATA_PREVIOUS_ATTEMPTS,
    METADATA_SIGNED_USER,
)
from mysingle._kernel.rpc_metrics import client_metrics
from mysingle._kernel.tracing import CallSpan, start_span
from mysingle.clients._hedging import HedgeBudget, HedgedCall
from mysingle.clients._policy import ClientPolicy
from mysingle.clients._pool import Endpoint, MethodState, PooledChannel, get_pool
from mysingle.clients._refused import RefusedCall
from mysingle.clients._streams import Requests, StreamingCall

__all__ = ["CallSettings", "ServiceChannel", "clean_timeout"]

_NAME = re.compile(r"[a-z0-9_.-]+")
_LONGEST_SECONDS = 86_400.0 * 365  # far beyond, gRPC takes a deadline for one that has passed

Metadata = tuple[tuple[str, str | bytes], ...]


class CallSettings(NamedTuple):
    """What every call of one client object has in common."""

    service_name: str
    timeout: float
    reserve: float
    minimum: float
    metadata: Metadata
    user: AuthenticatedUser | None
    signer: CallSigner | None


class ServiceChannel:
    """
    What `Stub(channel)` needs: the four factories. Everything else is the pooled channel's.

    Cheap to make: the channel behind it is looked for at the first call.
    """

    def __init__(self, endpoint: Endpoint, policy: Callable[[], ClientPolicy], settings: CallSettings) -> None:
        self.endpoint, self.settings = endpoint, settings
        self._policy = policy

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        """Return the callable for a method with one request and one response."""
        return _Unary(self, "unary_unary", method, request_serializer, response_deserializer)

    def unary_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        """Return the callable for a method that answers with a stream."""
        return _Streaming(self, "unary_stream", method, request_serializer, response_deserializer)

    def stream_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        """Return the callable for a method that takes a stream."""
        return _Streaming(self, "stream_unary", method, request_serializer, response_deserializer)

    def stream_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        """Return the callable for a method with streams both ways."""
        return _Streaming(self, "stream_stream", method, request_serializer, response_deserializer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pooled("").native, name)

    def pooled(self, service: str) -> PooledChannel:
        """Return the channel behind it, for one service."""
        return get_pool().channel(self.endpoint, self._policy, service)

    def metadata(self, path: str, request: RequestContext, span: CallSpan | None, explicit: Metadata) -> Metadata:
        """Return the metadata of one call; keys that the caller gives replace ours, and none is there twice."""
        settings = self.settings
        pairs = list(settings.metadata)
        traceparent = request.traceparent if span is None else span.traceparent
        if traceparent is not None:
            pairs.append((HEADER_TRACEPARENT, traceparent))
            if request.tracestate:
                pairs.append((HEADER_TRACESTATE, request.tracestate))
        if settings.signer is not None:
            callee = audience(settings.service_name)
            pairs.append((METADATA_AUTHORIZATION, f"Bearer {settings.signer.token(callee)}"))
            if settings.user is not None:
                pairs.append((METADATA_SIGNED_USER, settings.signer.user(callee, path, settings.user)))
        return _merged(pairs, explicit) if explicit else tuple(pairs)


def _checked(explicit: Any) -> Metadata:
    """Return what the caller gives, with names in lower case; refuse what HTTP/2 does not carry."""
    try:
        given = tuple((str(key).lower(), value) for key, value in explicit)
    except (TypeError, ValueError) as error:
        message = "metadata are pairs of a name and a value"
        raise InvalidArgumentError(message, reason="METADATA_INVALID") from error
    for key, value in given:
        is_text = isinstance(value, str) and value.isascii() and value.isprintable()
        if not _NAME.fullmatch(key) or not (isinstance(value, bytes) if key.endswith("-bin") else is_text):
            raise InvalidArgumentError(
                f"metadata {key[:64]!r} cannot be sent: use ASCII text", reason="METADATA_INVALID"
            )
    return given


def _merged(pairs: Sequence[tuple[str, str | bytes]], given: Metadata) -> Metadata:
    names = {key for key, _ in given}
    return (*(pair for pair in pairs if pair[0] not in names), *given)


def clean_timeout(seconds: Any) -> float:
    """
    Return a time limit that gRPC can keep: a year at most.

    Raises:
        InvalidArgumentError: what is no number.
    """
    if not isinstance(seconds, int | float) or math.isnan(seconds):
        raise InvalidArgumentError(f"timeout={seconds!r} is no number of seconds", reason="TIMEOUT_INVALID")
    return min(seconds, _LONGEST_SECONDS)


class _Multicallable:
    """One method of a stub."""

    __slots__ = ("_channel", "_deserializer", "_kind", "_path", "_serializer", "_service")

    def __init__(self, channel: ServiceChannel, kind: str, path: str, serializer: Any, deserializer: Any) -> None:
        self._channel, self._kind, self._path = channel, kind, path
        self._serializer, self._deserializer = serializer, deserializer
        self._service = path[1:].partition("/")[0]

    def _call(self, request: Any, timeout: float | None, metadata: Any, options: dict[str, Any]) -> Any:
        """Make the call, or refuse it: context, deadline, observe, breaker, native call."""
        channel, settings = self._channel, self._channel.settings
        explicit = _checked(metadata) if metadata else ()
        pooled = channel.pooled(self._service)
        state = pooled.method(self._kind, self._path, self._deserializer)
        context = current_context()
        wanted = settings.timeout if timeout is None else clean_timeout(timeout)
        if context.deadline is not None:
            wanted = min(wanted, context.deadline - time.monotonic() - settings.reserve)
        span = start_span(state.name, "client", context, state.span_attributes)
        observation = _Observation(state, pooled, span, context)
        if wanted < settings.minimum:
            client_metrics().exhausted.labels(state.name).inc()
            return observation.refuse(_exhausted(), settings.service_name)
        if pooled.breaker is not None and not pooled.breaker.allows():
            client_metrics().rejected.labels(pooled.target).inc()
            client_metrics().breaker.labels(pooled.target).set(pooled.breaker.probability)
            return observation.refuse(_rejected(), settings.service_name)
        pairs = channel.metadata(self._path, context, span, explicit)
        call = self._start(pooled, state, request, wanted, pairs, options)
        call.add_done_callback(observation)
        return call

    def _start(
        self,
        pooled: PooledChannel,
        state: MethodState,
        request: Any,
        timeout: float,
        metadata: Metadata,
        options: dict[str, Any],
    ) -> Any:
        return state.raw(request, timeout=timeout, metadata=metadata, **options)

    def _serialize(self, request: Any) -> bytes:
        """Return the bytes of a request; gRPC itself would send an empty message when it cannot be serialised."""
        try:
            data: bytes = request if self._serializer is None else self._serializer(request)
        except TypeError as error:
            raise TypeError(f"{self._path} takes a message, not a {type(request).__name__}") from error
        return data


class _Unary(_Multicallable):
    """A method with one request and one response."""

    __slots__ = ()

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        return self._call(self._serialize(request), timeout, metadata, options)

    def _start(
        self,
        pooled: PooledChannel,
        state: MethodState,
        request: Any,
        timeout: float,
        metadata: Metadata,
        options: dict[str, Any],
    ) -> Any:
        delay = pooled.policy.hedge_after.get(state.name)
        if delay is None:
            return state.raw(request, timeout=timeout, metadata=metadata, **options)
        ends = time.monotonic() + timeout

        def attempt() -> Any:
            return state.raw(request, timeout=max(0.0, ends - time.monotonic()), metadata=metadata, **options)

        count = client_metrics().hedges.labels(state.name, pooled.target)
        return HedgedCall(attempt, delay, HedgeBudget.of(pooled), count.inc)


class _Streaming(_Multicallable):
    """A method that streams, one way or both."""

    __slots__ = ()

    def __call__(
        self, request: Any = None, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> Any:
        if "request_iterator" in options:
            request = options.pop("request_iterator")
        requests = None
        if self._kind == "unary_stream":
            request = self._serialize(request)
        elif request is not None:
            request = requests = Requests(request, self._serialize)
        call = self._call(request, timeout, metadata, options)
        return call if isinstance(call, RefusedCall) else StreamingCall(call, self._serialize, requests)


class _Observation:
    """What is told of one call at its end, once."""

    __slots__ = ("_context", "_pooled", "_span", "_started", "_state")

    def __init__(
        self, state: MethodState, pooled: PooledChannel, span: CallSpan | None, context: RequestContext
    ) -> None:
        self._state, self._pooled, self._span, self._context = state, pooled, span, context
        state.active.value += 1
        self._started = time.perf_counter()

    def refuse(self, error: MySingleError, domain: str) -> RefusedCall:
        """End the call before it has begun."""
        self._end(error.code.value, error.reason)
        return RefusedCall(error, domain, self._context.correlation_id)

    def __call__(self, call: Any) -> None:
        """Report the call, which has ended."""
        status = _now(call.code())
        code = "UNKNOWN" if status is None else status.name
        if self._pooled.breaker is not None:
            self._pooled.breaker.record(code)
        if self._state.is_idempotent and time.perf_counter() - self._started >= self._pooled.shortest_retry:
            self._count_attempts(call)
        self._end(code, "" if code == "OK" else code)

    def _count_attempts(self, call: Any) -> None:
        trailers = _now(call.trailing_metadata())
        attempts = trailers.get(METADATA_PREVIOUS_ATTEMPTS) if trailers else None
        if attempts is not None and str(attempts).isdecimal():
            client_metrics().retries.labels(self._state.name, self._pooled.target).inc(int(attempts))

    def _end(self, code: str, reason: str) -> None:
        self._state.active.value -= 1
        span = self._span
        traceparent = self._context.traceparent if span is None else span.traceparent
        seconds = time.perf_counter() - self._started
        self._state.duration(code, reason).observe(seconds, sampled_trace(traceparent))
        if span is not None:
            span.end(code, reason)


def _now(coroutine: Any) -> Any:
    """Return what a coroutine of a call that has ended returns: it has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    finally:
        coroutine.close()
    return None


def _exhausted() -> MySingleError:
    return MySingleError(
        "Too little time is left to call another service.",
        code=ErrorCode.DEADLINE_EXCEEDED,
        reason="BUDGET_EXHAUSTED",
    )


def _rejected() -> MySingleError:
    return UnavailableError(
        "The service fails; it is given time to recover.", reason="BREAKER_OPEN", retry_after_seconds=1
    )
