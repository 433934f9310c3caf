"""The idempotency layer: a request that comes twice with one key runs once, and both get the same reply."""

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from mysingle._kernel import propagation
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, header_map
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import AlreadyExistsError, InvalidArgumentError, MySingleError, translate
from mysingle._kernel.once import Claim, IdempotencyStore, Once, record_name
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle.core._middleware.errors import AskHandler

__all__ = ["IdempotencyMiddleware"]

_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HEADER = b"idempotency-key"
_KEY = re.compile(rb'"?([\x21\x23-\x7e]{1,255})"?')
_AGAIN = frozenset({408, 425, 429, 503})
_MAX_REPLY_BYTES = 1024 * 1024
_OWN_HEADERS = frozenset(
    {b"date", b"server", b"connection", *(name.lower().encode() for name in propagation.CORRELATION_HEADERS)}
)


class IdempotencyMiddleware:
    """
    Runs POST, PUT, PATCH and DELETE requests with an `Idempotency-Key` once for each user and key.

    Duplicates wait for the first one, for `wait_seconds` at most, and get its reply, with `Idempotency-Replayed: true`.
    The same key with another request is 422. A reply that asks to come back (408, 425, 429, 503) frees the key; every
    other one, errors included, is kept. When the process of the first one died, nobody knows how far it came:
    duplicates are 409, and never run. Without its store such a request is 503: running an order twice is worse.
    """

    def __init__(
        self,
        app: App,
        *,
        store: IdempotencyStore,
        service_name: str,
        ask_handler: AskHandler,
        wait_seconds: float = 30.0,
    ) -> None:
        self.app = app
        self._ask_handler = ask_handler
        self._once = Once(store, wait_seconds)
        self._service_name = service_name

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
        name = record_name(self._service_name, current_context().user_id, key)
        claim = await self._once.claim(name, _fingerprint(scope, body))
        if claim.state == "mine":
            async with self._once.kept_alive(name, claim):
                await self._run_first(name, claim, scope, _replay_body(body, receive), send)
            return
        for message in _unpack(claim.reply):
            await send(message)

    async def _run_first(self, name: str, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Recording(send, lambda status, messages: self._end(name, claim, status, messages))
        try:
            await self.app(scope, receive, reply.send)
        except Exception as error:
            if reply.is_ended:
                raise  # something that ran after the reply, which stands
            if not await self._answer_by_handler(error, scope, receive, reply):
                # The errors layer answers this one; its duplicates get the same document from here.
                problem = to_problem(translate(error) or MySingleError())
                messages = problem_messages(
                    problem, scope["path"], current_context().correlation_id, self._service_name
                )
                await self._end(name, claim, problem.status, list(messages))
                await reply.flush()
                raise
        await reply.end()

    async def _answer_by_handler(self, error: Exception, scope: Scope, receive: Receive, reply: "_Recording") -> bool:
        """Let the app's own handler answer an error; tell whether it has one."""
        if reply.status:
            return False
        answer = await self._ask_handler(scope, receive, error, as_last_resort=False)
        if answer is not None:
            await answer(scope, receive, reply.send)
        return answer is not None

    async def _end(self, name: str, claim: Claim, status: int, messages: "list[Message] | None") -> None:
        if status in _AGAIN:
            await self._once.release(name, claim)
        else:
            await self._once.finish(name, claim, _pack(messages))


class _Recording:
    """
    Holds a reply back until it is kept; one that is too large goes out as it comes, and is not kept.

    It is kept with its last part: what runs after the reply, such as a background task, keeps nobody waiting.
    """

    def __init__(self, send: Send, keep: Callable[[int, list[Message] | None], Awaitable[None]]) -> None:
        self.status = 0
        self.is_ended = False
        self._messages: list[Message] | None = []
        self._send = send
        self._keep = keep
        self._size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self._messages is None:
            await self._send(message)
        else:
            self._messages.append(message)
            self._size += len(message.get("body", b""))
            if self._size > _MAX_REPLY_BYTES:
                await self.flush()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await self.end()

    async def end(self) -> None:
        """Keep the reply and let it go; ending twice is fine."""
        if not self.is_ended:
            self.is_ended = True
            await self._keep(self.status, self._messages)
            await self.flush()

    async def flush(self) -> None:
        """Let go what is held back."""
        held, self._messages = self._messages, None
        for each in held or ():
            await self._send(each)


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
