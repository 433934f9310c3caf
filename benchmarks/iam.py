"""What the IAM service costs: logins beside bare argon2, the stall of the loop, and what it takes to find a user."""

import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from argon2 import PasswordHasher
from fastapi import FastAPI
from redis import Redis

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._values import Device
from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.database import get_redis_manager, reset_redis_manager
from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

PARALLEL, ROUNDS, LOOKUPS = 50, 5, 300
TICK_SECONDS = 0.001


def measure() -> dict[str, float]:
    try:
        return asyncio.run(_measure())
    finally:  # the next part has servers of its own
        reset_redis_manager()
        reset_settings()


async def _measure() -> dict[str, float]:
    with TemporaryDirectory() as folder, EmbeddedMongo(None) as mongo, EmbeddedRedis(None) as redis:
        settings = CommonSettings(
            _env_file=None,
            ENVIRONMENT="testing",
            LOG_FORMAT="json",
            LOG_FILE=Path(folder) / "service.log",
            MONGODB_URL=mongo.url,
            REDIS_HOST="127.0.0.1",
            REDIS_PORT=redis.port,
            AUTH_SECRET_KEY="0123456789abcdef" * 4,
            PUBLIC_BASE_URL="http://benchmark",
        )
        set_settings(settings)
        with Redis(host="127.0.0.1", port=redis.port) as shared:
            async with _running() as app:
                people = await _people(app.state.iam)
                servers = mongo.pid, redis.pid
                return {**await _logins(app, people, shared, servers), **await _lookups(app, people[0], shared)}


@asynccontextmanager
async def _running() -> AsyncIterator[FastAPI]:
    app = create_fastapi_app(create_service_config("iam-service", ServiceType.IAM_SERVICE))
    async with app.router.lifespan_context(app):
        yield app


async def _people(iam: Any) -> list[tuple[str, str, str]]:
    """Return id, address and password of people who may sign in; each has a password of their own."""
    people = []
    for number in range(PARALLEL):
        address, password = f"person{number}@example.com", f"a password of number {number}"
        hashed = await iam.tools.passwords.hash(password)
        user = User(email=address, email_key=address, hashed_password=hashed, is_verified=True)
        people.append((str((await iam.tools.users.insert(user)).id), address, password))
    return people


async def _logins(
    app: FastAPI, people: list[tuple[str, str, str]], shared: Redis, servers: Sequence[int]
) -> dict[str, float]:
    """
    Let everybody sign in at once, beside as many comparisons of bare argon2 on the same number of threads.

    The servers of the data run on the same cores here, and the one for MongoDB is no mongod, so there are two ratios:
    of logins a second, servers and all, and of the processor time of this process, which is what the service adds.
    The client is a call of the app: it costs next to nothing, and there is no socket and no HTTP parser.
    """
    rounds = []
    for _ in range(ROUNDS):
        shared.flushall()  # limits are for people, not for this
        alone, cpu_alone = _comparisons()
        data, started, cpu, own = _processor_time(servers), time.perf_counter(), time.process_time(), time.thread_time()
        await _everybody(app, people)
        seconds, cpu, own = time.perf_counter() - started, time.process_time() - cpu, time.thread_time() - own
        rounds.append(
            (alone / seconds, cpu_alone / cpu, seconds, alone, cpu_alone, own, _processor_time(servers) - data)
        )
    ratio, cpu_ratio, seconds, alone, cpu_alone, own, data = map(statistics.median, zip(*rounds, strict=True))
    return {
        "logins_per_second": len(people) / seconds,
        "argon2_per_second": len(people) / alone,
        "ratio_logins": ratio,
        "ratio_logins_cpu": cpu_ratio,
        "login_without_argon2_ms": own / len(people) * 1e3,
        "login_data_servers_ms": data / len(people) * 1e3,
        "argon2_ms": cpu_alone / len(people) * 1e3,
        **await _stalls(app, people, shared),
    }


async def _stalls(app: FastAPI, people: list[tuple[str, str, str]], shared: Redis) -> dict[str, float]:
    """Watch the loop meanwhile: in rounds of their own, because watching takes time too."""
    rounds = []
    for _ in range(ROUNDS):
        shared.flushall()
        async with _heartbeat() as late, _longest_hold() as held:
            await _everybody(app, people)
        rounds.append((max(late), _p99(late), held[0]))
    stall, stall_p99, hold = map(statistics.median, zip(*rounds, strict=True))
    return {
        "stall_ms": stall * 1e3,
        "stall_p99_ms": stall_p99 * 1e3,
        "hold_ms": hold * 1e3,
        "stall_argon2_alone_ms": await _stall_of_argon2(),
    }


async def _everybody(app: FastAPI, people: list[tuple[str, str, str]]) -> None:
    await asyncio.gather(*(_login(app, number, person) for number, person in enumerate(people)))


async def _login(app: FastAPI, number: int, person: tuple[str, str, str]) -> None:
    """Sign somebody in from an address of their own."""
    _, address, password = person
    body = json.dumps({"email": address, "password": password}).encode()
    path = "/api/v1/auth/login"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"benchmark"), (b"content-type", b"application/json")],
        "client": (f"203.0.113.{number}", 50_000),
        "server": ("benchmark", 80),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"a login answered {sent[0]['status']}: {sent[1]['body'].decode()}")


def _processor_time(pids: Sequence[int]) -> float:
    """Return the seconds that other processes have used so far; Linux tells them in nanoseconds, others nothing."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[list[float]]:
    """Give a list that fills with how much later than asked for the loop came back, in seconds."""
    late: list[float] = []

    async def beat() -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            late.append(time.perf_counter() - due)

    task = asyncio.create_task(beat())
    try:
        yield late
    finally:
        task.cancel()


@asynccontextmanager
async def _longest_hold() -> AsyncIterator[list[float]]:
    """Give the longest that one callback kept the loop, in processor time, which other processes do not add to."""
    held, run = [0.0], asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        held[0] = max(held[0], time.thread_time() - started)

    asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]  # seen from outside it is no method
    try:
        yield held
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


async def _stall_of_argon2() -> float:
    """Return the same stall while bare argon2 keeps the cores as busy, and the loop has nothing to do."""
    async with _heartbeat() as late:
        await asyncio.to_thread(_comparisons)
    return max(late) * 1e3


def _comparisons() -> tuple[float, float]:
    """Return the seconds and the processor time of as many comparisons."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    stored = hasher.hash("a password")
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        list(pool.map(lambda _: None, range(8)))
        started, cpu = time.perf_counter(), time.process_time()
        list(pool.map(lambda _: hasher.verify(stored, "a password"), range(PARALLEL)))
        return time.perf_counter() - started, time.process_time() - cpu


async def _lookups(app: FastAPI, person: tuple[str, str, str], shared: Redis) -> dict[str, float]:
    """Compare finding the caller of a request with one bare command, and count the commands of each server."""
    tools, user_id = app.state.iam.tools, person[0]
    signed_in = await app.state.iam.users.login(person[1], person[2], Device(ip="203.0.113.200"))
    session_id = signed_in.session_id
    manager = get_redis_manager()
    await tools.find(user_id)
    await tools.sessions.is_revoked(session_id)

    async def bare() -> None:
        await manager.run(0, lambda client: client.get("user:nobody"))

    async def user() -> None:
        tools.cache._local.clear()
        await tools.find(user_id)

    async def caller() -> None:
        tools.cache._local.clear()
        await asyncio.gather(tools.sessions.is_revoked(session_id), tools.find(user_id))

    async def near() -> None:
        await asyncio.gather(tools.sessions.is_revoked(session_id), tools.find(user_id))

    times = {work.__name__: await _median_us(work) for work in (bare, user, caller, near)}
    return {
        "redis_us": times["bare"],
        "user_us": times["user"],
        "caller_us": times["caller"],
        "caller_near_us": times["near"],
        "ratio_user": times["user"] / times["bare"],
        "ratio_caller": times["caller"] / times["bare"],
        "user_commands": await _commands(shared, user),
        "caller_commands": await _commands(shared, caller),
        "caller_near_commands": await _commands(shared, near),
    }


async def _median_us(work: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(LOOKUPS):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


async def _commands(shared: Redis, work: Callable[[], Awaitable[None]]) -> float:
    """Return how many commands Redis gets for one call."""
    shared.config_resetstat()
    for _ in range(LOOKUPS):
        await work()
    counted: dict[str, dict[str, int]] = shared.info("commandstats")
    calls = sum(
        each["calls"] for name, each in counted.items() if not name.startswith(("cmdstat_config", "cmdstat_info"))
    )
    return calls / LOOKUPS


if __name__ == "__main__":
    print(json.dumps({name: round(value, 3) for name, value in measure().items()}, indent=2))
