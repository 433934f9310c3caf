"""Spans through the OpenTelemetry API: nothing at all happens while no provider is configured."""

from collections.abc import Mapping
from typing import Literal, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from mysingle._kernel.context import RequestContext

__all__ = ["CallSpan", "start_span"]

_KINDS: Mapping[str, SpanKind] = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class CallSpan(Protocol):
    """The span of one call."""

    traceparent: str

    def end(self, code: str, error_type: str, attributes: Mapping[str, str | int] | None = None) -> None:
        """End it, with the call's status."""


class _Span:
    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        ids = span.get_span_context()
        self.traceparent = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{int(ids.trace_flags):02x}"

    def end(self, code: str, error_type: str, attributes: Mapping[str, str | int] | None = None) -> None:
        span = self._span
        span.set_attribute("rpc.status_code", code)
        if error_type:
            span.set_attribute("error.type", error_type)
            span.set_status(Status(StatusCode.ERROR))
        for key, value in (attributes or {}).items():
            span.set_attribute(key, value)
        span.end()


def start_span(
    name: str,
    kind: Literal["server", "client"],
    request: RequestContext,
    attributes: Mapping[str, str],
) -> CallSpan | None:
    """
    Start the span of a call; None while no provider is configured.

    A server's span has the caller's as parent and becomes the current one of its task. A client's span has the
    current one as parent, and without one the span that the request came from.
    """
    provider = trace._TRACER_PROVIDER  # noqa: SLF001  # the public function reads the environment at each call
    if provider is None:
        return None
    parent = None
    if kind == "server" or not trace.get_current_span().get_span_context().is_valid:
        parent = _parent(request)
    span = provider.get_tracer("mysingle").start_span(name, parent, _KINDS[kind], dict(attributes))
    if kind == "server":
        otel_context.attach(trace.set_span_in_context(span))
    return _Span(span)


def _parent(request: RequestContext) -> otel_context.Context | None:
    if request.traceparent is None:
        return None
    trace_id, span_id = request.trace_id or "", request.parent_span_id or ""
    flags = TraceFlags(int(request.traceparent[53:55], 16))
    state = TraceState.from_header([request.tracestate]) if request.tracestate else None
    ids = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags, trace_state=state)
    return trace.set_span_in_context(NonRecordingSpan(ids))
