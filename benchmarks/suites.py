"""What is measured together, and the limit of each figure."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks import auth, dsl, iam, startup, units, web
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
        Figure("logins / bare argon2, on the same cores", logins["ratio_logins"], 0.9, "", at_least=True),
        Figure("finding a user, commands to Redis", logins["user_commands"], 1, ""),
    ]


def _dsl(measured: Measured) -> list[Figure]:
    engine = measured["engine"]
    return [
        Figure(
            name.capitalize().replace("_over_", " / ").replace("_", " "),
            engine[name],
            abs(limit),
            "",
            at_least=limit < 0,
        )
        for name, limit in dsl.LIMITS.items()
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
    "identity": Suite("What it costs to know the caller", {"proofs": auth.measure, "iam": iam.measure}, _identity),
    "dsl": Suite("What the strategy engine costs", {"engine": dsl.measure}, _dsl),
}
