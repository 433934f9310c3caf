"""Callers who come together share one piece of work, and each gets its own result."""

import asyncio
from collections.abc import Sequence

import pytest

from mysingle.auth.iam._together import Together


class Doubling:
    """Doubles numbers, slowly enough for company to come, and keeps what it was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await asyncio.sleep(0)
        if -1 in numbers:
            raise ValueError("no negative numbers")
        return [2 * number for number in numbers]


async def test_each_caller_gets_its_own_result_and_all_share_the_work() -> None:
    """A hundred callers at once get a hundred results, in few pieces of at most 64."""
    doubling = Doubling()
    together = Together(doubling)
    assert await asyncio.gather(*map(together.do, range(100))) == [2 * number for number in range(100)]
    assert [len(batch) for batch in doubling.batches] == [64, 36]


async def test_a_caller_alone_waits_for_nobody() -> None:
    """One after another, each is a piece of its own."""
    doubling = Doubling()
    together = Together(doubling)
    assert [await together.do(number) for number in (1, 2)] == [2, 4]
    assert doubling.batches == [[1], [2]]


async def test_whoever_comes_while_work_goes_on_is_not_part_of_it() -> None:
    """A read that is asked for after another one has begun sees what was written before it was asked for."""
    value, gate = 1, asyncio.Event()

    async def read(items: Sequence[str]) -> Sequence[int]:
        seen = value
        await gate.wait()
        return [seen] * len(items)

    together = Together(read)
    early = asyncio.create_task(together.do("early"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    value = 2
    late = asyncio.create_task(together.do("late"))
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(early, late) == [1, 2]


async def test_company_is_waited_for_when_asked() -> None:
    """With a pause those who come a little later are in the same piece."""
    doubling = Doubling()
    together = Together(doubling, pause=lambda: 0.05)
    first = asyncio.create_task(together.do(1))
    await asyncio.sleep(0.001)
    assert await together.do(2) == 4
    assert await first == 2
    assert doubling.batches == [[1, 2]]


async def test_a_failure_is_heard_by_all_of_its_callers_and_by_nobody_else() -> None:
    """The next piece of work is not touched by it."""
    together = Together(Doubling())
    outcomes = await asyncio.gather(together.do(1), together.do(-1), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
    assert await together.do(3) == 6


async def test_somebody_who_goes_leaves_the_others_their_results() -> None:
    """A cancelled caller is left out, and those behind it are served."""
    doubling = Doubling()
    together = Together(doubling)
    gone, stays = asyncio.create_task(together.do(1)), asyncio.create_task(together.do(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await together.do(4) == 8
