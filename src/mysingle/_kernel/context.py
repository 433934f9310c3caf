"""The context of one request: ids, caller, deadline. It follows the request through tasks and threads."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

from mysingle._kernel.identity import AuthenticatedUser

__all__ = ["RequestContext", "carry_context", "current_context", "use_context"]

P = ParamSpec("P")
R = TypeVar("R")


_ODD = frozenset("13579bdf")  # the last hex digit of the flags, when their lowest bit is set


class RequestContext(NamedTuple):
    """
    What travels with a request. Outside of a request every field is None.

    `correlation_id` names a business action over services, retries and jobs; `request_id` names this one request.
    `traceparent` is the W3C header as received. `deadline` is a `time.monotonic()` instant of this process.
    A named tuple, because one is made for every request, and a frozen dataclass takes three times as long.
    """

    correlation_id: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    user: AuthenticatedUser | None = None
    deadline: float | None = None

    @property
    def user_id(self) -> str | None:
        """The caller's id, or None when nobody is logged in."""
        return self.user.id if self.user else None

    @property
    def trace_id(self) -> str | None:
        """The 32 hex digits of the trace, or None without a valid `traceparent`."""
        return self.traceparent[3:35] if self.traceparent else None

    @property
    def parent_span_id(self) -> str | None:
        """The 16 hex digits of the caller's span, or None without a valid `traceparent`."""
        return self.traceparent[36:52] if self.traceparent else None

    @property
    def is_sampled(self) -> bool:
        """Whether the caller records this trace."""
        return self.traceparent is not None and self.traceparent[54] in _ODD

    def seconds_left(self) -> float | None:
        """Return the time until the deadline, at least 0.0; None when there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def with_user(context: RequestContext, user: AuthenticatedUser | None) -> RequestContext:
    """Return the context with its caller known."""
    return RequestContext(*context[:4], user, context.deadline)


def without_deadline(context: RequestContext) -> RequestContext:
    """Return the context of what may go on: a stream, or a background task."""
    return RequestContext(*context[:5])


def sampled_trace(traceparent: str | None) -> str | None:
    """Return the trace id of a valid `traceparent`, when its trace is recorded."""
    return traceparent[3:35] if traceparent is not None and traceparent[54] in _ODD else None


_EMPTY = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("mysingle.context", default=_EMPTY)

enter = _current.set
leave = _current.reset


def current_context() -> RequestContext:
    """Return the context of the running request; an empty one outside of a request."""
    return _current.get()


@contextmanager
def use_context(context: RequestContext) -> Iterator[RequestContext]:
    """Run a block inside `context`, and put the former one back afterwards."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def carry_context(function: Callable[P, R]) -> Callable[P, R]:
    """
    Wrap a function so that it sees the context of *now* wherever it runs later.

    Tasks, `asyncio.to_thread` and FastAPI's sync handlers carry the context by themselves;
    a bare `threading.Thread` or `loop.run_in_executor` does not: `executor.submit(carry_context(work), item)`.
    """
    captured = _current.get()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def inside() -> R:
            _current.set(captured)
            return function(*args, **kwargs)

        return copy_context().run(inside)

    return run
