"""A witness in the place of every handler: it tells who has got that far, and does nothing else."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match

from mysingle._kernel import propagation
from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle.auth import AuthEvidence, get_current_active_verified_user, get_current_user_optional

__all__ = ["MARK", "Witness"]

MARK = "x-attack-witness"
"""The header of an answer that a handler would have given; its value is the secret of this run."""

_IDENTITY = frozenset(name.lower() for name in propagation.IDENTITY_HEADERS)


class Witness:
    """
    The innermost layer of an app: where a route matches, it answers instead of the handler.

    A caller who is there has to be verified, as for a handler that asks with `get_current_active_verified_user`;
    one who is not active never gets this far.

    Args:
        app: the router.
        routes: the routes of the app.
        mark: the secret that nobody else can put into an answer.
    """

    def __init__(self, app: App, *, routes: Sequence[BaseRoute], mark: str) -> None:
        self._app = app
        self._routes = routes
        self._mark = mark.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what a handler would see, or let the router say that there is none."""
        if scope["type"] not in ("http", "websocket") or not self._is_route(scope):
            await self._app(scope, receive, send)
            return
        caller = HTTPConnection(scope)
        user = get_current_user_optional(caller)
        if user is not None and user.is_active:
            get_current_active_verified_user(caller)
        body = json.dumps(_seen(caller)).encode()
        headers = [(MARK.encode(), self._mark), (b"content-type", b"application/json")]
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": [*headers, (b"x-seen", body)]})
            return
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _is_route(self, scope: Scope) -> bool:
        """Ask each route on a copy, because matching leaves traces."""
        return any(route.matches(copy.copy(scope))[0] is Match.FULL for route in self._routes)


def _seen(caller: HTTPConnection) -> dict[str, Any]:
    user = get_current_user_optional(caller)
    evidence: AuthEvidence | None = getattr(caller.state, "auth", None)
    return {
        "user": user and user.id,
        "email": user and user.email,
        "is_superuser": user is not None and user.is_superuser,
        "is_verified": user is not None and user.is_verified,
        "roles": sorted(user.roles) if user else [],
        "session": user and user.session_id,
        "proof": evidence and evidence.proof,
        "key": evidence and evidence.key_id,
        "headers": sorted({name.lower() for name in caller.headers} & _IDENTITY),
    }
