"""The routes of IAM: one module for each resource, and the routers that hold them."""

from fastapi import APIRouter

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._routes import admin, auth, keys, mfa, oauth, sessions, users

__all__ = ["PREFIX", "make_routers"]

PREFIX = "/api/v1"


def make_routers(settings: CommonSettings) -> tuple[APIRouter, ...]:
    """Return every route; those below `/users/me` stand before `/users/{user_id}`."""
    below = APIRouter(prefix=PREFIX)
    below.include_router(auth.make_router(is_compatible=settings.AUTH_COMPAT))
    for router in (sessions.router, mfa.router, users.router, admin.router, oauth.router):
        below.include_router(router)
    return below, keys.router
