"""The tables of the reference say what the code says."""

import argparse
import ast
import asyncio
import gc
import importlib
import inspect
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from mysingle import dsl
from mysingle._kernel import propagation, settings
from mysingle._kernel.allocation import POLICIES, RedisDB
from mysingle._kernel.health import ServiceState
from mysingle._kernel.problems import HTTP_STATUS
from mysingle._kernel.rpc_metrics import RpcFamily, RpcMetrics
from mysingle._kernel.settings.sources import is_secret
from mysingle.auth import AuthReason
from mysingle.auth.iam._errors import IamReason
from mysingle.cli._main import COMMANDS
from mysingle.core import _operations, create_fastapi_app, create_service_config, errors, get_settings
from mysingle.database import create_service_cache, get_redis_manager
from mysingle.dsl import DSLError

ROOT = Path(__file__).parents[2]

LOG_CALLS = {"exception", "debug", "info", "warning", "error", "critical", "write", "report", "emit"}

ReadTable: TypeAlias = Callable[..., list[dict[str, str]]]

GROUPS = {
    "Project": settings.ProjectSettings,
    "HTTP": settings.HttpSettings,
    "MongoDB": settings.MongoSettings,
    "Redis": settings.RedisSettings,
    "Authentication": settings.AuthSettings,
    "Tokens": settings.TokenSettings,
    "IAM service": settings.IamSettings,
    "Sign-in with other providers": settings.OAuthSettings,
    "Mail": settings.MailSettings,
    "Strategy language": settings.DslSettings,
    "gRPC": settings.GrpcSettings,
    "Background tasks": settings.TaskSettings,
}


def plain(cell: str) -> str:
    return cell.replace("`", "")


def shown(default: Any) -> str:
    """How the reference writes a default."""
    if default is None or default is inspect.Parameter.empty:
        return "none"
    if default == () or default == "":
        return "empty"
    if isinstance(default, tuple):
        return ", ".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


@pytest.mark.parametrize("heading", GROUPS)
def test_settings(heading: str, read_table: ReadTable) -> None:
    """Each group lists its variables with their defaults, and marks the secrets."""
    fields = {name: field for name, field in GROUPS[heading].model_fields.items() if not name.startswith("REDIS_DB_")}
    rows = read_table("docs/reference/settings.md", heading)
    secrets = {name for name, field in fields.items() if is_secret(field)}

    assert {name: shown(field.default) for name, field in fields.items()} == {
        plain(row["Variable"]).split()[0]: plain(row["Default"]) for row in rows
    }
    assert secrets == {plain(row["Variable"]).split()[0] for row in rows if "(secret)" in row["Variable"]}


def test_settings_groups_are_all() -> None:
    """No variable is outside of the groups."""
    assert set(settings.CommonSettings.model_fields) == {
        name for group in GROUPS.values() for name in group.model_fields
    }


def test_environments(read_table: ReadTable, make_settings: Callable[..., settings.CommonSettings]) -> None:
    """The table of environments is what the settings conclude."""
    from mysingle.auth._policy import bypass_is_enabled, gateway_problem
    from mysingle.core._serve import _drain_delay

    service = create_service_config("my-service")
    for row in read_table("docs/reference/settings.md", "What ENVIRONMENT means"):
        name = plain(row["ENVIRONMENT"])
        given = {} if name == "not set" else {"ENVIRONMENT": name.replace(" ", "-")}
        made = make_settings(**given, MYSINGLE_AUTH_BYPASS=True)
        believed = gateway_problem(made) is None
        starts = made.is_relaxed or not made.is_environment_explicit

        assert row == row | {
            "Identity headers": "believed" if believed else row["Identity headers"],
            "Unsafe settings": "no start" if not starts else "a warning" if made.is_relaxed else "one ERROR line",
            "Bypass possible": "yes" if bypass_is_enabled(made) else "no",
            "API document": "no" if made.is_production else "yes",
            "`/health/details`": "yes" if made.is_relaxed else "no",
            "Log format": "JSON" if made.is_production else "console",
            "Drain delay": f"{_drain_delay(service, made):g} s",
        }
        assert believed == (row["Identity headers"] == "believed")


def test_redis_allocation(read_table: ReadTable) -> None:
    """The allocation in the reference is the allocation in the code."""

    def ttl(db: RedisDB) -> str:
        policy = POLICIES[db]
        if policy.max_ttl_seconds is None:
            return "managed" if policy.is_managed else "refused"
        bounds = dict.fromkeys((policy.min_ttl_seconds, policy.max_ttl_seconds))
        return "\N{EN DASH}".join(str(bound) for bound in bounds)

    expected = [
        {
            "DB": str(db.value),
            "Setting": f"REDIS_DB_{db.name}",
            "Purpose": POLICIES[db].purpose,
            "Owner": POLICIES[db].owner,
            "Key prefixes": " ".join(POLICIES[db].prefixes),
            "TTL in seconds": ttl(db),
            "Older names": " ".join(f"REDIS_DB_{alias}" for alias in POLICIES[db].aliases),
        }
        for db in RedisDB
    ]

    assert expected == [
        {name: plain(cell) for name, cell in row.items()}
        for row in read_table("docs/reference/redis-allocation.md")[:16]
    ]


def test_helper_prefixes() -> None:
    """The short-lived prefixes are named with their seconds."""
    text = (ROOT / "docs/reference/redis-allocation.md").read_text(encoding="utf-8")
    helpers = {prefix: ttl for policy in POLICIES.values() for prefix, ttl in (policy.helper_ttls or {}).items()}

    assert all(f"`{prefix}` for {ttl} s" in text for prefix, ttl in helpers.items())


async def scrape(app: Any) -> dict[str, Metric]:
    """Return what a service says after every kind of event, as metrics by name."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.get("/cached", headers={"X-User-Id": "a11ce0000000000000000001"})
            await client.get("/cached")
            await asyncio.sleep(0.6)  # the audit log writes every 0.2 s, the loop is looked at every 0.5 s
            text = (await client.get("/metrics")).text
    await get_redis_manager().close()
    return {metric.name: metric for metric in text_string_to_metric_families(text)}


def family_of(metric: Any) -> tuple[str, frozenset[str]]:
    """Return type and labels of a metric that was scraped."""
    return metric.type, frozenset(label for sample in metric.samples for label in sample.labels) - {"le"}


async def test_metrics(environment: dict[str, str], read_table: ReadTable) -> None:
    """The metrics of the reference are those of a real scrape: name, type, labels, buckets."""
    config = create_service_config("my-service", enable_audit_logging=True, critical_checks={"own": lambda: True})
    app = create_fastapi_app(config)
    cache = create_service_cache("market", get_settings().REDIS_DB_MARKET_DATA)

    @app.get("/cached")
    async def cached() -> int:
        with suppress(DSLError):  # a counter shows its labels when it has counted
            dsl.compile("import os")
        return int(await cache.get_or_set("metrics", lambda: 1))

    found = await scrape(app)
    of_rpc = {plain(row["Name"]) for row in read_table("docs/reference/metrics.md", "Of gRPC")}
    families = {
        name: family_of(metric)
        for name, metric in found.items()
        if not name.startswith(("process_", "python_")) and name not in of_rpc
    }
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    numbers = re.search(r"have the buckets (.*) seconds", page)
    bounds = {sample.labels.get("le") for sample in found["http_server_request_duration_seconds"].samples}

    assert families == {
        plain(row["Name"]): (row["Type"], frozenset(plain(row["Labels"]).split()))
        for heading in ("Of the service", "Of the process")
        for row in read_table("docs/reference/metrics.md", heading)
    }
    assert numbers is not None
    assert bounds - {None, "+Inf"} == set(re.findall(r"\d+\.\d+", numbers[1]))


def test_rpc_metrics(read_table: ReadTable) -> None:
    """The metrics of gRPC are those of the reference: name, type, labels."""
    found = {}
    for is_client in (False, True):
        measured = RpcMetrics(is_client=is_client)
        measured.duration("pkg.Service/Method", "OK", "x", *(("host", "1") if is_client else ()))
        for family in vars(measured).values():
            if isinstance(family, RpcFamily):
                family.labels(*family.label_names).inc()
        text = measured.render(is_openmetrics=False).decode()
        found |= {metric.name: family_of(metric) for metric in text_string_to_metric_families(text)}
    rows = read_table("docs/reference/metrics.md", "Of gRPC")

    assert found == {plain(row["Name"]): (row["Type"], frozenset(plain(row["Labels"]).split())) for row in rows}


def test_error_codes(read_table: ReadTable) -> None:
    """The sixteen codes have the HTTP status and the exception of the code."""
    exceptions = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    by_code = {item.default_code.value: item.__name__ for item in exceptions}
    rows = read_table("docs/reference/errors.md", "Codes")

    assert {code.value: (str(status), by_code.get(code.value, "")) for code, status in HTTP_STATUS.items()} == {
        plain(row["Code"]): (row["HTTP"], plain(row["Exception"])) for row in rows
    }


@cache
def _nodes() -> tuple[ast.AST, ...]:
    """Parse the sources once, without the collector: a finalizer that runs meanwhile breaks Python 3.11."""
    gc.collect()
    gc.disable()
    try:
        trees = [ast.parse(source.read_text(encoding="utf-8")) for source in sorted((ROOT / "src").rglob("*.py"))]
    finally:
        gc.enable()
    return tuple(node for tree in trees for node in ast.walk(tree))


def _reasons_in_code() -> set[str]:
    """Return every reason that the sources spell out, as an argument or a member."""
    found = {f"SERVICE_{state.name}" for state in (ServiceState.STARTING, ServiceState.STOPPED)}
    for node in _nodes():
        if isinstance(node, ast.keyword) and node.arg in ("reason", "code"):
            value = node.value
            if isinstance(value, ast.Constant) and re.fullmatch(r"[A-Z][A-Z_]+", str(value.value)):
                found.add(value.value)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "AuthReason":
            found.add(AuthReason[node.attr].value)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_TIMEOUT_REASON":
            found.add(ast.literal_eval(node.value))
    return found


def test_reasons(read_table: ReadTable) -> None:
    """Every reason that the package raises is in the reference, except those that no caller hears."""
    # These are INTERNAL: the caller hears that code only.
    internal = {"MONGODB_ERROR", "REDIS_ERROR", "TRANSACTIONS_MISSING", "USER_FILTER_MISSING"}
    listed = {
        plain(row["Reason"])
        for heading in ("Reasons", "Reasons of the user service", "At the start and on the command line")
        for row in read_table("docs/reference/errors.md", heading)
    }

    assert (_reasons_in_code() | {reason.value for reason in IamReason}) - internal == listed


def test_health_endpoints(read_table: ReadTable) -> None:
    """The endpoints and the states of the reference are those of the code."""
    paths = [plain(row["Path"]) for row in read_table("docs/reference/health.md")[:6]]
    states = [plain(row["State"]) for row in read_table("docs/reference/health.md", "States")]

    assert {*_operations.PROBES, _operations.METRICS} == set(paths)
    assert [state.value for state in ServiceState] == states


def test_headers(read_table: ReadTable) -> None:
    """The headers of the reference are those that the package spells."""
    identity = [plain(row["Header"]) for row in read_table("docs/reference/headers.md", "Identity, from the gateway")]
    tracing = [plain(row["Header"]) for row in read_table("docs/reference/headers.md", "Correlation and tracing")]

    assert list(propagation.IDENTITY_HEADERS) == identity
    assert [*propagation.CORRELATION_HEADERS, "traceparent", "tracestate"] == tracing


def test_commands(read_table: ReadTable) -> None:
    """Every command has a section, and the options of `mysingle run` have the defaults of the code."""
    text = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module("mysingle.cli.run").add_arguments(parser)
    rows = read_table("docs/reference/command-line.md", "mysingle run")

    assert set(COMMANDS) == set(re.findall(r"^## mysingle (\w+)$", text, re.MULTILINE))
    assert {
        name: shown(value) for name, value in vars(parser.parse_args(["app.main:app"])).items() if name != "app"
    } == {plain(row["Option"]).removeprefix("--"): plain(row["Default"]) for row in rows}


def test_dsl_options(read_table: ReadTable) -> None:
    """The options of `mysingle dsl` stand in the page with the defaults of the code."""
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module("mysingle.cli.dsl").add_arguments(parser)
    words = {
        "check": ["check", "x"],
        "run": ["run", "x", "--data", "y"],
        "explain": ["explain", "x"],
        "sweep": ["sweep", "x", "--data", "y", "--param", "n=1"],
        "backtest": ["backtest", "x", "--data", "y"],
    }
    found = {
        f"--{name.replace('_', '-')}": shown(value)
        for given in words.values()
        for name, value in vars(parser.parse_args(given)).items()
        if name not in ("action", "file", "data", "params", "json", "allow_missing", "param", "where")
    }
    listed = {
        option: plain(row["Default"])
        for row in read_table("docs/reference/command-line.md", "mysingle dsl")
        if "Option" in row
        for option in plain(row["Option"]).split(", ")
    }

    assert listed.items() >= found.items()
    assert set(listed) - set(found) == {"--data", "--params", "--json", "--allow-missing", "--param", "--where"}


def test_factory_options(read_table: ReadTable) -> None:
    """The options of `create_service_config` stand in the guide in their order, with their defaults."""
    parameters = inspect.signature(create_service_config).parameters.values()
    rows = read_table("docs/MYSINGLE_APP_FACTORY_USAGE_GUIDE.md", "Options of create_service_config")

    assert [(item.name, shown(item.default)) for item in parameters] == [
        (plain(row["Option"]), plain(row["Default"])) for row in rows
    ]


def _events_in_code() -> set[str]:
    """Return every event name that stands in a call as text."""
    found = set()
    for node in _nodes():
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in LOG_CALLS:
            texts = [str(item.value) for item in node.args[:2] if isinstance(item, ast.Constant)]
            found |= {text for text in texts if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text)}
    return found


def test_events(read_table: ReadTable) -> None:
    """The events of the reference are those that the package logs."""
    assert _events_in_code() | {"http.request", "rpc.call"} == {
        plain(row["Event"]) for row in read_table("docs/reference/log-record.md", "The service's own events")
    }
