"""Questions to other systems that need no library of ours, each bounded in time."""

import asyncio
import contextlib
import json
import smtplib
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from mysingle._kernel.settings import CommonSettings

__all__ = ["Answer", "ask_jwks", "ask_smtp", "bounded", "connect_to", "resolve_name"]

T = TypeVar("T")

_MAX_KEYS_BYTES = 1 << 20


class Answer(NamedTuple):
    """Where from, in which time, what was said, and how far the other clock is ahead; None when it does not say."""

    address: str
    seconds: float
    text: str = ""
    skew_seconds: float | None = None


async def bounded(call: Callable[[], T], seconds: float) -> T:
    """
    Run a blocking call in a thread that nobody waits for longer, not even the end of the process.

    Raises:
        TimeoutError: it did not end.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not result.done():
            set_it(value)

    def work() -> None:
        try:
            outcome: tuple[Callable[[Any], None], Any] = (result.set_result, call())
        except Exception as error:  # it goes to whoever waits
            outcome = (result.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wait_for(result, seconds)


def ask_smtp(settings: CommonSettings, seconds: float) -> Answer:
    """Greet the mail server, encrypted as the settings say; nothing is sent and nobody logs in."""
    host, port = settings.SMTP_HOST or "", settings.SMTP_PORT
    began = time.monotonic()
    if settings.SMTP_SECURITY == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=seconds, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, port, timeout=seconds)
    with server:
        server.ehlo()
        if settings.SMTP_SECURITY == "starttls":
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        server.noop()
    return Answer(f"{host}:{port}", time.monotonic() - began, settings.SMTP_SECURITY)


def ask_jwks(url: str, seconds: float) -> Answer:
    """
    Fetch public keys.

    Raises:
        ValueError: what is there is no set of keys. OSError: nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{parts.scheme} is neither http nor https")
    began, wall = time.monotonic(), time.time()
    with urllib.request.urlopen(url, timeout=seconds) as reply:  # noqa: S310  # the scheme was looked at
        body, date = reply.read(_MAX_KEYS_BYTES), reply.headers.get("Date")
    took = time.monotonic() - began
    document = json.loads(body)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer has no list of keys")
    skew = parsedate_to_datetime(date).timestamp() - (wall + took / 2) if date else None
    return Answer(parts.netloc.rpartition("@")[2], took, f"{len(keys)} keys", skew)


def connect_to(host: str, port: int, seconds: float) -> float:
    """Open and close a connection; return how long that took."""
    began = time.monotonic()
    socket.create_connection((host, port), timeout=seconds).close()
    return time.monotonic() - began


def resolve_name(host: str) -> tuple[str, ...]:
    """Return the addresses behind a name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(sorted({str(entry[4][0]) for entry in found}))
