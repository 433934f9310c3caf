"""Envoy as an embedded server: starts, answers, ends, and says why it does not start."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from mysingle.embedded import EmbeddedEnvoy, EmbeddedRedis, EmbeddedStack, PortInUseError, ServerStartError


def config(**route: Any) -> dict[str, Any]:
    """Return a configuration of one route that Envoy answers by itself."""
    routes = [
        {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}, **route}
    ]
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": f"type.googleapis.com/{kind}",
        "stat_prefix": "test",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    listener = {
        "name": "test",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 80}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {"static_resources": {"listeners": [listener], "clusters": []}}


def with_program(program: str) -> dict[str, Any]:
    made = config()
    (chain,) = made["static_resources"]["listeners"][0]["filter_chains"]
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    lua = {"@type": kind, "default_source_code": {"inline_string": program}}
    chain["filters"][0]["typed_config"]["http_filters"].insert(
        0, {"name": "envoy.filters.http.lua", "typed_config": lua}
    )
    return made


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def admin_address(envoy: EmbeddedEnvoy) -> str:
    assert envoy._home is not None
    return (envoy._home.path / "admin.address").read_text().strip()


def test_answers_on_the_loopback() -> None:
    """A started Envoy answers on its own loopback port, whatever address its configuration names."""
    with EmbeddedEnvoy(config()) as envoy:
        assert httpx.get(envoy.url).text == "hello"
        assert (envoy.host, envoy.port) == ("127.0.0.1", int(envoy.url.rpartition(":")[2]))
        assert admin_address(envoy).startswith("127.0.0.1:")


def test_two_at_once() -> None:
    """Two of them do not disturb each other."""
    with EmbeddedEnvoy(config()) as first, EmbeddedEnvoy(config()) as second:
        assert first.port != second.port
        assert [httpx.get(envoy.url).status_code for envoy in (first, second)] == [200, 200]


def test_stop_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When stop returns, the process is gone and its temporary directory with it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    envoy = EmbeddedEnvoy(config()).start()
    pid = envoy.pid

    envoy.stop()

    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == []


def test_kill_and_restart() -> None:
    """After a crash it comes back on the same port."""
    with EmbeddedEnvoy(config()) as envoy:
        port = envoy.port
        os.kill(envoy.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while envoy.is_running and time.monotonic() < deadline:
            time.sleep(0.01)

        envoy.start()

        assert (port, httpx.get(envoy.url).status_code) == (envoy.port, 200)


def test_variables_are_for_envoy_alone() -> None:
    """The variables that it gets are seen by its programs, not by this process and not in the list of processes."""
    program = """
    local secret = os.getenv("SECRET")
    function envoy_on_request(handle)
      handle:respond({[":status"] = "200"}, secret)
    end
    """
    with EmbeddedEnvoy(with_program(program), environ={"SECRET": "for-envoy-alone"}) as envoy:
        command = Path(f"/proc/{envoy.pid}/cmdline")

        assert httpx.get(envoy.url).text == "for-envoy-alone"
        assert "SECRET" not in os.environ
        assert not command.exists() or b"for-envoy-alone" not in command.read_bytes()


def test_wrong_configuration() -> None:
    """A configuration that Envoy refuses is reported at once, with its own words."""
    with pytest.raises(ServerStartError, match=r"(?s)Envoy ended with status 1.*no_such_field"):
        EmbeddedEnvoy(config(no_such_field=1)).start()


def test_program_that_does_not_load() -> None:
    """A program that fails when it is loaded keeps Envoy from starting, and says why."""
    with pytest.raises(ServerStartError, match=r"(?s)Envoy ended.*the key is missing"):
        EmbeddedEnvoy(with_program('error("the key is missing")')).start()


def test_port_taken(neighbour: EmbeddedRedis) -> None:
    """A fixed port that is taken is an error that says so."""
    with pytest.raises(PortInUseError, match=f"127.0.0.1:{neighbour.port}: the port is taken"):
        EmbeddedEnvoy(config(), port=neighbour.port).start()


def test_port_of_another_envoy() -> None:
    """Two of them never share a port, so that requests do not go to the other one."""
    with EmbeddedEnvoy(config()) as envoy, pytest.raises(PortInUseError, match="the port is taken"):
        EmbeddedEnvoy(config(), port=envoy.port).start()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux ties a process to its parent's death")
def test_killed_keeper_takes_it_along() -> None:
    """It does not outlive its keeper."""
    envoy = EmbeddedEnvoy(config()).start()
    assert envoy._process is not None
    port = envoy.port
    os.kill(envoy._process._keeper.pid, signal.SIGKILL)

    deadline = time.monotonic() + 5
    while is_open(port) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not is_open(port)
    envoy.stop()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_part_of_a_stack() -> None:
    """A stack starts and ends a gateway together with the data servers."""
    envoy = EmbeddedEnvoy(config())
    with EmbeddedStack(None, environ={"MONGODB_URL": "mongodb://db", "REDIS_HOST": "cache"}, gateway=envoy) as stack:
        assert httpx.get(envoy.url).status_code == 200
        assert stack.gateway is envoy

    assert not envoy.is_running
