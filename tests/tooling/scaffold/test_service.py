"""A service that was just made runs, without an edit: checked, typed, tested, started, attacked."""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import metadata, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.tooling.scaffold.conftest import PARTS, Run

from mysingle._kernel.settings import CommonSettings
from mysingle.embedded import EmbeddedStack
from mysingle.tooling.k8s import cluster_numbers

SUBSETS = [(), *((part,) for part in PARTS), *([PARTS] if len(PARTS) > 1 else [])]
KINDS = [(kind, parts) for kind in ("non-iam", "iam") for parts in SUBSETS]
WHOLE = [("non-iam", PARTS), ("iam", ()), *([("non-iam", ())] if PARTS else [])]
IDS = [" ".join((kind, *parts)) for kind, parts in KINDS]
WHOLE_IDS = [" ".join((kind, *parts)) for kind, parts in WHOLE]
LONGEST = "a-name-that-is-as-long-as-it-may-be1"

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    with EmbeddedStack(None, environ={}) as stack:
        yield stack.environment


STYLES = [(*kind, "order-service") for kind in KINDS]
STYLES += [("iam", PARTS, name) for name in ("import-service", LONGEST, "a")]


@pytest.mark.parametrize(("kind", "parts", "name"), STYLES)
def test_style(kind: str, parts: tuple[str, ...], name: str, make_service: Make, run: Run) -> None:
    """Ruff finds nothing, whatever the service is and is called."""
    folder = make_service(kind, parts, name)
    checked = run("check", "--no-cache", ".", module="ruff", cwd=folder)
    formatted = run("format", "--no-cache", "--check", ".", module="ruff", cwd=folder)

    assert checked.returncode == 0, checked.stdout
    assert formatted.returncode == 0, formatted.stdout


def test_types(make_service: Make, run: Run, tmp_path: Path) -> None:
    """Mypy in strict mode finds nothing, in the app and in its tests; one after the other, to read libraries once."""
    for kind, parts in WHOLE[:2]:
        done = run("--cache-dir", str(tmp_path / "mypy"), module="mypy", cwd=make_service(kind, parts))

        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("kind", "parts"), WHOLE, ids=WHOLE_IDS)
def test_tests(kind: str, parts: tuple[str, ...], make_service: Make, run: Run) -> None:
    """Its own tests pass, on real servers."""
    done = run("-q", "-p", "no:cacheprovider", module="pytest", cwd=make_service(kind, parts))

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed in " in done.stdout


def test_attacks(make_service: Make, run: Run) -> None:
    """Every route is closed to those who are nobody, and open to those whom the gateway has let through."""
    chosen = ("--mysingle-auth-attacks", "app.main:app", "-k", "closed or control", "-p", "no:cacheprovider")
    done = run(*chosen, module="pytest", cwd=make_service())

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.skipif(find_spec("mysingle.tooling.check") is None, reason="this version has no `mysingle check`")
@pytest.mark.parametrize(("kind", "parts"), WHOLE, ids=WHOLE_IDS)
def test_check(kind: str, parts: tuple[str, ...], make_service: Make, run: Run) -> None:
    """The linter of the platform finds nothing."""
    done = run("check", ".", cwd=make_service(kind, parts))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("kind", "parts"), WHOLE, ids=WHOLE_IDS)
def test_production(kind: str, parts: tuple[str, ...], make_service: Make, servers: dict[str, str]) -> None:
    """With the variables of its manifest it starts under production rules, answers its probes, and ends in time."""
    folder = make_service(kind, parts)
    with _started(folder, _variables(folder, servers)) as (process, url):
        probes = [httpx.get(f"{url}{path}").status_code for path in _probes(folder)]
        refused = httpx.get(f"{url}/items", headers={"X-User-Id": "a11ce0000000000000000001"})
        health = _run_health_check(folder, url)
        process.send_signal(signal.SIGTERM)
        code = process.wait(cluster_numbers().termination_grace_seconds)

    assert probes == [200, 200, 200]
    assert refused.status_code == 401
    assert (health, code) == (0, 0)


def _container(folder: Path) -> dict[str, Any]:
    deployment = next(yaml.safe_load_all((folder / "k8s/service.yaml").read_text()))
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


def _variables(folder: Path, servers: dict[str, str]) -> dict[str, str]:
    """Return the manifest's variables; its secrets are files here, and its servers are ours."""
    named = {row["name"]: row["value"] for row in _container(folder)["env"]}
    secrets = {"mongodb_url": servers["MONGODB_URL"]}
    for name, value in named.items():
        if name.endswith("_FILE"):
            file = folder / Path(value).name
            file.write_text(secrets.get(file.name, os.urandom(24).hex()))
            named[name] = str(file)
    redis = {name: value for name, value in servers.items() if name.startswith("REDIS")}
    ours = {"DRAIN_DELAY_SECONDS": "0", "GRPC_SERVER_HOST": "127.0.0.1", "GRPC_SERVER_PORT": str(_free_port())}
    return {**named, **redis, **ours}


def _probes(folder: Path) -> list[str]:
    container = _container(folder)
    return [container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]


@contextmanager
def _started(folder: Path, variables: dict[str, str]) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    port = _free_port()
    words = [word for word in _container(folder)["args"] if word not in ("0.0.0.0", "8000")]
    values = {"--host": "127.0.0.1", "--port": str(port)}
    command = [sys.executable, "-m", *(part for word in words for part in (word, values.get(word)) if part)]
    paths = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": paths, **variables})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process)
        yield process, url
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service has ended"
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the service was not ready within a minute")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run_health_check(folder: Path, url: str) -> int:
    """Run what the image runs, against the port that the service has here."""
    text = (folder / "Dockerfile").read_text().split("HEALTHCHECK", 1)[1].split("CMD ", 1)[1].split("\n", 1)[0]
    code = yaml.safe_load(text)[2].replace("http://127.0.0.1:8000", url)
    return subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode


def test_numbers_of_the_manifest(make_service: Make) -> None:
    """Drain delay, grace and probes are those of the settings, and the pod waits longer than the slowest end."""
    folder = make_service()
    pod = next(yaml.safe_load_all((folder / "k8s/service.yaml").read_text()))["spec"]["template"]["spec"]
    named = {row["name"]: row["value"] for row in pod["containers"][0]["env"]}
    grace = CommonSettings.model_fields["SHUTDOWN_GRACE_SECONDS"].default
    start = CommonSettings.model_fields["STARTUP_TIMEOUT_SECONDS"].default
    startup, ready = (pod["containers"][0][name] for name in ("startupProbe", "readinessProbe"))
    numbers = cluster_numbers()

    assert float(named["SHUTDOWN_GRACE_SECONDS"]) == grace
    assert float(named["DRAIN_DELAY_SECONDS"]) == numbers.drain_delay_seconds
    assert pod["terminationGracePeriodSeconds"] == numbers.termination_grace_seconds
    assert numbers.termination_grace_seconds >= numbers.drain_delay_seconds + grace + 20 + 3
    assert startup["periodSeconds"] * startup["failureThreshold"] > start
    assert ready["periodSeconds"] * ready["failureThreshold"] < numbers.drain_delay_seconds


@pytest.mark.parametrize(("kind", "parts"), KINDS, ids=IDS)
def test_requirements(kind: str, parts: tuple[str, ...], make_service: Make) -> None:
    """What it requires exists: extras of mysingle, and libraries that mysingle's own development uses."""
    project = tomllib.loads((make_service(kind, parts) / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    extras = {extra for row in wanted if "[" in row for extra in row.split("[")[1].split("]")[0].split(",")}
    others = {row.split(">=")[0] for row in wanted if "[" not in row}
    known = {row.split(">=")[0].split(";")[0].strip() for row in requires("mysingle") or []}

    assert extras <= set(metadata("mysingle").get_all("Provides-Extra") or ())
    assert others <= known
