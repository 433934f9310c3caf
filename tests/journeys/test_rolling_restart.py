"""Processes that follow one another behind one socket, under load."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from mysingle.clients import BaseGrpcClient, get_pool, reset_pool
from mysingle.protos.notification.v1 import notification_pb2, notification_pb2_grpc

SOURCE = """
    import asyncio, os
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("rolling", public_paths=["/work"]))

    @app.get("/work")
    async def work() -> int:
        await asyncio.sleep(0.01)
        return os.getpid()
"""
BOTH = """
    import asyncio, os
    from mysingle.core import create_fastapi_app, create_service_config, get_settings
    from mysingle.grpc import BaseGrpcServer, GrpcServerConfig
    from mysingle.protos.notification.v1 import notification_pb2, notification_pb2_grpc

    class Notifications(notification_pb2_grpc.NotificationServiceServicer):
        async def Send(self, request, context):
            with open(os.environ["EXECUTED"], "a") as executed:
                executed.write(request.template + "\\n")
            await asyncio.sleep(0.01)
            return notification_pb2.SendResponse(notification_id=str(os.getpid()))

    class Server(BaseGrpcServer):
        def register_servicers(self, server):
            notification_pb2_grpc.add_NotificationServiceServicer_to_server(Notifications(), server)

    server = Server(GrpcServerConfig.from_settings(get_settings(), "rolling", host="127.0.0.1"))
    app = create_fastapi_app(create_service_config("rolling", public_paths=["/work"], grpc_server=server))

    @app.get("/work")
    async def work() -> int:
        await asyncio.sleep(0.01)
        return os.getpid()
"""
RUN = (sys.executable, "-c", "from mysingle.cli import main; main()", "run", "main:app")
RATE = 200
CONNECTIONS = 20
ROUNDS = 3
RESTARTS = int(os.environ.get("ROLLING_RESTARTS", "4"))


@dataclass
class Load:
    """A client of fixed rate on keep-alive connections. It honours `Connection: close`, and never tries again."""

    port: int
    answered: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    stopped: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._one_connection(number) for number in range(CONNECTIONS)))

    async def _one_connection(self, number: int) -> None:
        due = time.monotonic() + number / RATE
        streams = None
        while not self.stopped:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += CONNECTIONS / RATE
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
                async with asyncio.timeout(10):
                    keeps = await self._ask(*streams)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(repr(error))
                keeps = False
            if not keeps and streams is not None:
                streams[1].close()
                streams = None
        if streams is not None:
            streams[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"GET /work HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200 "):
            self.failures.append(f"{head!r} {body!r}")
        else:
            self.answered[int(body)] = self.answered.get(int(body), 0) + 1
        return b"connection: close" not in head


@dataclass
class Calls:
    """A client of fixed rate with the default policy, over all instances; each call is made once, by its number."""

    hosts: str
    answered: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    started: int = 0
    stopped: bool = False

    async def run(self) -> None:
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self.stopped:
                group.create_task(self._one(str(self.started)))
                self.started += 1
                await asyncio.sleep(max(0.0, begun + self.started / RATE - time.monotonic()))

    async def _one(self, number: str) -> None:
        client = BaseGrpcClient("rolling", 1, host=self.hosts, user_id="a11ce0000000000000000001", timeout=10)
        stub = notification_pb2_grpc.NotificationServiceStub(client.channel)
        try:
            process = int((await stub.Send(notification_pb2.SendRequest(template=number))).notification_id)
        except grpc.aio.AioRpcError as error:
            self.failures.append(f"{number}: {error.code()} {error.details()}")
        else:
            self.answered[process] = self.answered.get(process, 0) + 1

    async def reach(self, process: int) -> None:
        """Wait until a process has answered."""
        async with asyncio.timeout(20):
            while process not in self.answered:  # what is waited for is another process
                await asyncio.sleep(0.02)


async def test_rolling_restart_loses_no_request(start: Callable[..., Any]) -> None:
    """
    200 requests a second through three restarts: every one is answered with 200.

    The arrangement is two processes behind one listening socket: the parent (as systemd or a supervisor would)
    opens it and passes it with `--fd`; the next process takes part in accepting once it is READY, then the old one
    gets SIGTERM. The client keeps its connections, leaves them when an answer says `Connection: close`, and counts
    every reset, refusal and other status as a failure: a client that retries would hide just what is tested here.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        load = Load(listener.getsockname()[1])
        current = await _next_process(start, listener)
        task = asyncio.create_task(load.run())
        await asyncio.sleep(0.5)
        codes = []
        for _ in range(ROUNDS):
            following = await _next_process(start, listener)
            current.signal(signal.SIGTERM)
            codes.append(await asyncio.to_thread(current.wait))
            current = following
        await asyncio.sleep(0.5)
        load.stopped = True
        await task

    assert not load.failures
    assert codes == [0] * ROUNDS
    assert len(load.answered) == ROUNDS + 1
    assert sum(load.answered.values()) >= RATE * ROUNDS


async def test_rolling_restart_of_both(start: Callable[..., Any], tmp_path: Path) -> None:
    """
    200 requests and 200 calls a second over two instances, restarted in turn: nothing fails, and nothing runs twice.

    Each instance serves HTTP and gRPC in one process. HTTP comes through one listening socket, as above. gRPC comes
    through a client that spreads its calls over two ports and sees by their health which one drains; its method is
    not declared idempotent, so that no call which a server has begun is ever made again. A restart is a SIGTERM, the
    end of the process, and another one on the same port, which must have answered before the next restart.
    """
    executed = tmp_path / "executed"
    ports = [_free_port(), _free_port()]
    reset_pool()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        instances = [
            await _next_process(start, listener, BOTH, GRPC_SERVER_PORT=port, EXECUTED=executed) for port in ports
        ]
        load = Load(listener.getsockname()[1])
        calls = Calls(",".join(f"127.0.0.1:{port}" for port in ports))
        tasks = [asyncio.create_task(load.run()), asyncio.create_task(calls.run())]
        codes, processes = [], [instance.process.pid for instance in instances]
        for instance in instances:
            await calls.reach(instance.process.pid)
        for turn in range(RESTARTS):
            slot = turn % 2
            instances[slot].signal(signal.SIGTERM)
            codes.append(await asyncio.to_thread(instances[slot].wait))
            instances[slot] = await _next_process(
                start, listener, BOTH, GRPC_SERVER_PORT=ports[slot], EXECUTED=executed
            )
            processes.append(instances[slot].process.pid)
            await calls.reach(processes[-1])
        load.stopped = calls.stopped = True
        await asyncio.gather(*tasks)
    await get_pool().close()
    numbers = executed.read_text().split()

    assert not load.failures
    assert not calls.failures
    assert codes == [0] * RESTARTS
    assert set(calls.answered) == set(processes)
    assert sorted(map(int, numbers)) == list(range(calls.started))
    assert set(load.answered) <= set(processes)
    assert sum(load.answered.values()) >= RATE * RESTARTS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _next_process(
    start: Callable[..., Any], listener: socket.socket, source: str = SOURCE, **environment: object
) -> Any:
    service = start(
        source,
        command=(*RUN, "--fd", str(listener.fileno())),
        fds=(listener.fileno(),),
        DRAIN_DELAY_SECONDS=1,
        **environment,
    )
    await asyncio.to_thread(service.wait_until, lambda: service.logged("service.listening"))
    return service
