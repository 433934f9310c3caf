"""Every metric the package has: names, labels, buckets. One registry an app, one for what the process shares."""

from collections.abc import Iterable
from functools import cache
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    multiprocess,
    values,
)
from prometheus_client.exposition import choose_encoder

from mysingle._kernel.histogram import DURATION_BUCKETS, DurationHistogram
from mysingle._kernel.rpc_metrics import RpcMetrics, client_metrics

__all__ = ["DURATION_BUCKETS", "OTHER", "ProcessMetrics", "ServiceMetrics", "process_metrics"]

OTHER = "_OTHER"
"""The label value for whatever is outside the bounded set: an unknown path, an unknown method."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_HTTP_LABELS = ("http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type")


class ProcessMetrics:
    """What all apps of one process share: caches, the log, the event loop, the process itself."""

    def __init__(self) -> None:
        self.registry = registry = _new_registry()
        if not is_multiprocess():
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
            GCCollector(registry=registry)
        self.cache_requests = Counter(
            "mysingle_cache_requests", "Cache look-ups by result.", ("cache", "result"), registry=registry
        )
        self.cache_load_seconds = Histogram(
            "mysingle_cache_load_seconds",
            "Time of the loader behind a cache miss.",
            ("cache",),
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.database_seconds = Histogram(
            "db_client_operation_duration_seconds",
            "Duration of database commands.",
            ("db_system_name", "db_operation_name", "db_collection_name", "error_type"),
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.log_dropped = Counter(
            "mysingle_log_dropped", "Log records that did not fit into the writer's queue.", registry=registry
        )
        self.logins = Counter(
            "mysingle_auth_logins",
            "Attempts to sign in with a password, by what became of them.",
            ("result",),
            registry=registry,
        )
        for result in ("succeeded", "failed", "refused"):
            self.logins.labels(result)
        self.password_jobs = Gauge(
            "mysingle_auth_password_jobs",
            "Passwords that are being hashed or compared, or wait for it.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.dsl_tampered = Counter(
            "dsl_cache_tampered",
            "Stored strategy programs and refusals that did not verify, and were deleted.",
            registry=registry,
        )
        self.dsl_internal_errors = Counter(
            "dsl_internal_error", "Bugs of the strategy language that became DSL-004.", registry=registry
        )
        self.dsl_unsupported = Counter(
            "dsl_unsupported_construct",
            "Constructs in strategies that the language refuses.",
            ("construct",),
            registry=registry,
        )
        self.loop_lag = Gauge(
            "mysingle_loop_lag_seconds",
            "How late the event loop ran its last timer.",
            multiprocess_mode="livemax",
            registry=registry,
        )


class Durations(Protocol):
    """One series of a histogram."""

    def observe(self, seconds: float, trace_id: str | None = None) -> None:
        """Add one duration; `trace_id` belongs to a sampled trace, so that the exemplar's link leads somewhere."""


class _SharedDurations:
    """The histogram of multi-process mode: the library keeps its values in files, and has no exemplars there."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def labels(self, *values: str) -> "_SharedDurations":
        return _SharedDurations(self._histogram.labels(*values))

    def observe(self, seconds: float, trace_id: str | None = None) -> None:
        self._histogram.observe(seconds)


def _duration_family(registry: CollectorRegistry) -> DurationHistogram | _SharedDurations:
    name, text = "http_server_request_duration_seconds", "Duration of HTTP server requests."
    if not is_multiprocess():
        return DurationHistogram(name, text, _HTTP_LABELS, DURATION_BUCKETS)
    return _SharedDurations(Histogram(name, text, _HTTP_LABELS, buckets=DURATION_BUCKETS, registry=registry))


class ActiveRequests:
    """A plain count that its gauge reads at a scrape; within one process the gauge's lock is not needed."""

    __slots__ = ("count",)

    def __init__(self, gauge: Gauge) -> None:
        self.count = 0
        gauge.set_function(lambda: self.count)

    def inc(self) -> None:
        self.count += 1

    def dec(self) -> None:
        self.count -= 1


class ServiceMetrics:
    """What one app measures of itself. Two apps in one process never share a registry."""

    def __init__(self, service_name: str, service_version: str) -> None:
        self.registry = registry = _new_registry()
        self.rpc = RpcMetrics(is_client=False)
        self._http_duration = _duration_family(registry)
        self._http_active = Gauge(
            "http_server_active_requests",
            "HTTP requests in flight.",
            ("http_request_method", "url_scheme"),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.health_check_up = Gauge(
            "mysingle_health_check_up",
            "1 while the last run of a health check passed.",
            ("check",),
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.audit_records = Counter(
            "mysingle_audit_records", "Audit records by what became of them.", ("result",), registry=registry
        )
        self.auth_refused = Counter(
            "mysingle_auth_refused", "Requests that authentication refused.", ("reason",), registry=registry
        )
        self.auth_gateway_trust_weak = Gauge(
            "auth_gateway_trust_weak",
            "1 when identity headers are believed without a proof.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.auth_bypass_refused = Counter(
            "auth_bypass_refused",
            "Starts at which the development bypass was asked for and refused.",
            registry=registry,
        )
        self.mails = Counter("mysingle_mails", "Mails by what became of them.", ("result",), registry=registry)
        for result in ("sent", "refused", "dropped"):
            self.mails.labels(result)
        self.mails_waiting = Gauge(
            "mysingle_mails_waiting", "Mails in the queue.", multiprocess_mode="livesum", registry=registry
        )
        info = Gauge(
            "mysingle_service_info",
            "1, with the name and version of the service.",
            ("service_name", "service_version"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        info.labels(service_name, service_version).set(1)
        self._actives: dict[tuple[str, str], ActiveRequests | Gauge] = {}

    def http_active(self, method: str, scheme: str) -> "ActiveRequests | Gauge":
        """Return what counts the requests in flight for one method and scheme, with `inc` and `dec`."""
        return self._actives.get((method, scheme)) or self._new_active(bounded_method(method), bounded_scheme(scheme))

    def _new_active(self, method: str, scheme: str) -> "ActiveRequests | Gauge":
        active = self._actives.get((method, scheme))
        if active is None:
            gauge = self._http_active.labels(method, scheme)
            active = self._actives[method, scheme] = gauge if is_multiprocess() else ActiveRequests(gauge)
        return active

    def http_duration(self, method: str, route: str, status: int, scheme: str, error_type: str) -> "Durations":
        """
        Return where the durations of requests with one set of labels are counted, in seconds; hold on to it.

        `route` is a template or `OTHER`, never a path.
        """
        labels = (bounded_method(method), route, str(status), bounded_scheme(scheme), error_type)
        return self._http_duration.labels(*labels)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the scrape and its content type: OpenMetrics when `accept` asks for it, Prometheus text otherwise."""
        encode, content_type = choose_encoder(accept)
        is_openmetrics = "openmetrics" in content_type
        own = b"".join(family.render(is_openmetrics=is_openmetrics) for family in (self.rpc, client_metrics()))
        if isinstance(self._http_duration, DurationHistogram):
            own += self._http_duration.render(with_exemplars=is_openmetrics)
        return own + encode(_Scrape(self._sources())), content_type

    def _sources(self) -> tuple[CollectorRegistry, ...]:
        if not is_multiprocess():
            return self.registry, process_metrics().registry
        merged = CollectorRegistry(auto_describe=False)
        multiprocess.MultiProcessCollector(merged)  # type: ignore[no-untyped-call]  # the library leaves it untyped
        return (merged,)


def _new_registry() -> CollectorRegistry:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series of birthdays beside every counter and histogram doubles what is scraped
    return CollectorRegistry(auto_describe=False)


class _Scrape(CollectorRegistry):
    """Several registries read as one, for the exposition formats."""

    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        super().__init__(auto_describe=False)
        self._registries = tuple(registries)

    def collect(self) -> Iterable[Metric]:
        for registry in self._registries:
            yield from registry.collect()


@cache
def process_metrics() -> ProcessMetrics:
    """Return the metrics that the process shares; made on first use."""
    return ProcessMetrics()


def is_multiprocess() -> bool:
    """Tell whether prometheus_client shares its values between processes (`PROMETHEUS_MULTIPROC_DIR`)."""
    return bool(getattr(values.ValueClass, "_multiprocess", False))


def forget_process(pid: int) -> None:
    """Take a worker that ends out of the live gauges of multi-process mode."""
    if is_multiprocess():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # untyped upstream


def bounded_method(method: str) -> str:
    """Return the method, or `OTHER` for one that is not in RFC 9110 or its registry."""
    return method if method in _METHODS else OTHER


def bounded_scheme(scheme: str) -> str:
    """Return the URL scheme, or `OTHER` for one that no server of ours speaks."""
    return scheme if scheme in ("http", "https", "ws", "wss") else OTHER
