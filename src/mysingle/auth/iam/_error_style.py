"""Errors in the shapes that older clients read; the status and the headers stay."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from mysingle._kernel.asgi import App, Message, Receive, Scope, Send
from mysingle._kernel.problems import MEDIA_TYPE

__all__ = ["ErrorStyleMiddleware"]

Style = Literal["problem", "fastapi-users", "legacy"]

_PROBLEM = MEDIA_TYPE.encode()
_LEGACY_CODES: Mapping[str, str] = {
    "LOGIN_BAD_CREDENTIALS": "AUTHENTICATION_FAILED",
    "TOKEN_EXPIRED": "AUTHENTICATION_FAILED",
    "TOKEN_INVALID": "AUTHENTICATION_FAILED",
    "TOKEN_NOT_YET_VALID": "AUTHENTICATION_FAILED",
    "TOKEN_WRONG_TYPE": "AUTHENTICATION_FAILED",
    "VERIFY_USER_BAD_TOKEN": "INVALID_VERIFY_TOKEN",
    "RESET_PASSWORD_BAD_TOKEN": "INVALID_RESET_TOKEN",
    "REGISTER_USER_ALREADY_EXISTS": "USER_ALREADY_EXISTS",
}
_STANDARD = frozenset({"type", "title", "status", "detail", "instance", "code", "domain", "correlation_id"})


class ErrorStyleMiddleware:
    """Rewrites the body of every problem document on its way out, whoever has made it."""

    def __init__(self, app: App, *, style: Style) -> None:
        self.app = app
        self._rewrite = _REWRITERS[style]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold back the start of a problem until its body is there."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        pieces: list[bytes] = []

        async def send_rewritten(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                pieces.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = json.dumps(self._rewrite(json.loads(b"".join(pieces))), ensure_ascii=False).encode()
                    await send(_with_length(start, len(body)))
                    await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_rewritten)


def _is_problem(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value == _PROBLEM for name, value in message.get("headers", ()))


def _with_length(start: Message, length: int) -> Message:
    kept = [
        (name, value) for name, value in start["headers"] if name.lower() not in (b"content-type", b"content-length")
    ]
    own = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    return {**start, "headers": [*kept, *own]}


def _as_detail(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fastapi-users answers: the code as `detail`, with reasons where there are some."""
    code, reasons, mfa_token = problem["code"], problem.get("reasons"), problem.get("mfa_token")
    if mfa_token is not None:
        return {"detail": {"code": code, "mfa_token": mfa_token}}
    return {"detail": code if reasons is None else {"code": code, "reason": "; ".join(reasons)}}


def _as_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    code = problem["code"]
    details = {name: value for name, value in problem.items() if name not in _STANDARD}
    known = {"correlation_id": problem.get("correlation_id"), **details}
    return {"error": {"code": _LEGACY_CODES.get(code, code), "message": problem["detail"], "details": known}}


_REWRITERS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "problem": lambda problem: problem,
    "fastapi-users": _as_detail,
    "legacy": _as_error,
}
