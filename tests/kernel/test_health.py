import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product

import pytest

from mysingle._kernel.health import HealthRegistry, ServiceState

STATES = list(ServiceState)


class FakeCheck:
    """A check whose next answers somebody else decides."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.answer: object = None
        self.runs = 0

    async def __call__(self) -> object:
        return await self.run()

    async def run(self) -> object:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return self.answer


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def registry() -> AsyncIterator[HealthRegistry]:
    """Give a registry in state READY, which the test starts."""
    registry = HealthRegistry()
    registry.enter(ServiceState.READY)
    yield registry
    await registry.stop()


def add(registry: HealthRegistry, name: str, check: Callable[[], Awaitable[object] | object], **more: bool) -> None:
    call = check.run if isinstance(check, FakeCheck) else check
    registry.add_check(name, call, interval=0.005, timeout=0.05, **more)


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)), ids=lambda state: state.value)
def test_only_forward(before: ServiceState, after: ServiceState) -> None:
    """A service moves forward in its life, never back; only what has stopped may start again."""
    registry = HealthRegistry()
    seen: list[ServiceState] = []
    registry.enter(before)
    registry.on_change(seen.append)
    registry.enter(after)
    moves = STATES.index(after) > STATES.index(before) or (before, after) == (
        ServiceState.STOPPED,
        ServiceState.STARTING,
    )

    assert registry.state is (after if moves else before)
    assert seen == ([after] if moves else [])


def test_begins_created() -> None:
    """A registry that nobody has started is CREATED, and not ready."""
    registry = HealthRegistry()

    assert registry.state is ServiceState.CREATED
    assert not registry.is_ready()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.value)
def test_ready_is_one_state(state: ServiceState) -> None:
    """Without critical checks, traffic is welcome in READY and in no other state."""
    registry = HealthRegistry()
    registry.enter(state)

    assert registry.is_ready() == (state is ServiceState.READY)


async def test_first_run_decides(registry: HealthRegistry) -> None:
    """A critical check counts as failing until it has passed once."""
    add(registry, "store", FakeCheck(), critical=True)
    before = registry.is_ready(), registry.failing_critical(), registry.results()["store"]
    await registry.start()
    await registry.first_results(5)

    assert before == (False, ["store"], (True, None))
    assert registry.is_ready()
    assert registry.status() == "pass"


FAILURES = [
    ("raises", LookupError("no store"), None, "LookupError: no store"),
    ("says no", None, False, "the check returned False"),
    ("leaks", RuntimeError("redis://u:hunter2@host"), None, "RuntimeError: redis://u:***@host"),
    ("times out itself", TimeoutError(), None, "no answer within 0.05 s"),
]


@pytest.mark.parametrize(
    ("error", "answer", "message"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
async def test_failure(registry: HealthRegistry, error: BaseException, answer: object, message: str) -> None:
    """A check fails by raising or by returning False, and its result says why without a password."""
    check = FakeCheck()
    check.error, check.answer = error, answer
    add(registry, "store", check, critical=True)
    await registry.start()
    await registry.first_results(5)
    _, result = registry.results()["store"]

    assert result is not None
    assert (result.status, result.message) == ("fail", message)
    assert (registry.status(), registry.is_ready()) == ("fail", False)


@pytest.mark.parametrize("answer", [None, True, 0, "", []], ids=repr)
async def test_only_false_is_no(registry: HealthRegistry, answer: object) -> None:
    """Every answer but False passes: a check that returns nothing has nothing to complain about."""
    check = FakeCheck()
    check.answer = answer
    add(registry, "store", check, critical=True)
    await registry.start()
    await registry.first_results(5)

    assert registry.is_ready()


async def test_not_critical_only_warns(registry: HealthRegistry) -> None:
    """A check that is not critical changes the sum to `warn` and leaves the service ready."""
    check = FakeCheck()
    check.answer = False
    add(registry, "cache", check)
    before = registry.status()
    await registry.start()
    await until(lambda: check.runs)

    assert (before, registry.status(), registry.is_ready()) == ("pass", "warn", True)


async def test_recovery(registry: HealthRegistry) -> None:
    """A check that passes again makes the service ready again."""
    check = FakeCheck()
    add(registry, "store", check, critical=True)
    await registry.start()
    await registry.first_results(5)
    check.error = ConnectionError()
    await until(lambda: not registry.is_ready())
    check.error = None
    await until(registry.is_ready)

    assert registry.failing_critical() == []


async def test_hanging_async_check(registry: HealthRegistry) -> None:
    """An async check that hangs fails after its timeout, and reading never waits for it."""
    add(registry, "store", asyncio.Event().wait, critical=True)
    await registry.start()
    unready = registry.is_ready()
    await registry.first_results(5)
    _, result = registry.results()["store"]

    assert not unready
    assert result is not None
    assert result.message == "no answer within 0.05 s"


async def test_hanging_sync_check(registry: HealthRegistry) -> None:
    """A sync check that hangs fails, is never run twice at once, and passes again when it comes back."""
    release, running, most, other = threading.Event(), [0], [0], FakeCheck()

    def check() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        release.wait(5)
        running[0] -= 1

    add(registry, "slow", check, critical=True)
    add(registry, "other", other)
    try:
        await registry.start()
        await registry.first_results(5)
        _, result = registry.results()["slow"]
        failed = result is not None and result.status == "fail"
        await until(lambda: other.runs > 5)
    finally:
        release.set()
    await until(registry.is_ready)

    assert failed
    assert most == [1]


async def test_check_forms(registry: HealthRegistry) -> None:
    """A check may be a function, a coroutine function, an object, or a lambda that returns an awaitable."""
    checks: dict[str, Callable[[], object]] = {
        "function": lambda: True,
        "object": FakeCheck(),
        "lambda": lambda: asyncio.sleep(0),
        "coroutine": FakeCheck().run,
    }
    for name, check in checks.items():
        registry.add_check(name, check, critical=True, interval=60)
    await registry.start()
    await registry.first_results(5)

    assert registry.failing_critical() == []


async def test_check_that_is_cancelled_inside(registry: HealthRegistry) -> None:
    """A check that ends in somebody's cancellation fails like any other, and runs again."""
    check = FakeCheck()
    check.error = asyncio.CancelledError()
    add(registry, "store", check, critical=True)
    await registry.start()
    await until(lambda: check.runs)
    check.error = None
    await until(registry.is_ready)

    assert check.runs > 1


async def test_result_listeners(registry: HealthRegistry) -> None:
    """Listeners hear of every run, by name, whether it passed."""
    heard: list[tuple[str, bool]] = []
    check = FakeCheck()
    registry.on_result(lambda name, passed: heard.append((name, passed)))
    add(registry, "store", check)
    await registry.start()
    await until(lambda: ("store", True) in heard)
    check.answer = False
    await until(lambda: ("store", False) in heard)

    assert set(heard) == {("store", True), ("store", False)}


async def test_listener_that_fails(registry: HealthRegistry) -> None:
    """A listener that raises does not end the checks."""
    check = FakeCheck()

    def listener(name: str, passed: bool) -> None:
        raise LookupError(name)

    registry.on_result(listener)
    add(registry, "store", check)
    await registry.start()

    await until(lambda: check.runs > 2)


async def test_named_critical() -> None:
    """A check is critical when the service names it, whoever adds it."""
    registry = HealthRegistry(critical=["store"])
    add(registry, "store", FakeCheck())
    add(registry, "cache", FakeCheck())

    assert registry.failing_critical() == ["store"]


async def test_unknown_critical() -> None:
    """A critical check that nobody registered refuses the start, and the message lists what there is."""
    registry = HealthRegistry(critical=["stroe", "audit"])
    with pytest.raises(ValueError, match=r"names audit, stroe, but the registered checks are: none"):
        await registry.start()
    add(registry, "store", FakeCheck())

    with pytest.raises(ValueError, match=r"are: store$"):
        await registry.start()


@pytest.mark.parametrize(("interval", "timeout"), [(0, 1), (1, 0), (-1, 1)])
def test_bad_numbers(interval: float, timeout: float) -> None:
    """Interval and timeout are above zero."""
    with pytest.raises(ValueError, match="must be above zero"):
        HealthRegistry().add_check("store", FakeCheck(), interval=interval, timeout=timeout)


def test_taken_name() -> None:
    """A name stands for one check."""
    registry = HealthRegistry()
    registry.add_check("store", FakeCheck())

    with pytest.raises(ValueError, match="named 'store' exists"):
        registry.add_check("store", FakeCheck())


async def test_added_later(registry: HealthRegistry) -> None:
    """A check that is added while the others run begins to run."""
    await registry.start()
    check = FakeCheck()
    add(registry, "late", check)

    await until(lambda: check.runs)


async def test_stop_ends_the_runs(registry: HealthRegistry) -> None:
    """After `stop` no check runs, and no task is left."""
    check = FakeCheck()
    add(registry, "store", check)
    await registry.start()
    await until(lambda: check.runs)
    await registry.stop()
    runs = check.runs
    await asyncio.sleep(0.02)

    assert runs == check.runs
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_first_results_is_bounded(registry: HealthRegistry) -> None:
    """Waiting for the first results ends, whatever the checks do."""
    registry.add_check("store", asyncio.Event().wait, critical=True, timeout=60)
    await registry.start()
    await registry.first_results(0.01)

    assert registry.failing_critical() == ["store"]
