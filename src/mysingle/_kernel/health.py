"""The state of a service, and the checks behind it. Checks run in the background; probes only read their result."""

import asyncio
import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeGuard

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.redaction import redact_text

__all__ = ["Check", "CheckResult", "HealthRegistry", "ServiceState"]

Status = Literal["pass", "warn", "fail"]
Check = Callable[[], Awaitable[object] | object]

_LAG_INTERVAL_SECONDS = 0.5
_RECOVERY_INTERVAL_SECONDS = 1.0

log = get_logger("mysingle.health")


class ServiceState(StrEnum):
    """
    Where a service is in its life. It only ever moves forward.

    CREATED: the app object exists and nobody has started it. STARTING: resources are opening.
    READY: send traffic. DRAINING: still serving, but send no new traffic. STOPPED: resources are closed.
    """

    CREATED = "created"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


_ORDER = list(ServiceState)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The last run of one check. `finished_at` is a `time.time()`; `message` says why it failed."""

    status: Status
    finished_at: float
    latency_seconds: float
    message: str = ""


@dataclass(slots=True, kw_only=True)
class _RegisteredCheck:
    name: str
    check: Check
    critical: bool
    interval: float
    timeout: float
    result: CheckResult | None = None
    has_run: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    running: asyncio.Future[object] | None = field(default=None, repr=False)


class UnknownCheckError(MySingleError, ValueError):
    """The service called a check critical that nobody registered."""

    default_code = ErrorCode.FAILED_PRECONDITION


class HealthRegistry:
    """
    Holds the state of one service and runs its checks.

    `has_drain` is set by a server that goes on serving for a while after SIGTERM.
    `start` and `stop` belong to the lifespan. Reading (`is_ready`, `details`) never waits for anything.
    """

    def __init__(self, critical: Iterable[str] = ()) -> None:
        self.state = ServiceState.CREATED
        self.has_drain = False
        self._critical = frozenset(critical)
        self._checks: dict[str, _RegisteredCheck] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[ServiceState], None]] = []
        self._on_result: list[Callable[[str, bool], None]] = []

    def add_check(
        self, name: str, check: Check, *, critical: bool = False, interval: float = 5.0, timeout: float = 2.0
    ) -> None:
        """
        Add a check: a callable, async or not, that raises or returns False when the thing is not usable.

        `critical` checks decide `/ready`; so do those that the service named in `critical_checks`.
        `interval` and `timeout` are seconds. A sync check runs in a thread and is never run twice at once.

        Raises:
            ValueError: a name that is taken, or an interval or timeout that is not above zero.
        """
        if name in self._checks:
            raise ValueError(f"A health check named {name!r} exists already")
        if interval <= 0 or timeout <= 0:
            raise ValueError(f"Health check {name!r}: interval and timeout must be above zero")
        entry = _RegisteredCheck(
            name=name, check=check, critical=critical or name in self._critical, interval=interval, timeout=timeout
        )
        self._checks[name] = entry
        if self._tasks:
            self._tasks.append(asyncio.create_task(self._repeat(entry), name=f"health:{name}"))

    def remove_check(self, name: str) -> None:
        """Forget a check; do nothing when there is none of that name. Call it while the checks do not run."""
        self._checks.pop(name, None)

    def on_change(self, listener: Callable[[ServiceState], None]) -> None:
        """Call `listener` at every change of state, so that grpc.health and HTTP tell the same story."""
        self._listeners.append(listener)

    def on_result(self, listener: Callable[[str, bool], None]) -> None:
        """Call `listener(name, passed)` after every run of a check."""
        self._on_result.append(listener)

    def enter(self, state: ServiceState) -> None:
        """Move forward to a state; going back, or staying, does nothing, except that a stopped app may start again."""
        restarting = self.state is ServiceState.STOPPED and state is ServiceState.STARTING
        if not restarting and _ORDER.index(state) <= _ORDER.index(self.state):
            return
        self.state = state
        for listener in self._listeners:
            listener(state)

    async def start(self) -> None:
        """
        Begin to run the checks.

        Raises:
            ValueError: the service named a critical check that nobody registered.
        """
        unknown = sorted(self._critical - self._checks.keys())
        if unknown:
            known = ", ".join(sorted(self._checks)) or "none"
            raise UnknownCheckError(
                f"critical_checks names {', '.join(unknown)}, but the registered checks are: {known}"
            )
        self._tasks = [asyncio.create_task(self._watch_loop(), name="health:loop")]
        self._tasks += [
            asyncio.create_task(self._repeat(entry), name=f"health:{entry.name}") for entry in self._checks.values()
        ]

    async def stop(self) -> None:
        """End the background runs."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def first_results(self, timeout_seconds: float) -> None:
        """Wait until every critical check has run once, at most `timeout_seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                for entry in self._checks.values():
                    if entry.critical:
                        await entry.has_run.wait()

    def is_ready(self) -> bool:
        """Tell whether traffic is welcome: the state is READY and no critical check failed its last run."""
        return self.state is ServiceState.READY and not self.failing_critical()

    def failing_critical(self) -> list[str]:
        """Return the critical checks that did not pass, by name."""
        return sorted(entry.name for entry in self._checks.values() if entry.critical and not _passed(entry))

    def status(self) -> Status:
        """Return the sum: fail when a critical check fails, warn when another one does."""
        if self.failing_critical():
            return "fail"
        return "pass" if all(_passed(entry) or entry.result is None for entry in self._checks.values()) else "warn"

    def results(self) -> dict[str, tuple[bool, CheckResult | None]]:
        """Return for each check whether it is critical, and its last result."""
        return {name: (entry.critical, entry.result) for name, entry in self._checks.items()}

    async def _repeat(self, entry: _RegisteredCheck) -> None:
        while True:
            entry.result = await self._run_once(entry)
            entry.has_run.set()
            if _is_being_cancelled():
                return  # a library may have swallowed it: `asyncio.wait_for` does before Python 3.12
            passed = entry.result.status == "pass"
            self._tell(entry.name, passed)
            await asyncio.sleep(entry.interval if passed else min(entry.interval, _RECOVERY_INTERVAL_SECONDS))

    def _tell(self, name: str, passed: bool) -> None:
        for listener in self._on_result:
            try:
                listener(name, passed)
            except Exception:  # a listener's failure must not end the checks
                log.exception("health.listener_failed", check=name)

    async def _run_once(self, entry: _RegisteredCheck) -> CheckResult:
        started = time.perf_counter()
        message = ""
        try:
            if await _call(entry) is False:
                message = "the check returned False"
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            message = "the check was cancelled"
        except TimeoutError:
            message = f"no answer within {entry.timeout:g} s"
        except Exception as error:  # whatever a check raises is its verdict
            message = redact_text(f"{type(error).__name__}: {error}"[:200])
        result = CheckResult(
            status="fail" if message else "pass",
            finished_at=time.time(),
            latency_seconds=time.perf_counter() - started,
            message=message,
        )
        _log_change(entry, result)
        return result

    async def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        gauge = process_metrics().loop_lag
        while True:
            due = loop.time() + _LAG_INTERVAL_SECONDS
            await asyncio.sleep(_LAG_INTERVAL_SECONDS)
            gauge.set(max(0.0, loop.time() - due))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _call(entry: _RegisteredCheck) -> object:
    """Run a check within its timeout; a sync one in a thread that is left alone when it hangs."""
    if entry.running is not None and not entry.running.done():
        raise TimeoutError
    if _is_async(entry.check):
        async with asyncio.timeout(entry.timeout):
            return await entry.check()
    entry.running = asyncio.ensure_future(asyncio.to_thread(entry.check))
    entry.running.add_done_callback(lambda done: done.cancelled() or done.exception())
    async with asyncio.timeout(entry.timeout):
        result = await asyncio.shield(entry.running)
        return await result if inspect.isawaitable(result) else result


def _is_async(check: Check) -> TypeGuard[Callable[[], Awaitable[object]]]:
    """Recognise an async function, and an object whose call is one."""
    return inspect.iscoroutinefunction(check) or inspect.iscoroutinefunction(type(check).__call__)


def _passed(entry: _RegisteredCheck) -> bool:
    return entry.result is not None and entry.result.status == "pass"


def _log_change(entry: _RegisteredCheck, result: CheckResult) -> None:
    before = entry.result.status if entry.result else "pass"
    if before != result.status:
        write = log.warning if result.status == "fail" else log.info
        write("health.changed", check=entry.name, status=result.status, critical=entry.critical, reason=result.message)
