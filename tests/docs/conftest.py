"""Real servers for the documentation, one of each for the session, and the environment that a reader has."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mysingle._kernel.logging import flush_logs
from mysingle.embedded import EmbeddedStack

ROOT = Path(__file__).parents[2]

Table: TypeAlias = list[dict[str, str]]
ReadTable: TypeAlias = Callable[..., Table]
Environment: TypeAlias = dict[str, str]


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedStack]:
    with EmbeddedStack(None, environ={}) as stack:
        yield stack


@pytest.fixture
def environment(servers: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Enter an empty directory on a machine where MongoDB and Redis are, in development; return its variables."""
    variables = {"ENVIRONMENT": "development", "LOG_FORMAT": "json", **servers.environment}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return variables


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[bytes]]:
    """Give a function that returns the lines that the log has so far; the log begins at its first call."""
    output = io.BytesIO()
    text = io.TextIOWrapper(output, encoding="utf-8")

    def read() -> list[bytes]:
        if sys.stdout is not text:
            monkeypatch.setattr("mysingle._kernel.logging._sink", None)  # one with the same arguments would stay
            monkeypatch.setattr(sys, "stdout", text)
        flush_logs()
        return [line for line in output.getvalue().splitlines() if line.startswith(b'{"timestamp"')]

    return read


@pytest.fixture
def read_table() -> ReadTable:
    """Give a function that reads the tables of a page, below one heading, as rows by column name."""

    def read(page: str, heading: str | None = None) -> Table:
        text = (ROOT / page).read_text(encoding="utf-8")
        if heading is not None:
            text = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        rows: Table = []
        header: list[str] = []
        for line in text.splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not cells:
                header = []
            elif not header:
                header = cells
            elif not set("".join(cells)) <= set("-: "):
                rows.append(dict(zip(header, (cell.replace("\\|", "|") for cell in cells), strict=True)))
        return rows

    return read


@pytest.fixture(scope="session")
def log_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "docs/reference/log-record.schema.json").read_text(encoding="utf-8"))
    return schema
