"""What people and pipes see."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle.tooling.devplatform import Screen
from mysingle.tooling.devplatform._edits import is_source, owners
from mysingle.tooling.devplatform._lines import lines_of

RECORD = {
    "timestamp": "2026-11-22T23:17:03.123456Z",
    "severity_text": "WARN",
    "severity_number": 13,
    "body": "cache.miss",
    "event_name": "cache.miss",
    "key": "a",
    "service.name": "orders",
    "exception.stacktrace": "first\nsecond",
}


def shown(line: bytes, *, is_terminal: bool) -> str:
    parts: list[str] = []
    Screen(parts.append, ("orders", "prices"), is_terminal=is_terminal).log("orders", line)
    return "".join(parts)


def test_pipe() -> None:
    """In a pipe a line stays as it is, behind a name without colour."""
    assert shown(json.dumps(RECORD).encode(), is_terminal=False) == f"orders   | {json.dumps(RECORD)}\n"


def test_terminal() -> None:
    """In a terminal a record is text, its trace below it, the name in colour before each line."""
    head = "\x1b[36morders   |\x1b[0m"
    lines = shown(json.dumps(RECORD).encode(), is_terminal=True).splitlines()

    assert lines[0].split() == [*head.split(), "23:17:03.123", "WARN", "cache.miss", "key=a"]
    assert lines[1:] == [f"{head}     first", f"{head}     second"]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"body": 1}',
        b'{"timestamp": "x", "severity_text": "WARN", "body": ""}',
        b"\xff\xfe",
        b"",
        b"{" * 9999,
    ],
)
def test_other_lines(line: bytes) -> None:
    """What is no record is shown as it is, whatever it is."""
    assert shown(line, is_terminal=True).endswith(f"\x1b[0m {line.decode('utf-8', 'replace')}\n")


@given(st.binary(max_size=60))
def test_nothing_drives_the_terminal(line: bytes) -> None:
    """No byte that a service writes reaches the terminal as a control character."""
    text = shown(line.replace(b"\n", b""), is_terminal=True).removesuffix("\n").partition("\x1b[0m")[2]

    assert all(character.isprintable() or character == "\t" for character in text)


@given(st.lists(st.binary(max_size=30)))
async def test_lines(chunks: list[bytes]) -> None:
    """Lines are the same however they were cut, and the last one counts without its line break."""
    stream = asyncio.StreamReader()
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()

    whole = b"".join(chunks)
    assert [line async for line in lines_of(stream)] == whole.removesuffix(b"\n").split(b"\n") if whole else True


async def test_long_line() -> None:
    """A line without an end comes in parts, so that it does not fill the memory."""
    stream = asyncio.StreamReader()
    stream.feed_data(b"x" * 1_000_000)
    stream.feed_eof()

    parts = [part async for part in lines_of(stream)]
    assert (b"".join(parts), max(map(len, parts)) <= 128 * 1024) == (b"x" * 1_000_000, True)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("/all/app/main.py", {"outer"}),
        ("/all/inner/app/main.py", {"inner", "twin"}),
        ("/all/inner/app/data.json", set()),
        ("/all/inner/.venv/lib/x.py", set()),
        ("/all/inner/venv/lib/python3.11/site-packages/x.py", set()),
        ("/all/app/__pycache__/x.py", set()),
        ("/else/x.py", set()),
    ],
)
def test_owners(file: str, found: set[str]) -> None:
    """An edit belongs to the services of the innermost folder; environments and caches belong to nobody."""
    folders = {"outer": Path("/all"), "inner": Path("/all/inner"), "twin": Path("/all/inner")}

    assert owners(Path(file), folders) == found


def test_hidden_above() -> None:
    """A hidden folder above the service does not make its files foreign."""
    assert is_source(Path("/home/.work/app/main.py"), Path("/home/.work"))
