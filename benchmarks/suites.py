"""What is measured together, and the limit of each figure."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks import auth, cache, check, dsl, grpc, iam, rivals, startup, storage, units, web
from benchmarks.chart import Figure

Measured = Mapping[str, Mapping[str, float]]


class Suite(NamedTuple):
    """Parts that are measured one after the other, and the figures that people look at."""

    title: str
    parts: Mapping[str, Callable[[], dict[str, float]]]
    figures: Callable[[Measured], list[Figure]]


def _foundation(measured: Measured) -> list[Figure]:
    http, start = measured["http"], measured["startup"]
    return [
        Figure("HTTP throughput / bare FastAPI", http["ratio_requests_per_second"], 0.85, "", at_least=True),
        Figure("HTTP p99 / bare FastAPI", http["ratio_p99_ms"], 1.3, ""),
        Figure("import mysingle, added", start["import_mysingle_added_ms"], 15, "ms"),
        Figure("create_fastapi_app / its libraries", start["ratio_create_fastapi_app"], 1.15, ""),
        Figure("mysingle --help", start["help_ms"], 150, "ms"),
        Figure("a log line", measured["log"]["line_us"], 30, "us"),
        Figure("a scrape of 2,000 series", measured["scrape"]["scrape_ms"], 20, "ms"),
        Figure("a probe, p99, dependency hanging", measured["probes"]["p99_ms"], 5, "ms"),
    ]


def _identity(measured: Measured) -> list[Figure]:
    proofs, logins = measured["proofs"], measured["iam"]
    return [
        Figure("header identity with HMAC, added", proofs["hmac_us"], 15, "us"),
        Figure("a token seen before, added", proofs["cached_token_us"], 10, "us"),
        Figure("a new ES256 token / its raw signature check", proofs["ratio_token"], 1.6, ""),
        Figure("50 logins at once, longest hold of the loop", logins["hold_ms"], 5, "ms"),
        Figure("logins / bare argon2, time of the service", logins["ratio_logins_cpu"], 0.9, "", at_least=True),
        Figure("the same, data servers on these cores too", logins["ratio_logins"], 0.9, "", at_least=True),
        Figure("finding a user, commands to Redis", logins["user_commands"], 1, ""),
    ]


def _dsl(measured: Measured) -> list[Figure]:
    engine = {**measured["engine"], **measured["rivals"]}
    return [
        Figure(
            name.capitalize().replace("_over_", " / ").replace("_", " "),
            engine[name],
            abs(limit),
            "",
            at_least=limit < 0,
        )
        for name, limit in {**dsl.LIMITS, **rivals.LIMITS}.items()
    ]


def _data(measured: Measured) -> list[Figure]:
    caches, mongo, duck = measured["cache"], measured["mongo"], measured["duckdb"]
    beside = {f"{call} of {name} / ours": caches[f"ratio_{call}_to_{name}"] for name, call in cache.BESIDE}
    return [
        Figure("get of 1 KB / redis-py and orjson", caches["ratio_get"], 0.85, "", at_least=True),
        Figure("set of 1 KB / redis-py and orjson", caches["ratio_set"], 0.85, "", at_least=True),
        Figure("get_many(100) / MGET and orjson", caches["ratio_get_many"], 0.9, "", at_least=True),
        Figure("a copy in the process, times faster", caches["ratio_local_to_redis"], 50, "", at_least=True),
        *(Figure(f"{title}, time", ratio, 1, "", at_least=True) for title, ratio in beside.items()),
        Figure("repository get / PyMongo find_one", mongo["ratio_find_one"], 0.6, "", at_least=True),
        Figure("scan of 1M rows / DuckDB", duck["ratio_scan"], 0.95, "", at_least=True),
    ]


def _rpc(measured: Measured) -> list[Figure]:
    calls = measured["calls"]
    return [
        Figure("unary calls / bare grpc.aio", calls["ratio_unary_requests_per_second"], 0.85, "", at_least=True),
        Figure("unary p50 / bare grpc.aio", calls["ratio_unary_p50"], 1.2, ""),
        Figure(
            "a client for each request / one bare stub",
            calls["ratio_per_request_requests_per_second"],
            0.8,
            "",
            at_least=True,
        ),
        Figure("messages of a stream / bare", calls["ratio_stream_messages_per_second"], 0.9, "", at_least=True),
        Figure("a cached call, times faster", calls["cached_hit_times_faster"], 5, "", at_least=True),
    ]


def _tools(measured: Measured) -> list[Figure]:
    checked = measured["check"]
    return [
        Figure("mysingle check, files a second", checked["files_per_second"], 300, "", at_least=True),
        Figure("mysingle check, a thousand files", checked["seconds_per_thousand"], 4, "s"),
    ]


SUITES = {
    "foundation": Suite(
        "What the chassis costs",
        {
            "startup": startup.measure,
            "log": units.measure_log,
            "scrape": units.measure_scrape,
            "probes": web.measure_probes,
            "http": web.measure,
        },
        _foundation,
    ),
    "tools": Suite("How long the tools take", {"check": check.measure}, _tools),
    "identity": Suite("What it costs to know the caller", {"proofs": auth.measure, "iam": iam.measure}, _identity),
    "dsl": Suite("What the strategy engine costs", {"engine": dsl.measure, "rivals": rivals.measure}, _dsl),
    "data": Suite(
        "Caches, documents and scans beside the bare drivers",
        {"cache": cache.measure, "mongo": storage.measure_mongo, "duckdb": storage.measure_duckdb},
        _data,
    ),
    "rpc": Suite("Calls beside bare grpc.aio", {"calls": grpc.measure}, _rpc),
}
