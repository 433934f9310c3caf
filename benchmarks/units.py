"""Small things that run often: a log line, a scrape."""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mysingle._kernel.logging import flush_logs
from mysingle.core.logging import get_logger, setup_logging
from mysingle.core.metrics import ServiceMetrics

LINES, ROUTES = 5_000, 120


def measure_log() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        setup_logging("benchmark-service", log_format="json", log_file=Path(folder) / "lines.log")
        log = get_logger("benchmark")
        rounds = []
        for _ in range(9):
            started = time.perf_counter()
            for number in range(LINES):
                log.info("order.submitted", order=number, symbol="SPY", quantity=100)
            rounds.append((time.perf_counter() - started) / LINES)
            flush_logs(10)
    return {"line_us": statistics.median(rounds) * 1e6}


def measure_scrape() -> dict[str, float]:
    metrics = ServiceMetrics("benchmark-service", "1.0.0")
    for number in range(ROUTES):
        metrics.http_duration("GET", f"/route-{number}", 200, "http", "").observe(0.01)
    times = []
    for _ in range(15):
        started = time.perf_counter()
        body, _ = metrics.render("text/plain")
        times.append(time.perf_counter() - started)
    series = sum(not line.startswith(b"#") for line in body.splitlines())
    return {"series": series, "scrape_ms": statistics.median(times) * 1e3}
