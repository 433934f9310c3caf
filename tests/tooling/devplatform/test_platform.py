"""`mysingle dev` with real processes: services, data servers, a gateway, and everything that may happen to them."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.tooling.devplatform.conftest import STARTED, Platform, free_ports, processes_of, running, wait_until
from tests.tooling.devplatform.conftest import write_service as write

STACK = """
[env]
COLOUR = "blue"

[gateway]
port = {ports[0]}

[services.first]
port = {ports[1]}
paths = ["/first"]
env = {{COLOUR = "red"}}

[services.second]
port = {ports[2]}
grpc_port = {ports[3]}
paths = ["/second"]

[services.third]
folder = "third"
port = {ports[4]}
"""

NO_MONGO = "mongodb://127.0.0.1:9"
"""A server that nobody needs: none is started, which makes a test quicker."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Run three services, both data servers and a gateway for all tests of this module."""
    folder = tmp_path_factory.mktemp("platform")
    for name in ("first", "second", "third"):
        write(folder, name)
    (folder / "mysingle.toml").write_text(STACK.format(ports=free_ports(5)))
    with running(folder) as started:
        started.wait_for(STARTED)
        yield started


def edit(platform: Platform, name: str, old: str, new: str) -> None:
    file = platform.folder / name / "app" / "main.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_cold_start(platform: Platform) -> None:
    """All services are ready when the addresses are shown, and the data servers answer there."""
    mongo, redis = (platform.address(name).rpartition(":")[2] for name in ("MongoDB", "Redis"))
    for port in (mongo, redis):
        socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()

    assert [httpx.get(f"{platform.address(name)}/ready").status_code for name in ("first", "second", "third")] == [
        200
    ] * 3


def test_variables(platform: Platform) -> None:
    """A service gets the platform's variables, those of the stack file, and its own, which count most."""
    first, second = (platform.facts(name)["variables"] for name in ("first", "second"))

    assert (first["ENVIRONMENT"], first["MONGODB_URL"]) == ("development", platform.address("MongoDB"))
    assert f"redis://{first['REDIS_HOST']}:{first['REDIS_PORT']}" == platform.address("Redis")
    assert (first["COLOUR"], second["COLOUR"]) == ("red", "blue")
    assert first["SECOND_GRPC_HOST"] == f"{second['GRPC_SERVER_HOST']}:{second['GRPC_SERVER_PORT']}"
    assert "FIRST_GRPC_HOST" not in first


def test_gateway(platform: Platform) -> None:
    """The gateway leads to the services that have paths, and lets nobody to any other."""
    gateway = platform.address("gateway")
    statuses = [httpx.get(f"{gateway}/{name}/facts").status_code for name in ("first", "second", "third")]

    assert statuses == [200, 200, 401]


def test_lines_have_names(platform: Platform) -> None:
    """In a pipe each line is as the service wrote it, behind its name."""
    line = platform.wait_for('"body":"service.ready"')

    assert line.startswith(("first    | {", "second   | {", "third    | {"))


def test_edit(platform: Platform) -> None:
    """An edit starts its service anew, with the new code, and touches no other."""
    before = {name: platform.facts(name)["pid"] for name in ("first", "second", "third")}
    mark = platform.mark()

    edit(platform, "first", '"answer": 1', '"answer": 2')
    platform.wait_for("first is ready", mark)

    after = {name: platform.facts(name)["pid"] for name in before}
    assert platform.facts("first")["answer"] == 2
    assert before.pop("first") != after.pop("first")
    assert before == after


def test_edits_in_a_row(platform: Platform) -> None:
    """However quickly edits follow each other, the last one is what runs."""
    for number in (10, 11, 12):
        mark = platform.mark()
        edit(platform, "second", '"answer": ', f'"answer": {number} or ')
        platform.wait_for("second starts anew", mark)

    assert wait_until(lambda: _answer(platform, "second") == 12)


def _answer(platform: Platform, name: str) -> object:
    try:
        return platform.facts(name)["answer"]
    except httpx.TransportError:
        return None


def test_syntax_error(platform: Platform) -> None:
    """A file that cannot be parsed is shown with its place, and the service goes on as it is."""
    before = platform.facts("third")["pid"]
    mark = platform.mark()

    edit(platform, "third", "def facts()", "def facts(")
    platform.wait_for("SyntaxError", mark)
    shown = "\n".join(platform.lines[mark:])
    edit(platform, "third", "def facts(", "def facts()")
    platform.wait_for("third is ready", mark)

    assert "goes on as it is until the next edit" in shown
    assert "main.py" in shown
    assert platform.facts("third")["pid"] != before


def test_service_that_cannot_start(platform: Platform) -> None:
    """A service that fails before it is ready is down, is not tried again, and comes back with the next edit."""
    mark = platform.mark()

    edit(platform, "third", "import os", "import os\nimport no_such_library")
    platform.wait_for("third ended with code", mark)
    down = platform.mark()
    mark = platform.mark()
    edit(platform, "third", "\nimport no_such_library", "")
    platform.wait_for("third is ready", mark)

    assert any("until the next edit" in line for line in platform.lines[:down])
    assert platform.facts("third")["answer"] == 1


def test_crash(platform: Platform) -> None:
    """A service that crashes again and again comes back, at last with a pause; the others do not notice."""
    before = platform.facts("first")["pid"]
    mark = platform.mark()
    for _ in range(2):
        platform.crash("second")
        crashed = platform.wait_for("second ended with code 7", mark)
        mark = platform.lines.index(crashed, mark) + 1
        platform.wait_for("second is ready", mark)

    assert "started again in" in crashed
    assert platform.facts("first")["pid"] == before


def test_data_server_that_dies(platform: Platform) -> None:
    """A data server that was killed is started again at the same address."""
    port = int(platform.address("Redis").rpartition(":")[2])
    mark = platform.mark()

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
    platform.wait_for("valkey-server has ended", mark)

    assert wait_until(lambda: _answers(port))


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_end(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends everything in order: requests in flight are answered, and nothing is left."""
    write(tmp_path, "only")
    with running(tmp_path / "only", "--no-reload", MONGODB_URL=NO_MONGO) as platform:
        platform.wait_for(STARTED)
        answers: list[str] = []
        url = f"{platform.address('only')}/only/slow"
        request = threading.Thread(target=lambda: answers.append(httpx.get(url).json()))
        request.start()
        platform.wait_for("slow begins")

        code = platform.end(number)
        request.join(10)

        assert (code, answers) == (0, ["done"])
        assert processes_of(tmp_path / "only") == []


def test_killed(tmp_path: Path) -> None:
    """When the supervisor itself is killed, nothing that it has started is left, on the disk neither."""
    write(tmp_path, "only")
    with running(tmp_path / "only") as platform:
        platform.wait_for(STARTED)
        port = int(platform.address("only").rpartition(":")[2])
        assert len(platform.children()) >= 6  # two data servers and a service, each with its keeper

        platform.process.send_signal(signal.SIGKILL)
        platform.process.wait()

        assert wait_until(lambda: platform.children() == [], 10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        assert wait_until(lambda: list((platform.folder / "temporary").iterdir()) == [], 10)


def test_service_that_never_starts(tmp_path: Path) -> None:
    """Without reload a service that cannot start ends everything, with exit code 1 and its own words."""
    write(tmp_path, "only").write_text("import no_such_library")
    with running(tmp_path / "only", "--no-reload", MONGODB_URL=NO_MONGO) as platform:
        code = platform.process.wait(30)
        platform.close()

        assert code == 1
        assert any("No module named 'no_such_library'" in line for line in platform.lines)
        assert platform.children() == []


def test_second_signal(tmp_path: Path) -> None:
    """A service that does not end when it is asked to ends at the second signal."""
    file = write(tmp_path, "only")
    file.write_text(file.read_text().replace("await asyncio.sleep(0.6)", "__import__('time').sleep(600)"))
    with running(tmp_path / "only", "--no-reload", MONGODB_URL=NO_MONGO) as platform:
        platform.wait_for(STARTED)
        url = f"{platform.address('only')}/only/slow"
        request = threading.Thread(target=_try, args=(url,))
        request.start()
        platform.wait_for("slow begins")

        platform.process.send_signal(signal.SIGINT)
        platform.wait_for("everything ends")
        code = platform.end(signal.SIGINT)
        request.join(10)

        assert code == 0
        assert processes_of(tmp_path / "only") == []


def _try(url: str) -> None:
    with suppress(httpx.TransportError):
        httpx.get(url, timeout=60)


def test_library_that_changes(tmp_path: Path) -> None:
    """Code outside of the folder is as it is on the disk when a service starts anew, whatever was loaded before."""
    file = write(tmp_path, "only")
    library = tmp_path / "shared" / "shared_numbers.py"
    library.parent.mkdir()
    library.write_text("NUMBER = 1\nprint('library loaded', flush=True)")
    file.write_text(f"from shared_numbers import NUMBER\n{file.read_text()}".replace('"answer": 1', '"answer": NUMBER'))
    with running(tmp_path / "only", MONGODB_URL=NO_MONGO, more_code=str(library.parent)) as platform:
        platform.wait_for(STARTED)
        assert platform.facts("only")["answer"] == 1
        wait_until(lambda: sum("library loaded" in line for line in platform.lines) == 2)  # the successor has it too
        library.write_text("NUMBER = 2")
        mark = platform.mark()
        file.touch()
        platform.wait_for("only is ready", mark)

        assert platform.facts("only")["answer"] == 2


def test_data_are_kept(tmp_path: Path) -> None:
    """With a folder for the data, the next platform has them."""
    write(tmp_path, "only")
    answers = []
    for words in (b"SET kept yes\r\n", b"GET kept\r\n"):
        with running(tmp_path / "only", "--keep-data", "../data", "--no-reload", MONGODB_URL=NO_MONGO) as platform:
            platform.wait_for(STARTED)
            port = int(platform.address("Redis").rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(words)
                answers.append(connection.recv(64))
            platform.end()

    assert answers == [b"+OK\r\n", b"$3\r\nyes\r\n"]
