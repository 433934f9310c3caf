import asyncio
import contextlib

import pytest

from mysingle._kernel.lifecycle import Resource, ResourceStack, hold_shared_resources, share, shared_resources


class FakeResource:
    """Writes down its life; fails or hangs where it is told to."""

    def __init__(self, name: str, diary: list[str], *, fails: str = "", hangs: str = "") -> None:
        self.name, self._diary, self._fails, self._hangs = name, diary, fails, hangs

    async def open(self) -> None:
        await self._do("open")

    async def close(self) -> None:
        await self._do("close")

    async def ping(self) -> None:
        await self._do("ping")

    async def _do(self, step: str) -> None:
        self._diary.append(f"{step} {self.name}")
        if step == self._hangs:
            await asyncio.Event().wait()
        if step == self._fails:
            raise LookupError(f"{step} of {self.name}")


@pytest.fixture
def diary() -> list[str]:
    return []


def test_protocol(diary: list[str]) -> None:
    """Anything with a name and the three verbs is a resource."""
    assert isinstance(FakeResource("a", diary), Resource)
    assert not isinstance(object(), Resource)


async def test_closes_in_reverse_order(diary: list[str]) -> None:
    """What was opened last is closed first, and only once."""
    stack = ResourceStack(FakeResource(name, diary) for name in "abc")
    await stack.open()
    await stack.close()
    await stack.close()

    assert diary == ["open a", "open b", "open c", "close c", "close b", "close a"]


async def test_open_failure_closes_what_is_open(diary: list[str]) -> None:
    """When one does not open, it and those before it are closed, those behind it are not touched."""
    stack = ResourceStack([FakeResource("a", diary), FakeResource("b", diary, fails="open"), FakeResource("c", diary)])

    with pytest.raises(LookupError, match="open of b"):
        await stack.open()
    await stack.close()
    assert diary == ["open a", "open b", "close b", "close a"]


async def test_open_failure_notes_what_did_not_close(diary: list[str]) -> None:
    """An error while closing does not hide the error of opening: it becomes a note on it."""
    stack = ResourceStack([FakeResource("a", diary, fails="close"), FakeResource("b", diary, fails="open")])

    with pytest.raises(LookupError, match="open of b") as caught:
        await stack.open()
    assert any("close of a" in note for note in caught.value.__notes__)


async def test_all_close_errors_together(diary: list[str]) -> None:
    """Every resource is closed, and all errors are raised in one group that names the resources."""
    stack = ResourceStack(FakeResource(name, diary, fails="close" if name != "b" else "") for name in "abc")
    await stack.open()

    with pytest.raises(ExceptionGroup, match="did not close cleanly") as caught:
        await stack.close()
    assert diary[3:] == ["close c", "close b", "close a"]
    assert [error.__notes__ for error in caught.value.exceptions] == [["resource: c"], ["resource: a"]]


async def test_hanging_close_is_bounded(diary: list[str]) -> None:
    """A close that hangs is given up, and the others are closed."""
    stack = ResourceStack([FakeResource("a", diary), FakeResource("b", diary, hangs="close")], 0.02)
    await stack.open()

    with pytest.raises(ExceptionGroup, match="did not close") as caught:
        await stack.close()
    assert diary[2:] == ["close b", "close a"]
    assert isinstance(caught.value.exceptions[0], TimeoutError)


async def test_cancelled_open_closes(diary: list[str]) -> None:
    """A start-up that is cancelled closes what it had opened, and stays cancelled."""
    stack = ResourceStack([FakeResource("a", diary), FakeResource("b", diary, hangs="open")])
    task = asyncio.create_task(stack.open())
    while len(diary) < 2:
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):  # it has no message
        await task
    assert diary == ["open a", "open b", "close b", "close a"]


async def test_close_that_was_cancelled_inside(diary: list[str]) -> None:
    """A resource whose close ends in the cancellation of its own worker does not keep the others open."""

    class Worker(FakeResource):
        async def close(self) -> None:
            await super().close()
            worker = asyncio.create_task(asyncio.sleep(60))
            worker.cancel()
            await worker

    stack = ResourceStack([FakeResource("a", diary), Worker("b", diary)])
    await stack.open()

    with contextlib.suppress(ExceptionGroup, asyncio.CancelledError):
        await stack.close()
    assert diary[2:] == ["close b", "close a"]


async def test_opens_again(diary: list[str]) -> None:
    """A stack that is closed may be opened again."""
    stack = ResourceStack([FakeResource("a", diary)])
    for _ in range(2):
        await stack.open()
        await stack.close()

    assert diary == ["open a", "close a"] * 2


async def test_last_holder_closes_the_shared(diary: list[str]) -> None:
    """Shared resources live as long as one app holds them, and are closed in reverse order."""
    async with hold_shared_resources():
        share(FakeResource("a", diary))
        async with hold_shared_resources():
            share(FakeResource("b", diary))
        assert diary == []

    assert diary == ["close b", "close a"]


async def test_shared_name_is_replaced(diary: list[str]) -> None:
    """Sharing a name again replaces the former resource."""
    share(FakeResource("a", diary))
    newer = FakeResource("a", diary)
    share(newer)

    assert [newer] == [resource for resource in shared_resources() if resource.name == "a"]


async def test_holder_that_fails_still_leaves(diary: list[str]) -> None:
    """An app that ends with an error does not keep the shared resources open."""
    share(FakeResource("a", diary))
    with pytest.raises(LookupError, match="app"):
        async with hold_shared_resources():
            raise LookupError("app")

    assert diary == ["close a"]


async def test_shared_close_failure_closes_the_others(diary: list[str]) -> None:
    """A shared resource that does not close does not keep the others open."""
    share(FakeResource("a", diary))
    share(FakeResource("b", diary, fails="close"))
    with contextlib.suppress(ExceptionGroup, LookupError):
        async with hold_shared_resources():
            pass

    assert diary == ["close b", "close a"]
