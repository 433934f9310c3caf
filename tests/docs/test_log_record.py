"""Real log lines are what the published schema says."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mysingle._kernel.log_record import MAX_RECORD_BYTES, SEVERITIES, AccessTemplate
from mysingle._kernel.logging import get_logger, log_access
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.errors import UnavailableError

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "object": (dict,),
}
ALICE = {"X-User-Id": "a11ce0000000000000000001"}
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def violations(value: Any, schema: dict[str, Any], where: str = "record") -> list[str]:
    """Return what is wrong with a value, for the part of JSON Schema that the published schema uses."""
    found = []
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, TYPES[kind]) and not isinstance(value, bool) for kind in kinds):
        found.append(f"{where}: {value!r} is not {kinds}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "pattern" in schema and not (isinstance(value, str) and re.search(schema["pattern"], value)):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value) if "minimum" in schema else False:
        found.append(f"{where}: {value!r} is out of bounds")
    if isinstance(value, dict):
        found += _object_violations(value, schema)
    return found


def _object_violations(value: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    found = [f"{key} is missing" for key in schema.get("required", ()) if key not in value]
    for key, needed in schema.get("dependentRequired", {}).items():
        found += [f"{key} without {other}" for other in needed if key in value and other not in value]
    for key, part in schema.get("properties", {}).items():
        found += violations(value[key], part, key) if key in value else []
    for branch in schema.get("allOf", ()):
        if not violations(value, branch["if"]):
            found += violations(value, branch["then"])
    return found


@pytest.fixture
async def lines(environment: dict[str, str], log_lines: Callable[[], list[bytes]]) -> list[bytes]:
    """Give the log of a service that had every kind of request."""
    log_lines()
    app = create_fastapi_app(create_service_config("my-service", public_paths=["/open"]))
    log = get_logger("my.module")

    @app.get("/items/{item_id}")
    async def read(item_id: str) -> dict[str, str]:
        log.info("item.read", item_id=item_id, price=1.5, tags=["a"], nothing=None, password="hunter2")
        logging.getLogger("a.library").warning("something %s", "old")
        return {"id": item_id}

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("MONGODB_URL=mongodb://me:hunter2@host/")

    @app.get("/away")
    async def away() -> None:
        raise UnavailableError("away", reason="FEED_AWAY")

    @app.get("/open")
    async def open_to_all() -> None:
        log.info("item.huge", text="x" * 40_000)

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for path in ("/items/1", "/fail", "/away", "/nowhere", "/ready"):
                await client.get(path, headers=ALICE | TRACE)
            await client.get("/items/1")
            await client.get("/open")
        log_access(
            AccessTemplate.of_call("pkg.v1.Service/Method", "UNAVAILABLE", "UNAVAILABLE", 1), None, 0.01, "ipv4:1"
        )
    return log_lines()


async def test_lines_fit_the_schema(lines: list[bytes], log_schema: dict[str, Any]) -> None:
    """Every line is an object that the schema allows, and no longer than the cap."""
    wrong = {line[:200]: found for line in lines if (found := violations(json.loads(line), log_schema))}

    assert wrong == {}
    assert max(len(line) for line in lines) < MAX_RECORD_BYTES


async def test_every_key_of_the_schema_occurs(lines: list[bytes], log_schema: dict[str, Any]) -> None:
    """The schema names nothing that no record has."""
    seen = {key for line in lines for key in json.loads(line)}

    assert set(log_schema["properties"]) <= seen


async def test_no_key_occurs_twice(lines: list[bytes]) -> None:
    """A record is one object: each key stands in it once, because parsers differ in which of two they keep."""
    twice = set()
    for line in lines:
        keys = [key for key, _ in json.loads(line, object_pairs_hook=list)]
        twice |= {key for key in keys if keys.count(key) > 1}

    assert twice == set()


async def test_no_secret_is_in_a_line(lines: list[bytes]) -> None:
    """What the page says about secrets holds for these lines."""
    assert b"hunter2" not in b"".join(lines)


def test_walker_refuses(log_schema: dict[str, Any]) -> None:
    """The walker finds what is wrong; else the tests above would say nothing."""
    record = {"timestamp": "now", "severity_text": "INFO", "severity_number": "9", "body": "http.request"}
    found = violations(record | {"trace_id": "0" * 32, "duration_s": -1}, log_schema)

    assert len(found) == 3 + 3 + 2 + 6


def test_severities(log_schema: dict[str, Any]) -> None:
    """The severities of the schema are those of the code."""
    texts = [text for text, _ in SEVERITIES.values()]
    numbers = [number for _, number in SEVERITIES.values()]

    assert texts == log_schema["properties"]["severity_text"]["enum"]
    assert numbers == log_schema["properties"]["severity_number"]["enum"]


def test_page_lists_the_keys(log_schema: dict[str, Any], read_table: Any) -> None:
    """The table of the page and the schema name the same keys, with the same types."""
    kinds = {"severity_text": "string", "severity_number": "integer", "log.truncated": "boolean"}
    expected = {
        key: kinds.get(key) or " or ".join([part["type"]] if isinstance(part["type"], str) else part["type"])
        for key, part in log_schema["properties"].items()
    }
    rows = read_table("docs/reference/log-record.md", "Keys")

    assert expected == {row["Key"].strip("`"): row["Type"] for row in rows}
