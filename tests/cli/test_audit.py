"""`mysingle audit verify`, on a log that the sink of a service has written into a real MongoDB."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pymongo
import pytest
from pydantic import SecretStr

from mysingle._kernel.settings import reset_settings
from mysingle.cli import main
from mysingle.core.audit import AuditRecord
from mysingle.database import MongoAuditSink, init_mongo
from mysingle.embedded import EmbeddedMongo

Audit: TypeAlias = Callable[..., tuple[int, str, str]]
KEY = "a-key-of-the-audit-log-that-is-long-enough"
APP = """
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("any-service", database_name="order_db"))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedMongo]:
    with EmbeddedMongo() as server:
        yield server


@pytest.fixture
def audit(
    server: EmbeddedMongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Audit]:
    """Give a function that verifies, in an empty folder and on an empty server: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URL", server.url)

    def verify(*words: str, **environment: str) -> tuple[int, str, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        reset_settings()
        with pytest.raises(SystemExit) as ended:
            main(["audit", "verify", *words])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    yield verify
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        client.drop_database("order_db")


def write(server: EmbeddedMongo, count: int, *keys: str) -> None:
    """Write a stream into the log of `order_db`."""

    async def go() -> None:
        database = await init_mongo([], database_name="order_db", url=server.url)
        sink = MongoAuditSink(lambda: database, [SecretStr(key) for key in keys])
        await sink.write([_record(number) for number in range(count)])
        await database.client.close()

    asyncio.run(go())


def _record(number: int) -> AuditRecord:
    return AuditRecord(
        at=datetime(2026, 1, 2, 3, 4, number, tzinfo=UTC), service="order", user_id=None, auth_method=None,
        method="GET", route="/", path=f"/{number}", status=200, duration_seconds=0.1, client_address=None,
        correlation_id=None, trace_id=None,
    )  # fmt: skip


def spoil(server: EmbeddedMongo, path: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        client["order_db"]["audit_logs"].update_one({"path": path}, {"$set": {"user_id": "\x1b[31mmallory"}})


def test_intact(audit: Audit, server: EmbeddedMongo) -> None:
    """A log that nobody has touched is intact, exit code 0; the service's name finds its database."""
    write(server, 5)
    code, out, _ = audit(SERVICE_NAME="order")
    state, stream, count, began, ended, problem = out.splitlines()[0].split("\t")

    assert (code, state, len(stream), count, problem) == (0, "intact", 36, "5", "-")
    assert (began, ended) == ("2026-01-02T03:04:00Z", "2026-01-02T03:04:04Z")
    assert out.endswith("intact, 5 records in 1 streams\n")


def test_broken(audit: Audit, server: EmbeddedMongo) -> None:
    """A changed record is named with its stream, its place and the reason, exit code 1; as JSON too."""
    write(server, 5)
    spoil(server, "/3")
    code, out, _ = audit("--database", "order_db")
    document = json.loads(audit("--database", "order_db", "--json")[1])
    (stream,) = document["streams"]

    assert code == 1
    assert "record 3: does not follow from record 2" in out
    assert "BROKEN" in out
    assert (document["verdict"], stream["finding"]["number"], stream["finding"]["kind"]) == ("broken", 3, "changed")


def test_app(audit: Audit, server: EmbeddedMongo, tmp_path: Path) -> None:
    """The configuration of an app says which database is meant; something else does not."""
    (tmp_path / "audited_app.py").write_text(APP)
    write(server, 2)

    assert audit("--app", "audited_app:app")[1].endswith("2 records in 1 streams\n")
    code, _, err = audit("--app", "audited_app:create_service_config")
    assert (code, "--database" in err) == (2, True)


def test_anchor(audit: Audit, server: EmbeddedMongo, tmp_path: Path) -> None:
    """What --json said is an anchor: an end that is cut off later is found with it alone."""
    write(server, 5)
    (tmp_path / "anchor.json").write_text(audit("--database", "order_db", "--json")[1])
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        client["order_db"]["audit_logs"].delete_one({"path": "/4"})
    code, out, _ = audit("--database", "order_db", "--anchor", "anchor.json")

    assert audit("--database", "order_db")[0] == 0
    assert (code, "ends before record 4" in out) == (1, True)


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file"), ("{", "no JSON"), ("[]", "no report"), ('{"verdict": "broken", "streams": []}', "broken")],
    ids=["absent", "no-json", "else", "broken"],
)
def test_no_anchor(audit: Audit, tmp_path: Path, content: str | None, cause: str) -> None:
    """A file that cannot be an anchor is one line with its name, exit code 2."""
    if content is not None:
        (tmp_path / "anchor.json").write_text(content)
    code, out, err = audit("--database", "order_db", "--anchor", "anchor.json")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "anchor.json cannot be an anchor" in err
    assert cause in err


def test_accept(audit: Audit, server: EmbeddedMongo) -> None:
    """Records of an older version are a finding until they are accepted."""
    with pymongo.MongoClient[dict[str, Any]](server.url) as client:
        client["order_db"]["audit_logs"].insert_one({"_id": "older", "path": "/"})

    assert audit("--database", "order_db")[0] == 1
    assert audit("--database", "order_db", "--accept", "unchained")[0] == 0


def test_keys(audit: Audit, server: EmbeddedMongo) -> None:
    """A signed log verifies with its key; with another one or none it cannot be verified, exit code 2."""
    write(server, 3, KEY)
    without, _, said = audit("--database", "order_db")
    wrong, out, _ = audit("--database", "order_db", AUDIT_SIGNING_KEYS=KEY[::-1])
    right, _, _ = audit("--database", "order_db", AUDIT_SIGNING_KEYS=f"{KEY[::-1]},{KEY}")

    assert (without, wrong, right) == (2, 2, 0)
    assert "AUDIT_SIGNING_KEYS" in said
    assert "which AUDIT_SIGNING_KEYS does not hold" in out
    assert KEY[::-1] not in out


def test_empty(audit: Audit) -> None:
    """A log without records says so, exit code 0."""
    code, out, _ = audit("--database", "order_db")

    assert (code, out.endswith(": no records\n")) == (0, True)


def test_whose(audit: Audit) -> None:
    """Without a service there is one line that says how to name one."""
    code, _, err = audit()

    assert (code, err.count("\n")) == (2, 1)
    assert "SERVICE_NAME" in err


@pytest.mark.parametrize("name", ["a b", "a.b", "a\x01b", "x" * 70])
def test_no_database(audit: Audit, name: str) -> None:
    """What is no name of a database is refused in one line, before the server is asked."""
    code, out, err = audit("--database", name)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot be used" in err
    assert err.rstrip("\n").isprintable()


def test_unreachable(audit: Audit) -> None:
    """Without a server there is one line with its address and without the password, exit code 2."""
    code, out, err = audit(
        "--database", "order_db", MONGODB_URL="mongodb://me:hunter2@127.0.0.1:1",
        MONGODB_SERVER_SELECTION_TIMEOUT_MS="300",
    )  # fmt: skip

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "127.0.0.1:1 is not reachable" in err
    assert "hunter2" not in err


def test_terminal(audit: Audit, server: EmbeddedMongo, tmp_path: Path) -> None:
    """At a terminal there is a table with a header and a bar that goes away; nothing stored drives it."""
    write(server, 5)
    spoil(server, "/4")
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "mysingle", "audit", "verify", "--database", "order_db"]
    done = subprocess.run(command, stdout=child, stderr=child, timeout=60, check=False, env=os.environ, cwd=tmp_path)
    os.close(child)
    said = os.read(parent, 65536).decode()
    os.close(parent)

    assert done.returncode == 1
    assert "FIRST PROBLEM" in said
    assert "audit records [" in said
    assert "\r\x1b[K" in said
    assert "mallory" not in said
