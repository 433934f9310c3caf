"""HTTP: throughput and latency of the full stack beside bare FastAPI, both under uvicorn, taking turns."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

STARTS, ROUNDS, SECONDS, CONNECTIONS = 5, 4, 1.0, 16
"""Both apps start anew several times: the same process keeps a speed of its own, a tenth up or down, until it ends."""


@contextmanager
def serving(app: str, log_file: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "ENVIRONMENT": "development", "LOG_FORMAT": "json", "LOG_FILE": str(log_file)}
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.apps:{app}", "--factory", "--port", str(port)]
    process = subprocess.Popen([*command, "--no-access-log", "--log-level", "warning"], env=environment)
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/docs")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the app did not start within 20 s")


def load(port: int, path: str = "/items/7", seconds: float = SECONDS) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.load", str(port), path, str(seconds), str(CONNECTIONS)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if result["failures"]:
        raise RuntimeError(f"{result['failures']} requests failed under load")
    return result


def measure() -> dict[str, float]:
    rounds = [pair for _ in range(STARTS) for pair in _one_start()]
    result = {
        f"{name}_{figure}": statistics.median(pair[index][figure] for pair in rounds)
        for index, name in enumerate(("bare", "ours"))
        for figure in ("requests_per_second", "p50_ms", "p99_ms")
    }
    for figure in ("requests_per_second", "p50_ms", "p99_ms"):
        result[f"ratio_{figure}"] = statistics.median(ours[figure] / bare[figure] for bare, ours in rounds)
    return result


def _one_start() -> list[tuple[dict[str, float], dict[str, float]]]:
    with TemporaryDirectory() as folder:
        log_file = Path(folder) / "access.log"
        with serving("bare", log_file) as bare, serving("ours", log_file) as ours:
            for port in (bare, ours):
                load(port, seconds=1)
            return [(load(bare), load(ours)) for _ in range(ROUNDS)]


def measure_probes() -> dict[str, float]:
    """Probe latency while a critical dependency never answers."""
    with TemporaryDirectory() as folder, serving("ours_with_a_hanging_dependency", Path(folder) / "access.log") as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        times = []
        for _ in range(500):
            started = time.perf_counter()
            connection.request("GET", "/ready")
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            if answer.status != 503:
                raise RuntimeError("/ready must be 503 while a critical dependency hangs")
    times.sort()
    return {"p50_ms": times[250] * 1e3, "p99_ms": times[495] * 1e3}
