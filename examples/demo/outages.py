"""What users see while MongoDB or Redis is away: `python -m examples.demo.outages`, or `watch` from another script."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

ALICE = "a11ce0000000000000000001"
MOMENTUM = {"name": "Momentum", "symbol": "SPY", "interval": "1d", "parameters": {"fast": 20, "slow": 100}}
SERVICE = Path(__file__).parents[1] / "strategy_service"


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


def watch(
    server: Server, requests: Mapping[str, Callable[[], int]], *, down_seconds: float = 3.0, rate: float = 20.0
) -> dict[str, Seen]:
    """
    Kill a server while requests run, start it again, and return what the users of each request saw.

    Each request is a function that sends it and returns the status; it runs `rate` times a second in a thread.
    """
    users = {name: _User(request, rate) for name, request in requests.items()}
    for user in users.values():
        user.start()
    time.sleep(1)
    server.kill()
    _enter(users, "down")
    time.sleep(down_seconds)
    server.start()
    _enter(users, "after")
    time.sleep(3)
    for user in users.values():
        user.end()
    return {name: user.seen for name, user in users.items()}


def show(server: Server, seen: Mapping[str, Seen]) -> None:
    """Print a table."""
    print(f"\n  {server.name} is killed and comes back")
    print(f"  {'request':<28} {'before':<14} {'while away':<22} {'slowest':>8}   {'after':<20} works again")
    for name, user in seen.items():
        print(
            f"  {name:<28} {_counted(user.before):<14} {_counted(user.down):<22} {user.slowest_seconds:6.2f} s   "
            f"{_counted(user.after):<20} {user.recovered_seconds:.2f} s"
        )


def send(url: str, method: str = "GET", body: object = None, user: str = ALICE) -> tuple[int, bytes]:
    """Send one request of a user, and return status and body; 599 when nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-User-Id": user, "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 599, b""


def main() -> int:
    """Show both outages; 1 when a user saw anything but an answer or a 503."""
    with (
        TemporaryDirectory() as folder,
        EmbeddedMongo(Path(folder) / "mongo", sync_on_commit=True) as mongo,
        EmbeddedRedis() as redis,
        _service(mongo, redis) as url,
    ):
        _, created = send(f"{url}/strategies", "POST", MOMENTUM)
        path = f"{url}/strategies/{json.loads(created)['id']}"
        requests: dict[str, Callable[[], int]] = {
            "read one (cached)": lambda: send(path)[0],
            "list (database)": lambda: send(f"{url}/strategies")[0],
            "create (database)": lambda: send(f"{url}/strategies", "POST", MOMENTUM)[0],
            "GET /health": lambda: send(f"{url}/health")[0],
            "GET /ready": lambda: send(f"{url}/ready")[0],
        }
        seen = []
        for server in (redis, mongo):
            seen.append(watch(server, requests))
            show(server, seen[-1])
    statuses = {status for outage in seen for user in outage.values() for status in user.down | user.after}
    return 0 if statuses <= {200, 201, 503} else 1


def _enter(users: Mapping[str, _User], phase: str) -> None:
    for user in users.values():
        user.returned_at = time.monotonic()
        user.phase = phase


def _counted(statuses: Counter[int]) -> str:
    return " ".join(f"{status}x{count}" for status, count in sorted(statuses.items())) or "-"


@contextmanager
def _service(mongo: EmbeddedMongo, redis: EmbeddedRedis) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "ENVIRONMENT": "development",
        "MONGODB_URL": mongo.url,
        "MONGODB_SERVER_SELECTION_TIMEOUT_MS": "1000",
        "MONGODB_TIMEOUT_MS": "1500",
        "REDIS_HOST": redis.host,
        "REDIS_PORT": str(redis.port),
        "LOG_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-m", "mysingle", "run", "app.main:app", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=SERVICE, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while send(f"{url}/ready")[0] != 200:
                if process.poll() is not None:
                    raise RuntimeError(f"the service ended with status {process.returncode}")
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
