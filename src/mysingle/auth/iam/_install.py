"""IAM in a service: its routes in the app, and its life as a resource."""

import asyncio
import contextlib
from typing import Any

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._bootstrap import ensure_superuser
from mysingle.auth.iam._container import Iam
from mysingle.auth.iam._routes import PREFIX, make_routers

__all__ = ["PUBLIC_PATHS", "IamResource", "install_iam"]

_AUTH = (
    "register",
    "login",
    "refresh",
    "logout",
    "verify",
    "forgot-password",
    "request-verify-token",
    "reset-password",
    "mfa/verify",
)
PUBLIC_PATHS = (
    *(f"{PREFIX}/auth/{name}" for name in _AUTH),
    f"{PREFIX}/oauth2/*",
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
)
"""Where somebody without a token may come; what is below `oauth2` asks for a caller itself where it needs one."""

_MAX_PAUSE_SECONDS = 60.0
_ONE_ADDRESS = (
    "FORWARDED_ALLOW_IPS is not set: behind a gateway all clients share one address, and so the limits of one; "
    "give it the addresses of the gateway"
)

log = get_logger("mysingle.iam")

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457); `code` is stable.",
    "required": ["type", "title", "status", "detail", "instance", "code", "domain", "correlation_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "domain": {"type": "string"},
        "correlation_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "code"],
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
        "reasons": {"type": "array", "items": {"type": "string"}},
        "mfa_token": {"type": "string"},
    },
}


def install_iam(app: Any, iam: Iam) -> None:  # Any: a FastAPI app, whose library is not ours to import
    """Add the routes to an app and describe them; the app keeps IAM in `app.state.iam`."""
    app.state.iam = iam
    for router in make_routers(iam.settings):
        app.include_router(router)
    app.openapi_components = {
        "schemas": {"Problem": PROBLEM_SCHEMA},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": iam.cookies.access},
        },
    }


def _warn_of_one_address(settings: CommonSettings) -> None:
    """Say that attempts are counted by the address of a gateway when nobody has told whose word about it counts."""
    is_in_earnest = settings.is_environment_explicit and not settings.is_relaxed
    if is_in_earnest and "FORWARDED_ALLOW_IPS" not in settings.model_fields_set:
        log.warning("iam.client_address", hint=_ONE_ADDRESS)


class IamResource:
    """Opens with the signing keys and the first superuser, keeps the keys fresh, and ends what is still going on."""

    name = "iam"

    def __init__(self, iam: Iam) -> None:
        self._iam = iam
        self._rotation: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """
        Load the keys, and make the superuser of the settings if there is none.

        Raises:
            MySingleError: the database is away.
        """
        tools = self._iam.tools
        _warn_of_one_address(self._iam.settings)
        await tools.passwords.open()
        await tools.cache.open()
        await tools.keys.load()
        await ensure_superuser(tools)
        tools.background.is_open = True
        self._rotation = asyncio.create_task(self._rotate_forever(), name="iam-keys")

    async def close(self) -> None:
        """Finish the work behind answers, at most two seconds, and stop."""
        rotation, self._rotation = self._rotation, None
        if rotation is not None:
            rotation.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rotation
        tools = self._iam.tools
        tools.background.is_open = False
        await tools.background.settle()
        await tools.events.close()
        await self._iam.oauth.close()
        await tools.cache.close()
        await tools.passwords.close()

    async def ping(self) -> None:
        """
        Raise when no token can be signed.

        Raises:
            MySingleError: AUTH_TEMPORARILY_UNAVAILABLE.
        """
        self._iam.tools.keys.current()

    async def _rotate_forever(self) -> None:
        settings = self._iam.settings
        pause = min(_MAX_PAUSE_SECONDS, settings.AUTH_SIGNING_KEY_LEAD_SECONDS / 2)
        while True:
            await asyncio.sleep(pause)
            try:
                await self._iam.tools.keys.rotate_if_due()
            except MySingleError as error:
                log.error("iam.rotation_failed", reason=error.reason)
