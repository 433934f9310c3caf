"""`mysingle doctor`, on real servers and on none."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from mysingle._kernel.shutdown import longest_end
from mysingle.cli import main
from mysingle.embedded import EmbeddedStack
from mysingle.tooling.doctor.targets import Target, parse_target
from mysingle.tooling.k8s import cluster_numbers

Doctor: TypeAlias = Callable[..., tuple[int, str]]
Found: TypeAlias = dict[str, dict[str, Any]]
SECRET = "a-secret-that-nobody-may-see-0123456789"
CALM = {"ENVIRONMENT": "development"}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """Give the variables of a real MongoDB and a real Redis."""
    with EmbeddedStack(None, environ={}) as stack:
        yield dict(stack.environment)


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Give a function that examines an environment, in an empty folder: exit code and output."""
    monkeypatch.chdir(tmp_path)

    def examine(*words: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--timeout", "1", *words])
        return int(ended.value.code or 0), capsys.readouterr().out

    return examine


def lines(output: str, section: str) -> Found:
    """Return the lines of one section by name, from JSON."""
    return {line["name"]: line for line in json.loads(output)["sections"][section]}


@pytest.fixture
def keys() -> Iterator[Callable[..., str]]:
    """Give a function that serves public keys, with a clock that may be wrong, and returns the address."""
    running = []

    def serve(ahead_seconds: float = 0, body: str = '{"keys": [{"kty": "EC"}]}') -> str:
        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(200)
                self.send_header("Date", formatdate(time.time() + ahead_seconds, usegmt=True))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/jwks.json"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mail_port() -> Iterator[int]:
    """Give the port of a real mail server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop()


def test_everything_is_well(doctor: Doctor, servers: dict[str, str], keys: Callable[..., str], mail_port: int) -> None:
    """Each system is reached, with its time and its clock, and the exit code is 0."""
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mail_port), "SMTP_SECURITY": "none"}
    code, output = doctor("--json", **CALM, **servers, **mail, IAM_JWKS_URL=keys(), IAM_ISSUER="https://iam")
    reached, clocks = lines(output, "reachability"), lines(output, "clocks")

    assert (code, json.loads(output)["problems"]) == (0, 0), output
    assert {name: line["status"] for name, line in reached.items()} == dict.fromkeys(
        ["mongodb", "redis", "smtp", "jwks"], "ok"
    )
    assert all(line["milliseconds"] > 0 for line in reached.values())
    assert reached["jwks"]["text"].endswith(", 1 keys")
    assert set(clocks) == {"mongodb", "redis", "jwks"}
    assert all(abs(line["skew_seconds"]) < 2 for line in clocks.values())
    assert lines(output, "redis allocation")["audit"]["text"] == "the allocation is kept"


def test_nothing_is_up(doctor: Doctor) -> None:
    """Without any server, and without settings that name one, there is a report and no problem."""
    code, output = doctor("--json", **CALM, MONGODB_SERVER_SELECTION_TIMEOUT_MS="200")
    reached = lines(output, "reachability")

    assert code == 0, output
    assert {line["status"] for line in reached.values()} == {"note"}
    assert lines(output, "clocks")["none"]["status"] == "note"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        pytest.param({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"}, "redis", id="redis"),
        pytest.param({"MONGODB_URL": f"mongodb://me:{SECRET}@127.0.0.1:1/?timeoutMS=300"}, "mongodb", id="mongodb"),
        pytest.param({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1"}, "smtp", id="smtp"),
        pytest.param({"IAM_JWKS_URL": "http://127.0.0.1:1/jwks.json"}, "jwks", id="jwks"),
        pytest.param({"MONGODB_URL": f"mongodb://{SECRET}:x:y"}, "mongodb", id="no-connection-string"),
    ],
)
def test_away(variables: dict[str, str], name: str, doctor: Doctor) -> None:
    """A system that settings name and that does not answer is a problem, and no secret is in the report."""
    code, output = doctor("--json", **CALM, **variables, MONGODB_SERVER_SELECTION_TIMEOUT_MS="300")

    assert (code, lines(output, "reachability")[name]["status"]) == (1, "fail")
    assert SECRET not in output


def test_silent_server(doctor: Doctor) -> None:
    """A server that accepts and says nothing is a problem as well, and does not hold the report up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        code, output = doctor("--json", "--timeout", "1", **CALM, SMTP_HOST="127.0.0.1", SMTP_PORT=port)

    assert (code, lines(output, "reachability")["smtp"]["status"]) == (1, "fail")


@pytest.mark.parametrize(("ahead", "status"), [(10, "warn"), (-10, "warn"), (3600, "fail"), (-3600, "fail")])
def test_clock(ahead: int, status: str, doctor: Doctor, keys: Callable[..., str]) -> None:
    """A clock that differs is noticed, and is a problem beyond what signed requests allow."""
    code, output = doctor("--json", **CALM, IAM_JWKS_URL=keys(ahead))
    line = lines(output, "clocks")["jwks"]

    assert (code, line["status"]) == (int(status == "fail"), status)
    assert abs(line["skew_seconds"] - ahead) < 2


@pytest.mark.parametrize("body", ["<html>", "[]", "{}"])
def test_keys_that_are_none(body: str, doctor: Doctor, keys: Callable[..., str]) -> None:
    """An address that answers something else than keys is a problem."""
    code, output = doctor("--json", **CALM, IAM_JWKS_URL=keys(body=body))

    assert (code, lines(output, "reachability")["jwks"]["status"]) == (1, "fail")


def test_settings(doctor: Doctor, tmp_path: Path) -> None:
    """Each value has its source, defaults are shown when asked for, and secrets never."""
    (tmp_path / ".env").write_text("PROJECT_NAME=from the file\n")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    given = {**CALM, "REDIS_DB_ML_MODEL": "12", "GATEWAY_HMAC_KEYS": SECRET, "SMTP_PASSWORD_FILE": f"{tmp_path}/secret"}
    _, output = doctor("--json", **given)
    found = {name: (line["text"], line["source"]) for name, line in lines(output, "settings").items()}
    _, text = doctor()
    _, everything = doctor("--all")

    assert found["PROJECT_NAME"] == ("from the file", ".env")
    assert found["ENVIRONMENT"] == ("development", "the environment")
    assert found["REDIS_DB_ML"] == ("12", "REDIS_DB_ML_MODEL in the environment")
    assert found["GATEWAY_HMAC_KEYS"] == ("***", "the environment")
    assert found["SMTP_PASSWORD"] == ("***", "SMTP_PASSWORD_FILE")
    assert found["LOG_LEVEL"] == ("INFO", "default")
    assert ("LOG_LEVEL" in text, "LOG_LEVEL" in everything) == (False, True)
    assert not any(SECRET in shown for shown in (output, text, everything))


def test_wrong_settings(doctor: Doctor) -> None:
    """Settings that cannot be used are the report, one line each, with exit code 1."""
    code, output = doctor("--json", REDIS_PORT="seventy", LOG_LEVEL="loud")
    said = [line["text"] for line in json.loads(output)["sections"]["settings"]]

    assert (code, len(said)) == (1, 2)
    assert all(any(name in line for line in said) for name in ("REDIS_PORT", "LOG_LEVEL"))


@pytest.mark.parametrize(
    ("environment", "problems"), [("production", 1), ("staging", 1), ("development", 0)], ids=lambda value: str(value)
)
def test_trust(environment: str, problems: int, doctor: Doctor) -> None:
    """Without a proof of the gateway there is a problem under production rules, and a warning in development."""
    code, output = doctor("--json", ENVIRONMENT=environment)
    statuses = [line["status"] for line in lines(output, "gateway trust").values()]

    assert (code, statuses.count("fail")) == (problems, problems)
    assert problems or "warn" in statuses


def test_app(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an app the report is about its service: its type, and its drain delay."""
    (tmp_path / "doctored.py").write_text(
        "from mysingle.core import create_fastapi_app, create_service_config\n"
        "app = create_fastapi_app(create_service_config('doctored', drain_delay_seconds=12))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _, output = doctor("--json", "--app", "doctored:app", **CALM)

    assert lines(output, "drain")["drain delay"]["text"] == "12 s"
    assert lines(output, "drain")["terminationGracePeriodSeconds"]["seconds"] == longest_end(12, 20) == 55


def test_drain_is_what_the_manifest_says(doctor: Doctor) -> None:
    """Under production rules the sum is no more than the manifest of `mysingle new` gives, and so no warning."""
    _, output = doctor("--json", ENVIRONMENT="production", GATEWAY_TRUST="network", KUBERNETES_SERVICE_HOST="10.0.0.1")
    line = lines(output, "drain")["terminationGracePeriodSeconds"]

    assert line["status"] == "ok"
    assert 30 < line["seconds"] <= cluster_numbers().termination_grace_seconds
    assert "Kubernetes gives 30 s when the manifest says nothing" in line["text"]


def test_drain_in_kubernetes(doctor: Doctor) -> None:
    """In a cluster a delay of nothing, and a sum that the platform does not wait for, are warned of."""
    _, output = doctor(
        "--json", **CALM, KUBERNETES_SERVICE_HOST="10.0.0.1", DRAIN_DELAY_SECONDS="0", SHUTDOWN_GRACE_SECONDS="40"
    )
    found = lines(output, "drain")

    assert [found[name]["status"] for name in ("drain delay", "terminationGracePeriodSeconds")] == ["warn", "warn"]


def test_grpc_targets(doctor: Doctor) -> None:
    """One fixed address is warned of, several are well, and nobody there is a problem."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        code, output = doctor(
            "--json",
            **CALM,
            LOCAL_GRPC_HOST="localhost",
            LOCAL_GRPC_PORT=str(port),
            FIXED_GRPC_HOST=f"127.0.0.2:{port}",
            SPREAD_GRPC_HOST=f"ipv4:127.0.0.2:{port},127.0.0.3:{port}",
            AWAY_GRPC_HOST="dns:///127.0.0.1:1",
            SOCKET_GRPC_HOST="unix:/tmp/socket",
        )
    found = {name: line["status"] for name, line in lines(output, "grpc targets").items()}

    assert (code, found) == (
        1,
        {
            "AWAY_GRPC_HOST": "fail",
            "FIXED_GRPC_HOST": "warn",
            "LOCAL_GRPC_HOST": "ok",
            "SOCKET_GRPC_HOST": "note",
            "SPREAD_GRPC_HOST": "ok",
        },
    )


@pytest.mark.parametrize(
    ("text", "port", "target"),
    [
        ("quotes", None, Target((("quotes", 50051),), is_list=False)),
        ("quotes", "7000", Target((("quotes", 7000),), is_list=False)),
        ("quotes:7000", "8000", Target((("quotes", 7000),), is_list=False)),
        ("dns:///quotes:7000", None, Target((("quotes", 7000),), is_list=False)),
        ("dns://8.8.8.8/quotes:7000", None, Target((("quotes", 7000),), is_list=False)),
        ("[::1]:7000", None, Target((("::1", 7000),), is_list=False)),
        ("::1", None, Target((("::1", 50051),), is_list=False)),
        ("10.0.0.1:1,10.0.0.2", "9", Target((("10.0.0.1", 1), ("10.0.0.2", 9)), is_list=True)),
        ("xds:///quotes", None, None),
        (",", None, None),
    ],
)
def test_target(text: str, port: str | None, target: Target | None) -> None:
    """A target is read in each of its spellings."""
    assert target == parse_target(text, port)


def test_redis_violations(doctor: Doctor, servers: dict[str, str]) -> None:
    """What breaks the Redis allocation is a problem of the whole report, as it is of `doctor redis`."""
    with socket.create_connection((servers["REDIS_HOST"], int(servers["REDIS_PORT"]))) as redis:
        redis.sendall(b"SELECT 5\r\nSET market:SPY 1\r\nPING\r\n")
        while not redis.recv(4096).endswith(b"PONG\r\n"):
            pass
        code, output = doctor("--json", **CALM, **servers)
        redis.sendall(b"DEL market:SPY\r\n")

    assert code == 1
    assert "keys live for ever" in lines(output, "redis allocation")["violation"]["text"]


def test_without_libraries() -> None:
    """Where the drivers are not installed, the report says what to install, and the rest is there."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pymongo', 'redis', 'beanie', 'fastapi', 'uvicorn']));"
        "from mysingle.cli import main; main(['doctor', '--json'])"
    )
    environment = {**os.environ, **CALM}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    reached = lines(done.stdout, "reachability")

    assert done.returncode == 0, done.stderr
    assert 'pip install "mysingle[database]"' in reached["redis"]["text"]
    assert lines(done.stdout, "drain")["grace"]["text"] == "20 s"
