"""The shapes of ASGI 3, and what every middleware asks of a scope: its path and its headers."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["App", "Message", "Receive", "Scope", "Send", "header_map", "route_path"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def route_path(scope: Scope) -> str:
    """Return the decoded path as the app's own routes spell it, without the prefix it is mounted under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) :].startswith("/"):
        return path[len(root) :]
    return path


def header_map(scope: Scope) -> dict[bytes, bytes]:
    """
    Return the headers by lower-case name, made once for each list of headers; of a repeated header the last value.

    Where a repetition matters, compare its length with that of `scope["headers"]`.
    """
    made: tuple[object, dict[bytes, bytes]] | None = scope.get(_HEADERS)
    headers = scope["headers"]
    if made is None or made[0] is not headers:
        made = scope[_HEADERS] = (headers, dict(headers))
    return made[1]


_HEADERS = "mysingle.headers"
