import asyncio
import time
from collections.abc import AsyncIterator

import argon2
import pytest

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.metrics import process_metrics
from mysingle.auth.iam import _passwords
from mysingle.auth.iam._passwords import PasswordHasher

PASSWORD = "correct horse battery staple"


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher()
    yield hasher
    await hasher.close()


async def test_round_trip(hasher: PasswordHasher) -> None:
    """A password matches its own hash and no other, and two hashes of it differ."""
    first, second = await hasher.hash(PASSWORD), await hasher.hash(PASSWORD)

    assert first != second
    assert await hasher.verify(PASSWORD, first) == (True, None)
    assert await hasher.verify(PASSWORD + "x", first) == (False, None)


async def test_parameters(hasher: PasswordHasher) -> None:
    """ASVS 11.4.2: argon2id with 19 MiB, two passes and one lane."""
    assert (await hasher.hash(PASSWORD)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    "password",
    [
        "\x00null\x00byte\x00",
        "пароль-пароль",
        "비밀번호비밀번호",
        "  spaces  ",
        "é" * 64,
        "e\u0301" * 64,
        "x" * 128,
        "🔑" * 8,
    ],
)
async def test_never_altered(hasher: PasswordHasher, password: str) -> None:
    """D04, ASVS 6.2.8: every character counts, those at the ends and the invisible ones too."""
    hashed = await hasher.hash(password)

    assert (await hasher.verify(password, hashed)).matches
    assert not (await hasher.verify(password.strip("\x00 ") + "y", hashed)).matches
    assert not (await hasher.verify(password[:-1], hashed)).matches


def test_composed_and_decomposed_differ() -> None:
    """What looks alike is not the same password: nothing is normalized."""
    assert "é" != "e\u0301"


@pytest.mark.parametrize(
    "hashed",
    [
        None,
        "",
        "plain text",
        "$2b$12$" + "a" * 53,
        "$argon2id$",
        "$argon2id$v=19$m=19456,t=2,p=1$####$####",
        "$argon2id$v=19$m=99999999999,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2x$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=1,p=1$é$é",
    ],
)
async def test_unusable_hash(hasher: PasswordHasher, hashed: str | None) -> None:
    """D04: no hash, a foreign one and a damaged one match nothing, and are no error."""
    assert await hasher.verify("a" * 73, hashed) == (False, None)


@pytest.mark.parametrize(
    "password", ["", "x" * 1025, "x" * 10_000_000, "\ud800" + PASSWORD], ids=["", "1k", "10M", "surrogate"]
)
async def test_impossible_password(hasher: PasswordHasher, password: str) -> None:
    """D04: what cannot be a password matches nothing, and is no error."""
    assert not (await hasher.verify(password, await hasher.hash(PASSWORD))).matches


@pytest.mark.parametrize("password", ["x" * 1025, "\udfff"], ids=["long", "surrogate"])
async def test_impossible_password_has_no_hash(hasher: PasswordHasher, password: str) -> None:
    """ASVS 6.2.8: nothing is cut off to make it fit."""
    with pytest.raises(ValueError, match="cannot be hashed"):
        await hasher.hash(password)


async def test_rehash(hasher: PasswordHasher) -> None:
    """A hash with other parameters is replaced once the password is known, and never before."""
    old = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    right, wrong = await hasher.verify(PASSWORD, old), await hasher.verify("wrong", old)

    assert right.matches
    assert right.new_hash is not None
    assert await hasher.verify(PASSWORD, right.new_hash) == (True, None)
    assert wrong == (False, None)


def test_dummy_has_the_same_parameters() -> None:
    """The work for an unknown user is the work for a known one."""
    hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    assert not hasher.check_needs_rehash(_passwords._DUMMY_HASH)


async def test_unknown_user_costs_as_much(hasher: PasswordHasher) -> None:
    """D01, ASVS 6.3.8: without a hash the same work is done; a hint of it is that it takes far longer than nothing."""
    hashed = await hasher.hash(PASSWORD)

    async def taken(stored: str | None) -> float:
        started = time.perf_counter()
        await hasher.verify("wrong", stored)
        return time.perf_counter() - started

    # In turns, so that whatever else the machine does is beside both; nothing at all would be a thousandth.
    known, unknown = zip(*[(await taken(hashed), await taken(None)) for _ in range(10)], strict=True)

    assert 0.2 < min(unknown) / min(known) < 5.0


async def test_too_many_wait() -> None:
    """Above the limit callers are told to come back, the others get their answer, and then there is room again."""
    hasher = PasswordHasher(workers=1, max_waiting=4)
    results = await asyncio.gather(*(hasher.verify(PASSWORD, None) for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, MySingleError)]

    assert (len(refused), len(results) - len(refused)) == (7, 5)
    assert {"AUTH_TEMPORARILY_UNAVAILABLE"} == {error.reason for error in refused}
    assert all(error.retry_after_seconds for error in refused)
    assert not (await hasher.verify(PASSWORD, None)).matches
    await hasher.close()


async def test_queue_is_measured() -> None:
    """The metric counts what works and waits, and is back at its start when all is done."""
    hasher = PasswordHasher(workers=1)
    gauge = process_metrics().password_jobs
    before = gauge._value.get()
    tasks = [asyncio.create_task(hasher.verify(PASSWORD, None)) for _ in range(5)]
    await asyncio.sleep(0)
    during = gauge._value.get()
    await asyncio.gather(*tasks)
    await hasher.close()

    assert (during - before, gauge._value.get() - before) == (5, 0)


async def test_caller_who_leaves() -> None:
    """A caller who goes away while waiting gives the place back."""
    hasher = PasswordHasher(workers=1, max_waiting=2)
    tasks = [asyncio.create_task(hasher.verify(PASSWORD, None)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(200):
        if hasher._places._value == 3:
            break
        await asyncio.sleep(0.01)

    assert not (await hasher.verify(PASSWORD, None)).matches
    assert hasher._places._value == 3
    await hasher.close()


async def test_loop_goes_on(hasher: PasswordHasher) -> None:
    """Fifty logins at once do not hold up the event loop; the bound is generous for a busy machine."""
    stalls: list[float] = []

    async def watch() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - started - 0.001)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(hasher.verify(PASSWORD, None) for _ in range(50)))
    watcher.cancel()

    assert sorted(stalls)[len(stalls) // 2] < 0.05
    assert len(stalls) > 10


async def test_close_and_go_on(hasher: PasswordHasher) -> None:
    """After its end the next use starts new threads, and closing twice is fine."""
    await hasher.close()
    await hasher.close()
    await hasher.open()
    await hasher.ping()

    assert not (await hasher.verify(PASSWORD, None)).matches
