"""Bytes to a server and back: what no HTTP client would send, and every answer that comes."""

import json
import socket
import time
from contextlib import suppress
from typing import Any, NamedTuple

__all__ = ["Answer", "exchange"]

_SECONDS = 10.0
_IDLE_SECONDS = 0.3
_PIECE = 65_536
_WITHOUT_BODY = (204, 304)


class Answer(NamedTuple):
    """One answer of the server; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body, an empty one when there is none."""
        try:
            loaded = json.loads(self.body)
        except ValueError:
            return {}
        return loaded if isinstance(loaded, dict) else {}

    @property
    def code(self) -> str:
        """The stable word of a problem document, or nothing."""
        return str(self.document.get("code", ""))


def exchange(address: tuple[str, int], request: bytes, at_least: int = 1) -> tuple[Answer, ...]:
    """
    Send bytes over a connection of their own, and return every answer.

    The connection is read until the server closes it, or until it is silent after so many whole answers. An answer
    that never comes is no answer.
    """
    is_head = request.startswith(b"HEAD ")
    with socket.create_connection(address, timeout=_SECONDS) as connection:
        received = bytearray()
        with suppress(OSError):  # refused before it was read to the end; the answer may be there all the same
            connection.sendall(request)
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            answers, is_whole = _read(bytes(received), is_head=is_head)
            has_all = is_whole and len(answers) >= at_least
            connection.settimeout(_IDLE_SECONDS if has_all else max(0.01, deadline - time.monotonic()))
            try:
                piece = connection.recv(_PIECE)
            except OSError:
                break
            if not piece:
                break
            received += piece
    return _read(bytes(received), is_head=is_head)[0]


def _read(received: bytes, *, is_head: bool) -> tuple[tuple[Answer, ...], bool]:
    """Return the answers that are there, and whether they end where the bytes end."""
    answers: list[Answer] = []
    while received:
        head, separator, rest = received.partition(b"\r\n\r\n")
        if not separator:
            return tuple(answers), False
        status, headers = _read_head(head)
        body, received, is_whole = (b"", rest, True) if is_head else _read_body(status, headers, rest)
        answers.append(Answer(status, headers, body))
        if not is_whole:
            return tuple(answers), False
    return tuple(answers), bool(answers)


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _read_body(status: int, headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes, bool]:
    """Return the body, what stands behind it, and whether all of it is there."""
    if status < 200 or status in _WITHOUT_BODY:
        return (b"", rest, True) if status != 101 else (rest, b"", False)
    if headers.get("transfer-encoding") == "chunked":
        return _read_chunks(rest)
    if "content-length" in headers:
        size = int(headers["content-length"])
        return rest[:size], rest[size:], len(rest) >= size
    return rest, b"", False


def _read_chunks(rest: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        size, separator, tail = rest.partition(b"\r\n")
        if not separator:
            return body, b"", False
        length = int(size, 16)
        if len(tail) < length + 2:
            return body + tail, b"", False
        body, rest = body + tail[:length], tail[length + 2 :]
        if length == 0:
            return body, rest, True
