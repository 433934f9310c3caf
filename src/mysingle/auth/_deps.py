"""The `get_current_*` family: synchronous functions of a request, also usable in `Depends(...)`."""

from typing import cast

from starlette.requests import HTTPConnection

from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth.errors import AuthReason, forbidden, unauthenticated

__all__ = [
    "get_current_active_superuser",
    "get_current_active_user",
    "get_current_active_verified_user",
    "get_current_user",
    "get_current_user_optional",
    "get_user_id",
]


def get_current_user_optional(request: HTTPConnection) -> AuthenticatedUser | None:
    """Return the caller, or None when nobody is logged in."""
    return cast("AuthenticatedUser | None", getattr(request.state, "user", None))


def get_current_user(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401.
    """
    user = get_current_user_optional(request)
    if user is None:
        raise unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")
    return user


def get_current_active_user(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller, whose account is active.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401. PermissionDeniedError: USER_INACTIVE, a 403.
    """
    user = get_current_user(request)
    if not user.is_active:
        raise forbidden(AuthReason.USER_INACTIVE, "This account is not active.")
    return user


def get_current_active_verified_user(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller, whose account is active and whose e-mail address is verified; the one to use by default.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401. PermissionDeniedError: USER_INACTIVE or EMAIL_NOT_VERIFIED, a 403.
    """
    user = get_current_active_user(request)
    if not user.is_verified:
        raise forbidden(AuthReason.EMAIL_NOT_VERIFIED, "The e-mail address of this account is not verified.")
    return user


def get_current_active_superuser(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller, who is an active superuser.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401. PermissionDeniedError: USER_INACTIVE or SUPERUSER_REQUIRED, a 403.
    """
    user = get_current_active_user(request)
    if not user.is_superuser:
        raise forbidden(AuthReason.SUPERUSER_REQUIRED, "This needs a superuser.")
    return user


def get_user_id(request: HTTPConnection) -> str:
    """Return the caller's id, 24 hex digits; raises like `get_current_user`."""
    return get_current_user(request).id
