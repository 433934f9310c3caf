"""One contract for every store: memory, a server, a cluster."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mysingle.database import KeyValueStore, MemoryStore, RedisClientManager, RedisConfig
from mysingle.database._redis_store import RedisStore

NAMES = st.sampled_from([b"p:a", b"p:b", b"p:*", b"p:?[x]\\", b"p: ", b"p:\xff\xfe", b"q:a", b"p", b"px:a"])
DATA = st.binary(max_size=200)
LONG = 60_000


async def test_life(store: KeyValueStore) -> None:
    """Bytes are there after set and away after delete, and each call says what it found."""
    assert await store.get(b"p:a") is None
    assert await store.get_aged(b"p:a") == (None, 0)
    assert await store.set(b"p:a", b"\x00\xff", LONG) is True
    assert await store.get(b"p:a") == b"\x00\xff"
    assert await store.exists(b"p:a") is True
    data, milliseconds = await store.get_aged(b"p:a")
    assert (data, 50_000 < milliseconds <= LONG) == (b"\x00\xff", True)
    assert await store.delete([b"p:a", b"p:b"]) == 1
    assert await store.exists(b"p:a") is False


async def test_many(store: KeyValueStore) -> None:
    """Many are stored and read in one call, in order, with None for what is missing."""
    assert await store.set_many([(b"p:a", b"1"), (b"p:b", b"2")], LONG) is True
    aged = await store.get_many_aged([b"p:b", b"none"])
    assert [data for data, _ in aged] == [b"2", None]
    assert 50_000 < aged[0].milliseconds <= LONG
    assert await store.get_many([b"p:b", b"none", b"p:a", b"p:b"]) == [b"2", None, b"1", b"2"]


async def test_add(store: KeyValueStore) -> None:
    """The first one to add wins; only the right bytes are deleted by `delete_if`."""
    assert [await store.add(b"p:l", b"mine", LONG), await store.add(b"p:l", b"yours", LONG)] == [True, False]
    assert await store.get(b"p:l") == b"mine"
    assert await store.delete_if(b"p:l", b"yours") is False
    assert await store.delete_if(b"p:l", b"mine") is True
    assert await store.delete_if(b"p:l", b"mine") is False


async def test_add_in_a_crowd(store: KeyValueStore) -> None:
    """Of a hundred who add at the same time one wins."""
    won = await asyncio.gather(*(store.add(b"p:l", b"%d" % number, LONG) for number in range(100)))

    assert sum(won) == 1


async def test_expiry(store: KeyValueStore) -> None:
    """What has expired is gone for every call; `expire` gives a new time to what is there."""
    await store.set(b"p:a", b"1", 50)
    await store.set(b"p:b", b"2", LONG)
    assert await store.expire(b"p:b", 50) is True
    assert await store.expire(b"p:none", 50) is False
    await asyncio.sleep(0.1)

    assert await store.get_many([b"p:a", b"p:b"]) == [None, None]
    assert not await store.exists(b"p:a")
    assert await store.delete([b"p:a"]) == 0
    assert await store.add(b"p:a", b"3", LONG) is True


@pytest.mark.parametrize("prefix", [b"p:", b"a*[b]?\\^:", b"\xff:"], ids=repr)
async def test_clear(store: KeyValueStore, prefix: bytes) -> None:
    """Clearing takes what begins with the prefix, and nothing that looks alike."""
    await store.set_many([(prefix + b"%d" % number, b"x") for number in range(1200)], LONG)
    near = [b"px:1", b"p", b"axxb1:1", b"\xfe:1", prefix[:-1]]
    await store.set_many([(name, b"x") for name in near], LONG)

    assert await store.clear(prefix) == 1200
    assert await store.clear(prefix) == 0
    assert await store.get_many(near) == [b"x"] * len(near)


async def test_large_and_strange(store: KeyValueStore) -> None:
    """Names of 10 KB, and bytes of every kind and of megabytes, come back as they were."""
    values = {b"p:" + b"x" * 10_000: bytes(range(256)), b"p:\r\n$-1\r\n": b"*1\r\n", b"p:big": b"z" * 4_000_000}
    for name, data in values.items():
        assert await store.set(name, data, LONG)

    assert await store.get_many(list(values)) == list(values.values())


class StoreMachine(RuleBasedStateMachine):
    """Any sequence of calls leaves a store as it leaves a dict."""

    kind = "memory"
    config: RedisConfig | None = None

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.manager = RedisClientManager(self.config) if self.config else None
        self.store: Any = RedisStore(self.manager, 8) if self.manager else MemoryStore()
        self.model: dict[bytes, bytes] = {}
        self.do(self.store.clear(b""))

    def do(self, call: Any) -> Any:
        return self.loop.run_until_complete(call)

    @rule(name=NAMES, data=DATA)
    def set_one(self, name: bytes, data: bytes) -> None:
        assert self.do(self.store.set(name, data, LONG)) is True
        self.model[name] = data

    @rule(entries=st.dictionaries(NAMES, DATA, min_size=1))
    def set_several(self, entries: dict[bytes, bytes]) -> None:
        assert self.do(self.store.set_many(list(entries.items()), LONG)) is True
        self.model |= entries

    @rule(name=NAMES, data=DATA)
    def add(self, name: bytes, data: bytes) -> None:
        assert self.do(self.store.add(name, data, LONG)) is (name not in self.model)
        self.model.setdefault(name, data)

    @rule(names=st.lists(NAMES, min_size=1, unique=True))
    def delete(self, names: list[bytes]) -> None:
        assert self.do(self.store.delete(names)) == sum(self.model.pop(name, None) is not None for name in names)

    @rule(name=NAMES, data=DATA)
    def delete_if(self, name: bytes, data: bytes) -> None:
        expected = self.model.get(name) == data
        assert self.do(self.store.delete_if(name, data)) is expected
        if expected:
            del self.model[name]

    @rule(name=NAMES)
    def expire(self, name: bytes) -> None:
        assert self.do(self.store.expire(name, LONG)) is (name in self.model)

    @rule(prefix=st.sampled_from([b"p:", b"q:", b"p:*", b"p:?"]))
    def clear(self, prefix: bytes) -> None:
        gone = [name for name in self.model if name.startswith(prefix)]
        assert self.do(self.store.clear(prefix)) == len(gone)
        for name in gone:
            del self.model[name]

    @invariant()
    def same_content(self) -> None:
        if not hasattr(self, "model"):
            return
        names = [b"p:a", b"p:b", b"p:*", b"p:?[x]\\", b"p: ", b"p:\xff\xfe", b"q:a", b"p", b"px:a"]
        assert self.do(self.store.get_many(names)) == [self.model.get(name) for name in names]
        assert self.do(self.store.exists(names[0])) is (names[0] in self.model)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            if self.manager is not None:
                self.do(self.manager.close())
            self.loop.close()


@pytest.mark.parametrize("kind", ["memory", "valkey", "cluster"])
def test_like_a_dict(kind: str, request: Any) -> None:
    """Any sequence of calls leaves every store as it leaves a dict."""
    config = None
    if kind == "valkey":
        config = RedisConfig(port=request.getfixturevalue("alone").port, timeout_seconds=5)
    elif kind == "cluster":
        nodes = request.getfixturevalue("cluster")
        config = RedisConfig(mode="cluster", nodes=tuple(f"127.0.0.1:{node.port}" for node in nodes), timeout_seconds=5)
    machine = type(f"{kind}Machine", (StoreMachine,), {"config": config})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # untyped library
        machine,
        settings=settings(
            max_examples=40 if kind == "memory" else 12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
