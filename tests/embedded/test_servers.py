"""One embedded server: its life, its data, and every way its start can fail."""

import os
import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis
from pymongo import MongoClient

from mysingle.embedded import DataDirectoryInUseError, EmbeddedMongo, EmbeddedRedis, PortInUseError, ServerStartError

SERVERS = [pytest.param(EmbeddedMongo, id="mongo"), pytest.param(EmbeddedRedis, id="redis")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def put(server: EmbeddedMongo | EmbeddedRedis, value: str) -> None:
    if isinstance(server, EmbeddedMongo):
        with MongoClient[dict[str, str]](server.url) as client:
            client.app.notes.insert_one({"text": value})
    else:
        with closing(redis.Redis.from_url(server.url)) as client:
            client.set("text", value)


def get(server: EmbeddedMongo | EmbeddedRedis) -> str | None:
    if isinstance(server, EmbeddedMongo):
        with MongoClient[dict[str, str]](server.url) as client:
            document = client.app.notes.find_one()
            return document["text"] if document else None
    with closing(redis.Redis.from_url(server.url, decode_responses=True)) as client:
        return client.get("text")


@pytest.fixture(params=["mongo", "redis"])
def on_disk(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedMongo | EmbeddedRedis:
    return EmbeddedMongo(tmp_path, sync_on_commit=True) if request.param == "mongo" else EmbeddedRedis(tmp_path)


@pytest.mark.parametrize("kind", SERVERS)
def test_serves_in_memory(kind: type[EmbeddedMongo | EmbeddedRedis]) -> None:
    """A started server stores and returns data on a loopback port."""
    with kind() as server:
        put(server, "hello")

        assert (server.host, get(server)) == ("127.0.0.1", "hello")


@pytest.mark.parametrize("kind", SERVERS)
def test_stop_leaves_nothing(
    kind: type[EmbeddedMongo | EmbeddedRedis], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When stop returns, the process of a server in memory is gone and its temporary directory with it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = kind().start()
    pid = server.pid

    server.stop()

    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == []


def test_kill_and_restart_keeps_data(on_disk: EmbeddedMongo | EmbeddedRedis) -> None:
    """After SIGKILL the server starts again on the same port and still has what it acknowledged."""
    with on_disk:
        put(on_disk, "survivor")
        port, pid = on_disk.port, on_disk.pid
        on_disk.kill()
        assert not is_alive(pid)

        on_disk.start()

        assert (port, "survivor") == (on_disk.port, get(on_disk))
        on_disk.kill()  # a faster end than stop


def test_stop_and_restart_keeps_data(on_disk: EmbeddedMongo | EmbeddedRedis) -> None:
    """After an orderly stop the server starts again on the same port with its data."""
    with on_disk:
        put(on_disk, "survivor")
        port = on_disk.port
    with on_disk:
        assert (port, "survivor") == (on_disk.port, get(on_disk))
        on_disk.kill()


def test_restart_in_memory_is_empty() -> None:
    """Data in memory end with the server; the port stays."""
    with EmbeddedRedis() as server:
        put(server, "forgotten")
        port = server.port
        server.kill()
        server.start()

        assert (port, None) == (server.port, get(server))


def test_crash_is_seen_and_repaired() -> None:
    """A server that died by itself is not running, and start brings it back."""
    with EmbeddedRedis() as server:
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while server.is_running and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server.is_running

        server.start()

        assert server.is_running


def test_start_twice_is_once() -> None:
    """Starting a running server changes nothing."""
    with EmbeddedRedis() as server:
        pid = server.pid

        assert pid == server.start().pid


def test_stop_twice() -> None:
    """Stopping a stopped server does nothing."""
    server = EmbeddedRedis().start()
    server.stop()

    server.stop()

    assert not server.is_running


def test_port_before_start() -> None:
    """A port that is not chosen yet is an error, not a guess."""
    with pytest.raises(RuntimeError, match="no port before its first start"):
        _ = EmbeddedRedis().url


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent's death")
def test_killed_keeper_takes_server_along() -> None:
    """A server does not outlive its keeper, even when the keeper is killed."""
    server = EmbeddedRedis().start()
    assert server._process is not None
    os.kill(server._process._keeper.pid, signal.SIGKILL)

    deadline = time.monotonic() + 5
    while _answers(server.port) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not _answers(server.port)
    server.stop()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("kind", SERVERS)
def test_fixed_port_taken(kind: type[EmbeddedMongo | EmbeddedRedis], neighbour: EmbeddedRedis) -> None:
    """A fixed port on which another server answers is an error that says so, never that server."""
    with pytest.raises(PortInUseError, match=f"127.0.0.1:{neighbour.port}: the port is taken"):
        kind(port=neighbour.port).start()


def test_free_port_lost_in_a_race_is_replaced(neighbour: EmbeddedRedis) -> None:
    """When somebody takes the free port before the server binds it, another one is tried."""

    class Unlucky(EmbeddedRedis):
        attempts = 0

        def _command(self, home: Path, port: int) -> tuple[str, ...]:
            self.attempts += 1
            return super()._command(home, neighbour.port if self.attempts == 1 else port)

    with Unlucky() as server:
        assert (server.attempts, _answers(server.port)) == (2, True)


def test_redis_that_dies_at_boot() -> None:
    """A server that ends while it starts is reported at once, with its own words."""
    started = time.monotonic()

    with pytest.raises(ServerStartError, match=r"(?s)valkey-server ended with status 1.*databases.*1 and"):
        EmbeddedRedis(databases=0).start()

    assert time.monotonic() - started < 5


def test_mongo_that_dies_at_boot(tmp_path: Path) -> None:
    """A data directory that SecantusDB cannot open is reported with the end of its log."""
    (tmp_path / "data").write_text("a file, not a directory")

    with pytest.raises(ServerStartError, match=r"(?s)SecantusDB ended with status 1.*server\.log.*File exists"):
        EmbeddedMongo(tmp_path).start()


def test_executable_that_does_not_exist() -> None:
    """A command that cannot be run at all is an error with the reason."""

    class Missing(EmbeddedRedis):
        def _command(self, home: Path, port: int) -> tuple[str, ...]:
            return ("/nonexistent/valkey-server",)

    with pytest.raises(ServerStartError, match=r"(?s)could not be started.*/nonexistent/valkey-server"):
        Missing().start()


def test_data_dir_of_a_running_server(tmp_path: Path) -> None:
    """A second server on the same data directory is refused at once, with the owner and what to do."""
    with EmbeddedRedis(tmp_path):
        started = time.monotonic()
        with pytest.raises(DataDirectoryInUseError, match=f"in use by process {os.getpid()}.*another data_dir"):
            EmbeddedRedis(tmp_path).start()

        assert time.monotonic() - started < 1


def test_failed_start_frees_data_dir(tmp_path: Path) -> None:
    """A start that failed does not lock the data directory."""
    with pytest.raises(ServerStartError, match="ended with status"):
        EmbeddedRedis(tmp_path, databases=0).start()

    with EmbeddedRedis(tmp_path) as server:
        assert server.is_running


def test_log_of_the_run_before(tmp_path: Path) -> None:
    """After a crash and a restart the log of the crashed run is still there."""
    with EmbeddedRedis(tmp_path) as server:
        crashed = server.pid
        server.kill()
        server.start()

        assert f"pid={crashed}" in (tmp_path / "server.log.1").read_text()
