"""Who is calling: the `get_current_*` family and the middleware behind it."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle._kernel.identity import AuthenticatedUser
    from mysingle.auth._deps import (
        get_current_active_superuser,
        get_current_active_user,
        get_current_active_verified_user,
        get_current_user,
        get_current_user_optional,
        get_user_id,
    )
    from mysingle.auth._middleware import AuthMiddleware
    from mysingle.auth.errors import AuthConfigurationError, AuthReason

__all__ = [
    "AuthConfigurationError",
    "AuthMiddleware",
    "AuthReason",
    "AuthenticatedUser",
    "get_current_active_superuser",
    "get_current_active_user",
    "get_current_active_verified_user",
    "get_current_user",
    "get_current_user_optional",
    "get_user_id",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AuthConfigurationError": ".errors",
        "AuthMiddleware": "._middleware",
        "AuthReason": ".errors",
        "AuthenticatedUser": "mysingle._kernel.identity",
        "get_current_active_superuser": "._deps",
        "get_current_active_user": "._deps",
        "get_current_active_verified_user": "._deps",
        "get_current_user": "._deps",
        "get_current_user_optional": "._deps",
        "get_user_id": "._deps",
    },
    extra="auth",
)
