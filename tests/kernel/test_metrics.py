import re
from pathlib import Path
from typing import Any, Protocol

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from mysingle._kernel.metrics import (
    DURATION_BUCKETS,
    OTHER,
    ServiceMetrics,
    bounded_method,
    bounded_scheme,
    process_metrics,
)

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Script(Protocol):
    def __call__(self, source: str, **variables: str) -> Any: ...


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics("my-service", "1.2.3")


def samples(metrics: ServiceMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    body, _ = metrics.render("")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(body.decode())
        for sample in family.samples
    }


def value(metrics: ServiceMetrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


def observe(metrics: ServiceMetrics, *, seconds: float = 0.02, trace_id: str | None = None, **more: Any) -> None:
    values: dict[str, Any] = {"method": "GET", "route": "/a", "status": 200, "scheme": "http", "error_type": ""}
    duration = metrics.http_duration(**{**values, **more})
    duration.observe(seconds, trace_id)


def test_registries_never_clash() -> None:
    """Fifty apps in one process have their own numbers."""
    services = [ServiceMetrics(f"service-{number}", "1") for number in range(50)]
    for number, service in enumerate(services):
        for _ in range(number):
            service.audit_records.labels("stored").inc()

    assert list(range(1, 50)) == [
        value(service, "mysingle_audit_records_total", result="stored") for service in services[1:]
    ]
    assert all(
        value(service, "mysingle_service_info", service_name=f"service-{number}", service_version="1") == 1
        for number, service in enumerate(services)
    )


def test_process_metrics_are_shared(metrics: ServiceMetrics) -> None:
    """What the process shares stands in the scrape of each app, once."""
    process_metrics().cache_requests.labels("test", "hit").inc(3)
    other = ServiceMetrics("other", "1")

    assert process_metrics() is process_metrics()
    assert [value(each, "mysingle_cache_requests_total", cache="test", result="hit") for each in (metrics, other)] == [
        3,
        3,
    ]
    assert any(name.startswith("process_") for name, _ in samples(metrics))


def test_prometheus_text(metrics: ServiceMetrics) -> None:
    """Without a wish the scrape is Prometheus text."""
    observe(metrics, trace_id=TRACE)
    body, content_type = metrics.render("")
    families = {family.name: family for family in parse_text(body.decode())}

    assert content_type.startswith("text/plain")
    assert families["http_server_request_duration_seconds"].type == "histogram"
    assert TRACE not in body.decode()


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/json", ";;;", "é"])
def test_any_accept(accept: str, metrics: ServiceMetrics) -> None:
    """Whatever a client accepts, there is a scrape."""
    body, content_type = metrics.render(accept)

    assert b"mysingle_service_info" in body
    assert content_type.startswith("text/plain")


def test_openmetrics_has_exemplars(metrics: ServiceMetrics) -> None:
    """Who asks for OpenMetrics gets it, with the trace of a sampled request on its bucket."""
    observe(metrics, seconds=0.3, trace_id=TRACE)
    observe(metrics, seconds=0.02)
    body, content_type = metrics.render(OPENMETRICS)
    (family,) = [f for f in parse_openmetrics(body.decode()) if f.name == "http_server_request_duration_seconds"]
    exemplars = {s.labels["le"]: s.exemplar.labels for s in family.samples if s.exemplar}

    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert exemplars == {"0.5": {"trace_id": TRACE}}


def test_duration(metrics: ServiceMetrics) -> None:
    """A request is one observation with five bounded labels, in the buckets of the semantic conventions."""
    observe(metrics, method="POST", route="/orders/{id}", status=503, scheme="https", error_type="UNAVAILABLE")
    labels = {
        "http_request_method": "POST",
        "http_route": "/orders/{id}",
        "http_response_status_code": "503",
        "url_scheme": "https",
        "error_type": "UNAVAILABLE",
    }
    buckets = [
        float(dict(key)["le"])
        for name, key in samples(metrics)
        if name.endswith("duration_seconds_bucket") and frozenset(labels.items()) <= key
    ]

    assert value(metrics, "http_server_request_duration_seconds_count", **labels) == 1
    assert [*DURATION_BUCKETS, float("inf")] == sorted(buckets)


def test_labels_are_bounded(metrics: ServiceMetrics) -> None:
    """A thousand invented methods and schemes are one series."""
    for number in range(1000):
        observe(metrics, method=f"M{number}", scheme=f"s{number}", route=OTHER)
        metrics.http_active(f"M{number}", f"s{number}").inc()
    found = samples(metrics)
    counts = [key for name, key in found if name == "http_server_request_duration_seconds_count"]
    actives = [key for name, key in found if name == "http_server_active_requests"]

    assert [dict(key) for key in actives] == [{"http_request_method": OTHER, "url_scheme": OTHER}]
    assert len(counts) == 1
    assert value(metrics, "http_server_active_requests", http_request_method=OTHER, url_scheme=OTHER) == 1000


def test_active_requests(metrics: ServiceMetrics) -> None:
    """The requests in flight go up and down, each method for itself."""
    first = metrics.http_active("GET", "http")
    first.inc()
    metrics.http_active("GET", "http").inc()
    metrics.http_active("POST", "http").inc()
    first.dec()

    assert value(metrics, "http_server_active_requests", http_request_method="GET", url_scheme="http") == 1
    assert value(metrics, "http_server_active_requests", http_request_method="POST", url_scheme="http") == 1


@pytest.mark.parametrize(("method", "label"), [("GET", "GET"), ("QUERY", "QUERY"), ("get", OTHER), ("PROPFIND", OTHER)])
def test_method(method: str, label: str) -> None:
    """A method label is a registered method or `_OTHER`."""
    assert label == bounded_method(method)


@pytest.mark.parametrize(("scheme", "label"), [("http", "http"), ("wss", "wss"), ("HTTP", OTHER), ("file", OTHER)])
def test_scheme(scheme: str, label: str) -> None:
    """A scheme label is one that we serve or `_OTHER`."""
    assert label == bounded_scheme(scheme)


WORKER = """
import warnings
warnings.simplefilter("ignore", ResourceWarning)  # prometheus_client leaves its shared files open
from mysingle._kernel.metrics import ServiceMetrics, process_metrics
metrics = ServiceMetrics("svc", "1")
for _ in range(COUNT):
    metrics.http_duration("GET", "/a", 200, "http", "").observe(0.02)
    metrics.http_active("GET", "http").inc()
    process_metrics().cache_requests.labels("c", "hit").inc()
print(metrics.render("")[0].decode())
"""


def test_multi_process(tmp_path: Path, script: Script) -> None:
    """With PROMETHEUS_MULTIPROC_DIR the workers' numbers add up, and each scrape shows the sum."""
    (tmp_path / "shared").mkdir()
    results = [
        script(WORKER.replace("COUNT", str(count)), PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "shared"))
        for count in (3, 4)
    ]
    first, second = (result.stdout for result in results)

    def read(text: str, name: str) -> list[str]:
        return re.findall(rf"^{name}(?:{{.*}})? ([0-9.]+)$", text, re.MULTILINE)

    assert [(result.returncode, result.stderr) for result in results] == [(0, ""), (0, "")]
    assert read(first, "http_server_request_duration_seconds_count") == ["3.0"]
    assert read(second, "http_server_request_duration_seconds_count") == ["7.0"]
    assert read(second, "mysingle_cache_requests_total") == ["7.0"]
    assert read(second, "mysingle_service_info") == ["1.0"]


FORGET = """
import os, warnings
warnings.simplefilter("ignore", ResourceWarning)  # prometheus_client leaves its shared files open
from mysingle._kernel.metrics import ServiceMetrics, forget_process
metrics = ServiceMetrics("svc", "1")
metrics.http_active("GET", "http").inc()
forget_process(os.getpid())
assert not [name for name in os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"]) if "live" in name]
"""


def test_forget_process(tmp_path: Path, script: Script) -> None:
    """A worker that ends takes its live gauges with it."""
    (tmp_path / "shared").mkdir()
    result = script(FORGET, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "shared"))

    assert (result.returncode, result.stderr) == (0, "")
