"""How the work of visitors is bounded: in number, in time, and away from the event loop."""

import asyncio
import json
import threading
from typing import Any

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle.dsl.errors import DSLTimeoutError
from mysingle.dsl.playground.desk import Desk


async def test_too_many_are_sent_away() -> None:
    """A few work, a few more wait; whoever comes then is told when to come back, and the others are served."""
    desk, gate, at_once = Desk(0), threading.Event(), []
    guard = threading.Lock()
    inside = 0

    def work(_request: int, _pool: Any, _cancel: Any) -> dict[str, Any]:
        nonlocal inside
        with guard:
            inside += 1
            at_once.append(inside)
        assert gate.wait(30)
        with guard:
            inside -= 1
        return {"served": _request}

    tasks = [asyncio.create_task(desk.do(work, number)) for number in range(16)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError) as refused:
        await desk.do(work, 16)
    gate.set()
    served = [json.loads(answer)["served"] for answer in await asyncio.gather(*tasks)]

    assert (refused.value.reason, refused.value.retry_after_seconds) == ("PLAYGROUND_BUSY", 5.0)
    assert served == list(range(16))
    assert max(at_once) <= 4
    assert json.loads(await desk.do(work, 17)) == {"served": 17}


async def test_work_ends_at_its_deadline() -> None:
    """Work that would go on is told to stop, and the loop was free all the time."""
    desk = Desk(0, deadline_seconds=0.05)

    def work(_request: None, _pool: Any, cancel: Any) -> dict[str, Any]:
        stop = threading.Event()
        while not cancel.is_cancelled:
            stop.wait(0.005)
        raise DSLTimeoutError("The run was cancelled")

    with pytest.raises(DSLTimeoutError) as ended:
        await asyncio.wait_for(desk.do(work, None), 30)

    assert ended.value.message == "It took longer than 0.05 s: use fewer bars or fewer combinations"
    assert ended.value.diagnostics[0].code == "DSL-005"


async def test_a_failure_frees_its_place() -> None:
    """After many failures there is still room."""
    desk = Desk(0)

    def work(_request: int, _pool: Any, _cancel: Any) -> dict[str, Any]:
        raise DSLTimeoutError("no")

    for number in range(50):
        with pytest.raises(DSLTimeoutError):
            await desk.do(work, number)
