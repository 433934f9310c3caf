"""The idempotency layer: a request that comes twice with one key runs once, and both get the same reply."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from mysingle._kernel import propagation
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, header_map
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import (
    AlreadyExistsError,
    ErrorCode,
    InvalidArgumentError,
    MySingleError,
    UnavailableError,
    translate,
)
from mysingle._kernel.logging import get_logger
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle.core._middleware.errors import AskHandler

__all__ = ["IdempotencyMiddleware"]

_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HEADER = b"idempotency-key"
_KEY = re.compile(rb'"?([\x21\x23-\x7e]{1,255})"?')
_AGAIN = frozenset({408, 425, 429, 503})
_MAX_REPLY_BYTES = 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_OWN_HEADERS = frozenset(
    {b"date", b"server", b"connection", *(name.lower().encode() for name in propagation.CORRELATION_HEADERS)}
)

log = get_logger("mysingle.core")


class _Claim(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def token(self) -> bytes: ...
    @property
    def reply(self) -> bytes: ...


class Store(Protocol):
    """What is needed of `mysingle.database.IdempotencyStore`."""

    lease_seconds: float

    async def claim(self, name: str, fingerprint: bytes) -> _Claim:
        """Take a name for a request, or say what became of it."""

    async def renew(self, name: str, token: bytes) -> bool:
        """Say that the request still runs."""

    async def finish(self, name: str, token: bytes, reply: bytes) -> bool:
        """Keep what the request came to."""

    async def release(self, name: str, token: bytes) -> bool:
        """Forget the request."""


class IdempotencyMiddleware:
    """
    Runs POST, PUT, PATCH and DELETE requests with an `Idempotency-Key` once for each user and key.

    Duplicates wait for the first one, for `wait_seconds` at most, and get its reply, with `Idempotency-Replayed: true`.
    The same key with another request is 422. A reply that asks to come back (408, 425, 429, 503) frees the key; every
    other one, errors included, is kept. When the process of the first one died, nobody knows how far it came:
    duplicates are 409, and never run. Without its store such a request is 503: running an order twice is worse.
    """

    def __init__(
        self, app: App, *, store: Store, service_name: str, ask_handler: AskHandler, wait_seconds: float = 30.0
    ) -> None:
        self.app = app
        self._ask_handler = ask_handler
        self._store = store
        self._service_name = service_name
        self._wait_seconds = wait_seconds

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let requests without a key through."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            return self.app(scope, receive, send)
        raw = header_map(scope).get(_HEADER)
        if raw is None:
            return self.app(scope, receive, send)
        found = _KEY.fullmatch(raw)
        if found is None:
            raise InvalidArgumentError(
                "Idempotency-Key must be 1 to 255 visible characters.", reason="IDEMPOTENCY_KEY_INVALID"
            )
        return self._run(found[1], scope, receive, send)

    async def _run(self, key: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return  # the client has left before it had asked
        name = self._name(key)
        claim = await self._claim(name, _fingerprint(scope, body))
        if claim.state == "mine":
            async with self._kept_alive(name, claim.token):
                await self._run_first(name, claim.token, scope, _replay_body(body, receive), send)
            return
        for message in _unpack(claim.reply):
            await send(message)

    def _name(self, key: bytes) -> str:
        user = current_context().user_id or "anonymous"
        return f"{self._service_name}:{user}:{hashlib.sha256(key).hexdigest()[:40]}"

    async def _claim(self, name: str, fingerprint: bytes) -> _Claim:
        """Take the key, or wait until whoever has it is done."""
        ends_at, pause = time.monotonic() + self._wait_seconds, _FIRST_PAUSE
        while True:
            claim = await self._ask(name, fingerprint)
            if claim.state in ("mine", "done"):
                return claim
            _refuse(claim.state)
            if time.monotonic() + pause > ends_at:
                raise AlreadyExistsError(
                    "The first request with this Idempotency-Key is still running.",
                    code=ErrorCode.ABORTED,
                    reason="IDEMPOTENCY_IN_PROGRESS",
                    retry_after_seconds=1,
                )
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    async def _ask(self, name: str, fingerprint: bytes) -> _Claim:
        try:
            return await self._store.claim(name, fingerprint)
        except MySingleError as error:
            raise UnavailableError(
                "The request was not run: its Idempotency-Key cannot be checked at the moment.",
                reason="IDEMPOTENCY_UNAVAILABLE",
                retry_after_seconds=1,
            ) from error

    @asynccontextmanager
    async def _kept_alive(self, name: str, token: bytes) -> AsyncIterator[None]:
        """Tell the store that the request still runs, for as long as it does."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._store.lease_seconds / 3)
                with contextlib.suppress(MySingleError):
                    await self._store.renew(name, token)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()

    async def _run_first(self, name: str, token: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Recording(send)
        try:
            await self.app(scope, receive, reply.send)
        except Exception as error:
            if await self._answer_by_handler(error, scope, receive, reply):
                await self._end(name, token, reply.status, reply.messages)
                await reply.flush()
                return
            # The errors layer answers this one; its duplicates get the same document from here.
            problem = to_problem(translate(error) or MySingleError())
            messages = problem_messages(problem, scope["path"], current_context().correlation_id, self._service_name)
            await self._end(name, token, problem.status, list(messages))
            await reply.flush()
            raise
        await self._end(name, token, reply.status, reply.messages)
        await reply.flush()

    async def _answer_by_handler(self, error: Exception, scope: Scope, receive: Receive, reply: "_Recording") -> bool:
        """Let the app's own handler answer an error; tell whether it has one."""
        if reply.status:
            return False
        answer = await self._ask_handler(scope, receive, error, as_last_resort=False)
        if answer is not None:
            await answer(scope, receive, reply.send)
        return answer is not None

    async def _end(self, name: str, token: bytes, status: int, messages: "list[Message] | None") -> None:
        """Keep the reply before the client sees it: whoever has a reply can rely on it."""
        try:
            if status in _AGAIN:
                await self._store.release(name, token)
            else:
                await self._store.finish(name, token, _pack(messages))
        except MySingleError as error:
            log.error("idempotency.not_kept", reason=error.reason, status=status)


class _Recording:
    """Holds a reply back until it is kept; one that is too large goes out as it comes, and is not kept."""

    def __init__(self, send: Send) -> None:
        self.status = 0
        self.messages: list[Message] | None = []
        self._send = send
        self._size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self.messages is None:
            await self._send(message)
            return
        self.messages.append(message)
        self._size += len(message.get("body", b""))
        if self._size > _MAX_REPLY_BYTES:
            held, self.messages = self.messages, None
            for each in held:
                await self._send(each)

    async def flush(self) -> None:
        held, self.messages = self.messages, None
        for each in held or ():
            await self._send(each)


def _refuse(state: str) -> None:
    if state == "other":
        raise InvalidArgumentError(
            "This Idempotency-Key was used for another request.", reason="IDEMPOTENCY_KEY_REUSED", status=422
        )
    if state == "lost":
        raise AlreadyExistsError(
            "The first request with this Idempotency-Key was interrupted: look what became of it before you ask again "
            "with another key.",
            reason="IDEMPOTENCY_OUTCOME_UNKNOWN",
        )


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body; None when the client has left."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    """Return what tells two requests apart: method, path, query and body."""
    parts = (scope["method"].encode(), scope["path"].encode("utf-8", "surrogatepass"), scope["query_string"], body)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _pack(messages: "list[Message] | None") -> bytes:
    """Return a reply as bytes; a reply that was too large is kept as the problem that its duplicates get."""
    if messages is None:
        error = AlreadyExistsError("The reply was too large to be kept.", reason="IDEMPOTENCY_REPLY_NOT_KEPT")
        messages = list(problem_messages(to_problem(error), "", None, ""))
    start: Any = next((each for each in messages if each["type"] == "http.response.start"), {"status": 500})
    headers = [(name, value) for name, value in start.get("headers", ()) if bytes(name).lower() not in _OWN_HEADERS]
    body = b"".join(each.get("body", b"") for each in messages if each["type"] == "http.response.body")
    document = {
        "v": 1,
        "status": start["status"],
        "headers": [[bytes(name).decode("latin-1"), bytes(value).decode("latin-1")] for name, value in headers],
        "body": base64.b64encode(body).decode(),
    }
    return json.dumps(document).encode()


def _unpack(reply: bytes) -> tuple[Message, Message]:
    try:
        document = json.loads(reply)
        if document["v"] != 1:
            raise ValueError("another version")
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in document["headers"]]
        start: Message = {
            "type": "http.response.start",
            "status": int(document["status"]),
            "headers": [*headers, (b"idempotency-replayed", b"true")],
        }
        return start, {"type": "http.response.body", "body": base64.b64decode(document["body"], validate=True)}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AlreadyExistsError(
            "The request has run, but its reply cannot be read any more.", reason="IDEMPOTENCY_REPLY_NOT_KEPT"
        ) from error
