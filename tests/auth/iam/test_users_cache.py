import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._user_codec import UserCodec, tombstone
from mysingle.auth.iam._users_cache import UserCache
from mysingle.auth.iam._values import UserView, instant
from mysingle.database import CodecError, get_redis_client, get_redis_manager

ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"


def view(user_id: str = ALICE, **fields: Any) -> UserView:
    values = {"email": "alice@example.com", "email_key": "alice@example.com", "roles": ("trader", "admin")}
    return UserView(**{"id": user_id, "created_at": instant(), "updated_at": instant(), **values, **fields})


class Caches:
    """Caches of several processes, closed at the end."""

    def __init__(self, settings: CommonSettings, secret: MasterSecret) -> None:
        self._settings = settings
        self._secret = secret
        self.made: list[UserCache] = []

    def __call__(self, secret: MasterSecret | None = None, **options: Any) -> UserCache:
        self.made.append(UserCache(self._settings, secret or self._secret, **options))
        return self.made[-1]

    async def listening(self, **options: Any) -> UserCache:
        cache = self(**options)
        await cache.open()
        await until(lambda: cache._is_listening)
        return cache


@pytest.fixture
async def caches(settings: CommonSettings, secret: MasterSecret, database: Any) -> AsyncIterator[Caches]:
    caches = Caches(settings, secret)
    yield caches
    for cache in caches.made:
        await cache.close()
    await get_redis_manager().close()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class TestCodec:
    def test_round_trip(self) -> None:
        """A user comes back as it was, with its times and roles."""
        codec, user = UserCodec(b"k" * 32), view(last_login_at=instant(), full_name="Ünal", version=7)

        assert user == codec.decode(codec.encode(user))

    @pytest.mark.parametrize("place", [0, 5, 19, 20, 51, 52, 80, -1])
    def test_any_change_is_noticed(self, place: int) -> None:
        """A value with one bit changed anywhere is no value."""
        codec = UserCodec(b"k" * 32)
        data = bytearray(codec.encode(view()))
        data[place] ^= 1

        with pytest.raises(CodecError, match="no user"):
            codec.decode(bytes(data))

    @pytest.mark.parametrize("data", [b"", b"MSU2", tombstone(), b"x" * 500, b'MSJ1{"id": "a"}'])
    def test_foreign(self, data: bytes) -> None:
        """Foreign bytes are no user and no other error."""
        with pytest.raises(CodecError, match="no user"):
            UserCodec(b"k" * 32).decode(data)

    @pytest.mark.parametrize(("age", "is_user"), [(0, True), (300, True), (-59, True), (361, False), (-61, False)])
    def test_age(self, age: int, is_user: bool) -> None:
        """A value that somebody has copied, and puts back when it is old, is no user; clocks may differ by a minute."""
        now = [1_795_391_029.0]
        codec = UserCodec(b"k" * 32, clock=lambda: now[0])
        data = codec.encode(view(is_superuser=True))
        now[0] += age

        if is_user:
            assert codec.decode(data).is_superuser
        else:
            with pytest.raises(CodecError, match="no user"):
                codec.decode(data)

    def test_other_key(self) -> None:
        """What another service has signed is no user."""
        with pytest.raises(CodecError, match="no user"):
            UserCodec(b"k" * 32).decode(UserCodec(b"x" * 32).encode(view()))

    def test_no_hash(self) -> None:
        """Nothing of a password is ever in a cache."""
        assert b"hash" not in UserCodec(b"k" * 32).encode(view())
        assert not [name for name in UserView.__dataclass_fields__ if "hash" in name]


async def test_put_and_get(caches: Caches) -> None:
    """What one process has read another one finds, for five minutes, in the database of users."""
    one, two, user = caches(), caches(), view()
    await one.put(user)
    redis = await get_redis_client(0)

    assert user == await two.get(ALICE)
    assert await two.get(BOB) is None
    assert 290 < await redis.ttl(f"user:{ALICE}") <= 300


async def test_older_version_changes_nothing(caches: Caches) -> None:
    """A reader that was slow does not put back what a change has replaced."""
    cache = caches()
    await cache.replace(view(version=3, is_superuser=False))
    await cache.put(view(version=2, is_superuser=True))

    assert (await caches().get(ALICE)) == (await cache.get(ALICE))
    assert (await cache.get(ALICE) or view()).version == 3


async def test_drop(caches: Caches) -> None:
    """A dropped user is in no cache, and a slow reader does not bring it back."""
    cache = await caches.listening()
    await cache.put(view())
    await cache.drop(ALICE)
    await cache.put(view())

    assert await cache.get(ALICE) is None
    assert await caches().get(ALICE) is None


async def test_after_the_drop(caches: Caches) -> None:
    """Two seconds after a drop the user can be remembered again."""
    cache = caches()
    await cache.drop(ALICE)
    redis = await get_redis_client(0)
    await redis.pexpire(f"user:{ALICE}", 1)
    await asyncio.sleep(0.05)
    await cache.put(view(version=2))

    assert (await caches().get(ALICE) or view()).version == 2


@pytest.mark.parametrize("how", ["replace", "drop"])
async def test_other_process(caches: Caches, how: str) -> None:
    """B19: a change in one process reaches the others at once, although they have the user in their memory."""
    one, two = await caches.listening(), await caches.listening()
    await one.put(view(is_superuser=True))
    assert (await two.get(ALICE) or view()).is_superuser
    if how == "replace":
        await one.replace(view(version=2, is_superuser=False))
    else:
        await one.drop(ALICE)
    await until(lambda: two._local.get(ALICE) is None)
    found = await two.get(ALICE)

    assert found is None or not found.is_superuser


async def test_in_process(caches: Caches) -> None:
    """A user is in the memory for at most five seconds."""
    now = [100.0]
    cache = await caches.listening(clock=lambda: now[0])
    await cache.put(view())
    await (await get_redis_client(0)).flushdb()
    now[0] += 4.9
    early = await cache.get(ALICE)
    now[0] += 0.2

    assert (early is not None, await cache.get(ALICE)) == (True, None)


async def test_deaf_process_remembers_nothing(caches: Caches) -> None:
    """A process that cannot hear of changes asks Redis every time."""
    cache = caches()
    await cache.put(view())
    await (await get_redis_client(0)).flushdb()

    assert await cache.get(ALICE) is None


@pytest.mark.parametrize(
    "forge",
    [
        lambda codec: UserCodec(b"x" * 32).encode(view(is_superuser=True, version=99)),
        lambda codec: codec.encode(view(BOB, is_superuser=True)),
        lambda codec: b'{"is_superuser": true}',
    ],
    ids=["other key", "other user", "no format"],
)
async def test_forged(caches: Caches, secret: MasterSecret, forge: Any) -> None:
    """A28: whoever else can write into that Redis makes nobody a superuser."""
    redis = await get_redis_client(0)
    await redis.set(f"user:{ALICE}", forge(UserCodec(secret.derive("user-cache"))))

    assert await caches().get(ALICE) is None


async def test_redis_killed(away: Callable[[], None], own_redis: Any, caches: Caches) -> None:
    """B22: without Redis everything is a miss and no error; when it is back, what changed meanwhile is not believed."""
    cache = await caches.listening()
    old = view(is_superuser=True)
    await cache.put(old)
    data = UserCodec(caches._secret.derive("user-cache")).encode(old)
    away()
    await until(lambda: not cache._is_listening)

    await cache.replace(view(version=2, is_superuser=False))
    await cache.drop(BOB)
    assert await cache.get(ALICE) is None
    await asyncio.to_thread(own_redis.start)
    await until(lambda: cache._is_listening)
    redis = await get_redis_client(0)
    await redis.set(f"user:{ALICE}", data)
    found = await cache.get(ALICE)

    assert found is None or not found.is_superuser
    await until(lambda: not cache._pending)


async def test_never_saved_back(caches: Caches) -> None:
    """A cached user is a frozen value: it has no way into the database."""
    await caches().put(view())
    found = await caches().get(ALICE)

    assert found is not None
    with pytest.raises(AttributeError):
        found.is_superuser = True  # type: ignore[misc]  # what the test is about
    assert not hasattr(found, "save")
    assert replace(found, version=2).version == 2


async def test_close_and_go_on(caches: Caches) -> None:
    """Closing twice is fine, and a closed cache still answers."""
    cache = await caches.listening()
    await cache.put(view())
    await cache.close()
    await cache.close()
    await cache.ping()

    assert await cache.get(ALICE)


async def test_memory_is_bounded(caches: Caches) -> None:
    """However many users there are, the memory holds a bounded number of them."""
    local = caches()._local
    for number in range(12_000):
        local.put(view(f"{number:024x}"))

    assert len(local._entries) == 10_000
