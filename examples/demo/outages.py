"""The chapter of the demo in which Redis and MongoDB are killed while people work."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from examples.demo.caller import Caller
from examples.demo.chapters import MOMENTUM, NOWHERE, Person
from examples.demo.terminal import dim
from examples.demo.tour import Tour
from examples.demo.world import World

RATE, BEFORE_SECONDS, DOWN_SECONDS, AFTER_SECONDS = 10.0, 0.5, 2.0, 2.5
NOBODY_ANSWERS = 599


class Server(Protocol):
    """A server that can be killed and started again."""

    name: str

    def kill(self) -> None: ...

    def start(self) -> object: ...


@dataclass
class Seen:
    """What the users of one request saw: statuses for each phase, and the slowest answer while the server was away."""

    before: Counter[int] = field(default_factory=Counter)
    down: Counter[int] = field(default_factory=Counter)
    after: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    recovered_seconds: float = 0.0


class _User(threading.Thread):
    """Sends one request again and again."""

    def __init__(self, request: Callable[[], int], rate: float) -> None:
        super().__init__(daemon=True)
        self.seen = Seen()
        self.phase = "before"
        self.returned_at = 0.0
        self._request = request
        self._pause = 1 / rate
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(self._pause):
            phase, started = self.phase, time.monotonic()
            status = self._request()
            getattr(self.seen, phase)[status] += 1
            if phase == "down":
                self.seen.slowest_seconds = max(self.seen.slowest_seconds, time.monotonic() - started)
            if phase == "after" and status < 500 and not self.seen.recovered_seconds:
                self.seen.recovered_seconds = time.monotonic() - self.returned_at

    def end(self) -> None:
        self._is_over.set()
        self.join(30)


def kill_servers(tour: Tour, world: World, person: Person) -> None:
    """Kill each server while requests run, start it again, and show what users saw."""
    created = world.front.call("POST", "/strategies", person.headers, MOMENTUM)
    path = f"/strategies/{created.body.get('id', NOWHERE)}"
    requests: dict[str, Callable[[], int]] = {
        "read one (cached)": _sender(world.gateway.url, person, "GET", path),
        "list (database)": _sender(world.gateway.url, person, "GET", "/strategies"),
        "create (database)": _sender(world.gateway.url, person, "POST", "/strategies", MOMENTUM),
        "the platform: /health": _sender(world.strategies.url, None, "GET", "/health"),
    }
    for server in world.servers:
        seen = _watch(server, requests)
        statuses = {status for user in seen.values() for status in user.down | user.after}
        tour.failures += not statuses <= {200, 201, 503}
        _show(server, seen)


def _sender(url: str, person: Person | None, method: str, path: str, body: object = None) -> Callable[[], int]:
    caller = Caller(url)

    def send() -> int:
        try:
            return caller.call(method, path, person.headers if person else None, body).status
        except OSError:
            return NOBODY_ANSWERS

    return send


def _watch(server: Server, requests: Mapping[str, Callable[[], int]]) -> dict[str, Seen]:
    users = {name: _User(request, RATE) for name, request in requests.items()}
    for user in users.values():
        user.start()
    time.sleep(BEFORE_SECONDS)
    server.kill()
    _enter(users, "down")
    time.sleep(DOWN_SECONDS)
    server.start()
    _enter(users, "after")
    time.sleep(AFTER_SECONDS)
    for user in users.values():
        user.end()
    return {name: user.seen for name, user in users.items()}


def _show(server: Server, seen: Mapping[str, Seen]) -> None:
    header = (
        f"{f'{server.name} is killed':<28} {'before':<12} {'while away':<18} {'slowest':<10} {'back':<12} works again"
    )
    print("  " + dim(header))
    for name, user in seen.items():
        print(
            f"  {name:<28} {_counted(user.before):<12} {_counted(user.down):<18} "
            f"{f'{user.slowest_seconds:.2f} s':<10} {_counted(user.after):<12} {user.recovered_seconds:.2f} s",
            flush=True,
        )


def _enter(users: Mapping[str, _User], phase: str) -> None:
    for user in users.values():
        user.returned_at = time.monotonic()
        user.phase = phase


def _counted(statuses: Counter[int]) -> str:
    return " ".join(f"{status}x{count}" for status, count in sorted(statuses.items())) or "-"
