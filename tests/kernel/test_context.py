import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mysingle._kernel.context import RequestContext, carry_context, current_context, use_context, with_user
from mysingle._kernel.identity import AuthenticatedUser

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONTEXT = RequestContext(correlation_id="c-1", request_id="r-1", traceparent=TRACEPARENT)
USER = AuthenticatedUser(id="0" * 24, roles=frozenset({"trader"}))


def test_empty_outside_of_a_request() -> None:
    """Outside of a request there is a context whose fields are all None."""
    context = current_context()

    assert context == RequestContext()
    assert {None} == set(context)
    assert (
        context.user_id,
        context.trace_id,
        context.parent_span_id,
        context.is_sampled,
        context.seconds_left(),
    ) == (None, None, None, False, None)


@pytest.mark.parametrize(("value", "name"), [(CONTEXT, "request_id"), (USER, "id")], ids=["context", "user"])
def test_frozen(value: object, name: str) -> None:
    """A context and a caller are values that nobody changes, and that carry nothing else."""
    with pytest.raises(AttributeError, match=r"can't set|cannot assign"):
        setattr(value, name, "x")
    assert not hasattr(value, "__dict__")


def test_use_context_restores() -> None:
    """A block runs inside of its context, and the former one is back afterwards, also after an error."""
    with use_context(CONTEXT), pytest.raises(ValueError, match="inner"):  # noqa: PT012, SIM117
        with use_context(RequestContext(correlation_id="c-2")) as inner:
            assert inner is current_context()
            raise ValueError("inner")

    assert current_context() == RequestContext()


def test_trace_fields() -> None:
    """The parts of `traceparent` are readable by name."""
    unsampled = RequestContext(traceparent=TRACEPARENT[:-2] + "02")

    assert CONTEXT.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert CONTEXT.parent_span_id == "b7ad6b7169203331"
    assert (CONTEXT.is_sampled, unsampled.is_sampled) == (True, False)


def test_with_user_keeps_every_field() -> None:
    """Knowing the caller changes nothing else, whatever fields the context has."""
    full = RequestContext._make(RequestContext._fields)

    assert full._replace(user=USER) == with_user(full, USER)
    assert with_user(CONTEXT, USER).user_id == USER.id


def test_deadline() -> None:
    """The time left is measured on this process's clock, and never below zero."""
    assert RequestContext(deadline=time.monotonic() - 5).seconds_left() == 0.0
    assert 50 < (RequestContext(deadline=time.monotonic() + 60).seconds_left() or 0) <= 60


def test_roles() -> None:
    """A caller holds a role when one of those asked for is among the caller's."""
    assert USER.has_role("admin", "trader")
    assert not USER.has_role("admin")
    assert not USER.has_role()


async def test_follows_tasks_and_threads() -> None:
    """The context follows a request into tasks, task groups and `to_thread`."""

    async def read() -> RequestContext:
        await asyncio.sleep(0)
        return current_context()

    with use_context(CONTEXT):
        task = asyncio.create_task(read())
        gathered = await asyncio.gather(read(), asyncio.to_thread(current_context))

    assert list(gathered) == [CONTEXT, CONTEXT]
    assert await task is CONTEXT


async def test_never_leaks_between_tasks() -> None:
    """A thousand requests at once each see their own context, at every step."""

    async def request(number: int) -> set[str | None]:
        seen = set()
        with use_context(RequestContext(correlation_id=str(number))):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.add(current_context().correlation_id)
            seen.add(await asyncio.create_task(child()))
        return seen

    async def child() -> str | None:
        await asyncio.sleep(0)
        return current_context().correlation_id

    seen = await asyncio.gather(*(request(number) for number in range(1000)))

    assert [{str(number)} for number in range(1000)] == seen
    assert current_context() == RequestContext()


def test_carry_context_in_bare_thread() -> None:
    """A carried function sees the context of the moment in which it was wrapped."""
    seen = []
    with use_context(CONTEXT):
        carried = carry_context(lambda *args, **kwargs: seen.append((current_context(), args, kwargs)))
    thread = threading.Thread(target=carried, args=(1,), kwargs={"b": 2})
    thread.start()
    thread.join()

    assert seen == [(CONTEXT, (1,), {"b": 2})]


def test_carry_context_in_executor_leaves_no_trace() -> None:
    """A worker thread forgets the context when the carried function ends, even with an error."""

    def fail() -> None:
        raise LookupError(current_context().correlation_id)

    with ThreadPoolExecutor(1) as executor:
        with use_context(CONTEXT):
            outcome = executor.submit(carry_context(fail))
            inside = executor.submit(carry_context(current_context))
        after = executor.submit(current_context)

        with pytest.raises(LookupError, match="c-1"):
            outcome.result()
        assert inside.result() is CONTEXT
        assert after.result() == RequestContext()


def test_carry_context_looks_like_the_function() -> None:
    """A carried function keeps its name, may run many times, and keeps the caller's context as it is."""

    def work(number: int) -> tuple[int, str | None]:
        return number, current_context().correlation_id

    with use_context(CONTEXT):
        carried = carry_context(work)
    with use_context(RequestContext(correlation_id="other")):
        results = [carried(number) for number in range(2)]

        assert current_context().correlation_id == "other"
    assert carried.__name__ == "work"
    assert results == [(0, "c-1"), (1, "c-1")]
