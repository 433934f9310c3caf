import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mysingle._kernel.errors import ResourceExhaustedError
from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._counters import Counter, Counters, MemoryCounters, RedisCounters, Rule
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._throttle import Limit, Throttle
from mysingle.database import get_redis_client, get_redis_manager

IP = "192.0.2.1"
LADDER = Rule(attempts=3, window_seconds=100, first_delay_seconds=10, max_delay_seconds=50)
WINDOW = Rule(attempts=3, window_seconds=100)


@pytest.fixture(params=["redis", "memory"])
def counters(request: pytest.FixtureRequest, settings: CommonSettings, database: Any) -> Counters:
    """Both places where attempts are counted."""
    return RedisCounters(settings.REDIS_DB_RATE_LIMIT) if request.param == "redis" else MemoryCounters()


@pytest.fixture
def throttle(settings: CommonSettings, secret: MasterSecret, clock: Any, counters: Counters) -> Throttle:
    return Throttle(settings, secret, clock=clock, counters=counters)


async def wait(throttle: Throttle, account: str = "alice", ip: str | None = IP, password: str | None = None) -> float:
    """Return how long an attempt has to wait; 0 when it may go on."""
    try:
        await throttle.check_login(account, ip, password=password)
    except ResourceExhaustedError as error:
        return float(error.retry_after_seconds or 0)
    return 0.0


class TestCounters:
    async def test_ladder(self, counters: Counters) -> None:
        """The third of three attempts begins a delay, which doubles up to its bound and never ends for good."""
        now, waits, counter = 1000.0, [], Counter("a", LADDER)
        first = [await counters.attempt([counter], now) for _ in range(3)]
        for _ in range(6):
            waits.append(await counters.attempt([counter], now))
            now += waits[-1]
            assert await counters.attempt([counter], now) == 0

        assert (first, waits) == ([0, 0, 0], [10, 20, 40, 50, 50, 50])

    async def test_refused_attempts_do_not_count(self, counters: Counters) -> None:
        """Whoever goes on during a delay makes it no longer."""
        for _ in range(3):
            await counters.attempt([Counter("a", LADDER)], 1000.0)
        waits = [await counters.attempt([Counter("a", LADDER)], 1000.0 + second) for second in range(10)]

        assert [float(10 - second) for second in range(10)] == waits
        assert await counters.attempt([Counter("a", LADDER)], 1010.0) == 0

    async def test_pause_forgets(self, counters: Counters) -> None:
        """After a pause as long as the window the count begins anew."""
        for _ in range(3):
            await counters.attempt([Counter("a", LADDER)], 1000.0)
        results = [await counters.attempt([Counter("a", LADDER)], 1101.0) for _ in range(4)]

        assert results == [0.0, 0.0, 0.0, 10.0]

    async def test_window(self, counters: Counters) -> None:
        """A number is possible in a window that begins with the first, then nothing until it ends."""
        results = [await counters.attempt([Counter("a", WINDOW)], 1000.0 + second) for second in (0, 1, 2, 3, 99, 100)]

        assert results[:5] == [0.0, 0.0, 0.0, 97.0, 1.0]
        assert results[5] == 0

    async def test_all_or_none(self, counters: Counters) -> None:
        """An attempt that one counter refuses is counted by none."""
        for _ in range(3):
            await counters.attempt([Counter("full", WINDOW)], 1000.0)
        for _ in range(5):
            assert await counters.attempt([Counter("full", WINDOW), Counter("other", WINDOW)], 1000.0) == 100

        assert [await counters.attempt([Counter("other", WINDOW)], 1000.0) for _ in range(4)] == [0, 0, 0, 100]

    async def test_forgive(self, counters: Counters) -> None:
        """One attempt is taken back from a window, all from a ladder, and from nothing nothing."""
        both = [Counter("window", WINDOW), Counter("ladder", LADDER)]
        await counters.forgive(both, 1000.0)
        for _ in range(3):
            await counters.attempt(both, 1000.0)
        await counters.forgive(both, 1000.0)

        assert [await counters.attempt([Counter("window", WINDOW)], 1000.0) for _ in range(2)] == [0, 100]
        assert [await counters.attempt([Counter("ladder", LADDER)], 1000.0) for _ in range(4)] == [0, 0, 0, 10]

    async def test_at_once(self, counters: Counters) -> None:
        """Of many attempts at once no more get through than one after another."""
        results = await asyncio.gather(*(counters.attempt([Counter("a", LADDER)], 1000.0) for _ in range(50)))

        assert results.count(0.0) == 3


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["attempt", "forgive"]), st.sampled_from("ab"), st.integers(0, 60)), max_size=40)
)
def test_both_count_alike(steps: list[tuple[str, str, int]]) -> None:
    """Whatever happens, no ladder holds longer than its longest delay and no window longer than itself."""

    async def run() -> None:
        counters, now = MemoryCounters(), 1000.0
        for what, key, pause in steps:
            now += pause
            both = [Counter(key, LADDER), Counter(f"w{key}", WINDOW)]
            if what == "forgive":
                await counters.forgive(both, now)
            else:
                assert 0 <= await counters.attempt(both, now) <= 100

    asyncio.run(run())


async def test_same_steps_same_answers(settings: CommonSettings, database: Any) -> None:
    """Redis and memory give the same answer to the same steps."""
    shared, local, now = RedisCounters(settings.REDIS_DB_RATE_LIMIT), MemoryCounters(), 1000.0
    for step in range(120):
        counters = [Counter("a", LADDER), Counter(f"b{step % 3}", WINDOW)]
        now += (step * 7) % 13
        if step % 17 == 16:
            await shared.forgive(counters, now)
            await local.forgive(counters, now)
        assert await shared.attempt(counters, now) == pytest.approx(await local.attempt(counters, now))


async def test_forgotten_programs(settings: CommonSettings, database: Any) -> None:
    """A Redis that was started again, or has forgotten our programs, is told them again."""
    counters, results = RedisCounters(settings.REDIS_DB_RATE_LIMIT), []
    for _ in range(4):
        await (await get_redis_client(settings.REDIS_DB_RATE_LIMIT)).script_flush()
        results.append(await counters.attempt([Counter("a", WINDOW)], 1000.0))

    assert results == [0, 0, 0, 100]


async def test_keys_are_ours_and_end(settings: CommonSettings, secret: MasterSecret, database: Any) -> None:
    """Counters are under `authrl:` in their database, end within an hour, and show no address and no password."""
    throttle = Throttle(settings, secret)
    await throttle.check_login("alice@example.com", IP, password="hunter2hunter2")
    await throttle.allow(Limit.MAIL, "alice@example.com")
    redis = await get_redis_client(settings.REDIS_DB_RATE_LIMIT)
    names = [name async for name in redis.scan_iter()]

    assert len(names) == 4
    assert all(name.startswith("authrl:") for name in names)
    assert not [name for name in names if "alice" in name or "192" in name or "hunter" in name]
    assert all([0 < await redis.ttl(name) <= 3600 for name in names])


async def test_sixth_failure(throttle: Throttle, clock: Any) -> None:
    """D03: five attempts for one account are free; the sixth within 15 minutes waits, and waits longer each time."""
    first = [await wait(throttle, ip=f"192.0.2.{number}") for number in range(5)]
    sixth = await wait(throttle, ip="192.0.2.99")
    clock.advance(sixth)
    again = [await wait(throttle), await wait(throttle)]

    assert (first, sixth, again) == ([0.0] * 5, 30.0, [0.0, 60.0])


async def test_never_permanent(throttle: Throttle, clock: Any) -> None:
    """D03: however often somebody fails, the next attempt is possible after at most 15 minutes."""
    for _ in range(30):
        delay = await wait(throttle)
        assert delay <= 900
        clock.advance(delay)


async def test_no_oracle(throttle: Throttle, clock: Any) -> None:
    """D03: during the delay every attempt is refused before anything is looked at, the right password too."""
    for _ in range(5):
        await wait(throttle)
        await throttle.failed_login("alice", IP)

    assert await wait(throttle, password="the right one") > 0


async def test_success_starts_afresh(throttle: Throttle) -> None:
    """Who gets in has five free attempts again."""
    for _ in range(4):
        await wait(throttle)
    assert await wait(throttle) == 0
    await throttle.succeeded("alice", IP)

    assert [await wait(throttle) for _ in range(5)] == [0.0] * 5
    assert await wait(throttle) > 0


async def test_many_accounts_from_one_address(throttle: Throttle, clock: Any) -> None:
    """D03: a hundred accounts from one address are too many; other addresses go on, and this one does later."""
    waits = [await wait(throttle, account=f"user{number}") for number in range(100)]
    other = await wait(throttle, account="user0", ip="198.51.100.1")
    clock.advance(900)

    assert (waits.count(0.0), other) == (40, 0.0)
    assert await wait(throttle, account="user200") == 0


async def test_people_behind_one_address(throttle: Throttle) -> None:
    """Those who get in do not count: an office with one address can sign in all day."""
    for number in range(100):
        assert await wait(throttle, account=f"user{number}") == 0
        await throttle.succeeded(f"user{number}", IP)


async def test_one_password_on_many_accounts(throttle: Throttle) -> None:
    """D03: one password tried on many accounts from many addresses is noticed; other passwords go on."""
    waits = [
        await wait(throttle, account=f"user{number}", ip=f"2001:db8:{number:x}::1", password="Winter-2026-x")
        for number in range(20)
    ]

    assert waits.count(0.0) == 10
    assert await wait(throttle, account="alice", ip="198.51.100.1", password="something else") == 0


@pytest.mark.parametrize(
    ("addresses", "is_one"),
    [
        (("2001:db8::1", "2001:db8::ffff:2"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("192.0.2.1", "::ffff:192.0.2.1"), True),
        (("192.0.2.1", "192.0.2.2"), False),
    ],
)
async def test_address(throttle: Throttle, addresses: tuple[str, str], is_one: bool) -> None:
    """An IPv6 site counts as one address, and IPv4 in IPv6 clothes as itself."""
    for number in range(40):
        await wait(throttle, account=f"user{number}", ip=addresses[0])

    assert is_one == (await wait(throttle, account="alice", ip=addresses[1]) > 0)


async def test_no_address(throttle: Throttle) -> None:
    """Without an address the account is still counted."""
    assert [await wait(throttle, ip=None) for _ in range(5)] == [0.0] * 5
    assert await wait(throttle, ip=None) > 0


async def test_mails(throttle: Throttle, clock: Any) -> None:
    """D12: three mails an hour for one account; others get theirs."""
    results = [await throttle.allow(Limit.MAIL, "alice") for _ in range(5)]
    bob = await throttle.allow(Limit.MAIL, "bob")
    clock.advance(3600)

    assert (results, bob) == ([True, True, True, False, False], True)
    assert await throttle.allow(Limit.MAIL, "alice")


async def test_require_and_forgive(throttle: Throttle) -> None:
    """Above a limit a caller gets 429 with the time to wait, and what is forgiven does not count."""
    for _ in range(50):
        await throttle.require(Limit.REAUTH, "alice")
        await throttle.forgive(Limit.REAUTH, "alice")
    for _ in range(5):
        await throttle.require(Limit.REAUTH, "alice")

    with pytest.raises(ResourceExhaustedError, match="Wait") as caught:
        await throttle.require(Limit.REAUTH, "alice")
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("RATE_LIMITED", 30)
    assert await throttle.allow(Limit.REGISTER, None)
    await throttle.forgive(Limit.REGISTER, None)


async def test_limits_are_apart(throttle: Throttle) -> None:
    """What is counted for one purpose is not counted for another."""
    for _ in range(3):
        await throttle.allow(Limit.MAIL, "alice")

    assert await throttle.allow(Limit.REGISTER, "alice")
    assert await wait(throttle, account="alice") == 0


async def test_redis_killed(
    away: Callable[[], None], settings: CommonSettings, secret: MasterSecret, clock: Any
) -> None:
    """Without Redis each process counts on, and forgives nothing that it has seen before."""
    throttle = Throttle(settings, secret, clock=clock)
    for _ in range(4):
        assert await wait(throttle) == 0
    away()

    assert await wait(throttle) == 0
    assert await wait(throttle) == 30
    await throttle.succeeded("alice", IP)
    assert await wait(throttle) == 0


async def test_shared(settings: CommonSettings, secret: MasterSecret, clock: Any, database: Any) -> None:
    """Two processes count together."""
    one, two = Throttle(settings, secret, clock=clock), Throttle(settings, secret, clock=clock)
    waits = [await wait(throttle) for throttle in (one, two, one, two, one, two)]

    assert (waits[:5], waits[5]) == ([0.0] * 5, 30.0)


async def test_memory_is_bounded() -> None:
    """However many things are counted, the memory holds a bounded number of them."""
    counters = MemoryCounters(max_counters=10)
    for number in range(1000):
        await counters.attempt([Counter(str(number), WINDOW)], 1000.0)

    assert len(counters._states) == 10


async def test_metric(throttle: Throttle) -> None:
    """Attempts are counted by what became of them."""
    logins = process_metrics().logins

    def read() -> list[float]:
        return [logins.labels(result)._value.get() for result in ("succeeded", "failed", "refused")]

    before = read()
    for _ in range(6):
        await wait(throttle)
    await throttle.failed_login("alice", IP)
    await throttle.succeeded("alice", IP)

    assert [after - former for after, former in zip(read(), before, strict=True)] == [1, 1, 1]
    await get_redis_manager().close()


async def test_what_is_refused_pushes_nothing_out() -> None:
    """A flood of refused attempts on other names does not make the memory forget what it counts."""
    memory = MemoryCounters(max_counters=4)
    blocked, victim = Counter("ip", WINDOW), Counter("account:victim", LADDER)
    for _ in range(3):
        await memory.attempt([victim], 0.0)
        await memory.attempt([blocked], 0.0)
    flood = [await memory.attempt([Counter(f"account:{number}", LADDER), blocked], 1.0) for number in range(20)]

    assert min(flood) > 0
    assert await memory.attempt([victim], 1.0) > 0
