"""Calls over HTTP, with nothing but the standard library, as any client would."""

import json
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    body: Any
    seconds: float

    @property
    def code(self) -> str:
        """The stable word of a refusal; empty for anything else."""
        return str(self.body.get("code", "")) if self.status >= 400 and isinstance(self.body, dict) else ""


class Caller:
    """Keeps one connection to one address. `with Caller(url) as caller:` closes it."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: object = None) -> Answer:
        sent = {"Content-Type": "application/json", **(headers or {})}
        started = time.perf_counter()
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = self._connection.getresponse()
            content = response.read()
        except OSError:
            self._connection.close()
            raise
        seconds = time.perf_counter() - started
        is_json = "json" in response.getheader("Content-Type", "")
        return Answer(response.status, json.loads(content) if is_json and content else content.decode(), seconds)
