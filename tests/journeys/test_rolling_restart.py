"""Processes that follow one another behind one socket, under load."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SOURCE = """
    import asyncio, os
    from mysingle.core import create_fastapi_app, create_service_config

    app = create_fastapi_app(create_service_config("rolling", public_paths=["/work"]))

    @app.get("/work")
    async def work() -> int:
        await asyncio.sleep(0.01)
        return os.getpid()
"""
RUN = (sys.executable, "-c", "from mysingle.cli import main; main()", "run", "main:app")
RATE = 200
CONNECTIONS = 20
ROUNDS = 3


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


async def _next_process(start: Callable[..., Any], listener: socket.socket) -> Any:
    service = start(
        SOURCE,
        command=(*RUN, "--fd", str(listener.fileno())),
        fds=(listener.fileno(),),
        DRAIN_DELAY_SECONDS=1,
    )
    await asyncio.to_thread(service.wait_until, lambda: service.logged("service.listening"))
    return service
