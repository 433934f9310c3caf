"""Run the platform: data servers, services, gateway, until somebody ends it."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mysingle.embedded import EmbeddedEnvoy, EmbeddedStack, ServerStartError
from mysingle.tooling.devplatform._edits import edits, owners, require_watching
from mysingle.tooling.devplatform._probe import listens
from mysingle.tooling.devplatform._service import RunningService, State
from mysingle.tooling.devplatform._worker import RunningWorker
from mysingle.tooling.devplatform.plan import Plan
from mysingle.tooling.devplatform.screen import Screen

__all__ = ["Row", "run_platform"]

Row = tuple[str, str, str, str]
"""What, its address, its address for gRPC, and how it is."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SERVER_POLL_SECONDS = 0.5


async def run_platform(
    plan: Plan, screen: Screen, show_addresses: Callable[[Sequence[Row]], None], *, reload: bool
) -> int:
    """
    Start everything, show where it is, and run it until SIGINT, SIGTERM or SIGHUP; a second signal hurries.

    Returns:
        0 after a clean end, 1 when a service could not start and no edit can mend it.

    Raises:
        MissingExtraError: servers or a library are not installed.
        ServerStartError: a server did not start; nothing is left running.
    """
    if reload:
        require_watching()
    return await _Platform(plan, screen, reload=reload).run(show_addresses)


class _Platform:
    def __init__(self, plan: Plan, screen: Screen, *, reload: bool) -> None:
        self._plan = plan
        self._screen = screen
        self._reload = reload
        self._stack = EmbeddedStack(plan.data_dir, environ=plan.environment)
        self._gateway = _envoy(plan)
        self._has_gateway = False
        self._services: dict[str, RunningService] = {}
        self._workers: dict[str, RunningWorker] = {}
        self._notes = Path(tempfile.mkdtemp(prefix="mysingle-")) if reload else None
        self._ending = asyncio.Event()

    async def run(self, show_addresses: Callable[[Sequence[Row]], None]) -> int:
        begun = time.monotonic()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._take, number)
        self._screen.say(
            f"starts {', '.join(('MongoDB', 'Redis', *(service.name for service in self._plan.services)))}"
        )
        try:
            await asyncio.to_thread(self._stack.start)
            return await self._run_services(begun, show_addresses)
        finally:
            await asyncio.to_thread(self._stop_servers)

    def _take(self, number: int) -> None:
        """End in order at the first signal, at once at the second."""
        if not self._ending.is_set():
            self._screen.say(f"{signal.Signals(number).name}: everything ends; once more to end it at once")
            self._ending.set()
            return
        for service in self._services.values():
            service.kill()
        for worker in self._workers.values():
            worker.kill()

    async def _run_services(self, begun: float, show_addresses: Callable[[Sequence[Row]], None]) -> int:
        if self._ending.is_set():
            return 0
        environment = {**self._plan.environment, **self._stack.environment}
        self._services = {
            service.name: RunningService(service, environment, self._screen, self._notes)
            for service in self._plan.services
        }
        self._workers = {
            service.name: RunningWorker(service, environment, self._screen)
            for service in self._plan.services
            if service.worker is not None
        }
        processes: list[RunningService | RunningWorker] = [*self._services.values(), *self._workers.values()]
        lives = [asyncio.create_task(process.live()) for process in processes]
        helpers = [asyncio.create_task(self._keep_servers())]
        if self._reload:
            helpers.append(asyncio.create_task(self._follow_edits()))
        try:
            return await self._until_end(begun, show_addresses, [*lives, *helpers])
        finally:
            for task in (*lives, *helpers):
                task.cancel()
            await asyncio.gather(*(process.end() for process in processes))
            await asyncio.gather(*lives, *helpers, return_exceptions=True)

    async def _until_end(
        self, begun: float, show_addresses: Callable[[Sequence[Row]], None], lives: Sequence["asyncio.Task[None]"]
    ) -> int:
        """Wait for the start, show the addresses, and wait for the end."""
        ending = asyncio.create_task(self._ending.wait())
        started = asyncio.create_task(self._start_gateway_behind_services())
        await asyncio.wait([ending, started, *lives], return_when=asyncio.FIRST_COMPLETED)
        if not self._ending.is_set() and started.done():
            started.result()
            show_addresses(await self._addresses())
            self._summarise(time.monotonic() - begun)
            for service in self._services.values():
                service.calm.set()
            if not self._reload and any(service.state is State.DOWN for service in self._services.values()):
                self._screen.say("a service could not start, and without reload nothing can mend it")
                return 1
            await asyncio.wait([ending, *lives], return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, started):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await started
        for life in lives:
            if life.done():
                life.result()  # each of them ends by an error only
        return 0

    async def _start_gateway_behind_services(self) -> None:
        """Start the gateway last: it fetches the keys of the service that issues tokens."""
        for service in self._services.values():
            await service.settled.wait()
        if self._gateway is not None:
            await asyncio.to_thread(self._gateway.start)
            self._has_gateway = True

    def _summarise(self, seconds: float) -> None:
        if self._plan.note:
            self._screen.say(self._plan.note)
        end = "Ctrl-C ends everything"
        after = f"an edit starts its service anew, {end}" if self._reload else end
        self._screen.say(f"started in {seconds:.1f} s; {after}")

    async def _addresses(self) -> list[Row]:
        rows: list[Row] = []
        if self._gateway is not None:
            rows.append(("gateway", self._gateway.url, "", "Envoy"))
        for name, service in self._services.items():
            grpc = f"127.0.0.1:{service.plan.grpc_port}" if await listens(service.plan.grpc_port) else ""
            rows.append((name, service.plan.url, grpc, service.state.value))
        return [*rows, *self._data_addresses()]

    def _data_addresses(self) -> list[Row]:
        where = str(self._plan.data_dir) if self._plan.data_dir else "memory"
        mongo, redis = self._stack.mongo, self._stack.redis
        return [
            ("MongoDB", mongo.url, "", f"SecantusDB, data in {where}")
            if mongo
            else ("MongoDB", f"as {self._plan.mongo_variable} says", "", "not started here"),
            ("Redis", redis.url, "", f"valkey-server, data in {where}")
            if redis
            else ("Redis", f"as {self._plan.redis_variable} says", "", "not started here"),
        ]

    async def _keep_servers(self) -> None:
        """Start a server again that has ended."""
        while True:
            await asyncio.sleep(_SERVER_POLL_SECONDS)
            for server in (self._stack.mongo, self._stack.redis, self._gateway if self._has_gateway else None):
                if server is not None and not server.is_running:
                    self._screen.say(f"{server.name} has ended; it is started again")
                    try:
                        await asyncio.to_thread(server.start)
                    except ServerStartError as error:
                        self._screen.say(str(error))

    async def _follow_edits(self) -> None:
        folders = {service.name: service.folder for service in self._plan.services}
        try:
            async for files in edits(folders.values()):
                for name, service in self._services.items():
                    own = sorted(file for file in files if name in owners(file, folders))
                    if own and await service.edit(own) and name in self._workers:
                        self._workers[name].edit()
        except OSError as error:
            self._screen.say(f"edits are not seen any more: {error}")
            await self._ending.wait()

    def _stop_servers(self) -> None:
        if self._gateway is not None:
            self._gateway.stop()
        self._stack.stop()
        if self._notes is not None:
            shutil.rmtree(self._notes, ignore_errors=True)


def _envoy(plan: Plan) -> EmbeddedEnvoy | None:
    if plan.gateway is None:
        return None
    return EmbeddedEnvoy(plan.gateway.config, environ=plan.gateway.environment, port=plan.gateway.port)
