"""The `get_current_*` family: synchronous functions of a request, also usable in `Depends(...)`."""

from typing import cast

from starlette.requests import HTTPConnection

from mysingle._kernel import propagation
from mysingle._kernel.asgi import header_map
from mysingle._kernel.context import current_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth._proof import AuthEvidence
from mysingle.auth.errors import AuthReason, forbidden, unauthenticated

__all__ = [
    "get_current_active_superuser",
    "get_current_active_user",
    "get_current_active_verified_user",
    "get_current_user",
    "get_current_user_optional",
    "get_kong_correlation_id",
    "get_kong_request_id",
    "get_kong_user_id",
    "get_user_id",
    "is_kong_authenticated",
    "require_active",
    "require_superuser",
    "require_verified",
]

_GATEWAY_REQUEST_IDS = (propagation.HEADER_X_KONG_REQUEST_ID, propagation.HEADER_KONG_REQUEST_ID)


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
    return require_active(get_current_user(request))


def get_current_active_verified_user(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller, whose account is active and whose e-mail address is verified; the one to use by default.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401. PermissionDeniedError: USER_INACTIVE or EMAIL_NOT_VERIFIED, a 403.
    """
    return require_verified(get_current_user(request))


def get_current_active_superuser(request: HTTPConnection) -> AuthenticatedUser:
    """
    Return the caller, who is an active superuser.

    Raises:
        UnauthenticatedError: AUTH_REQUIRED, a 401. PermissionDeniedError: USER_INACTIVE or SUPERUSER_REQUIRED, a 403.
    """
    return require_superuser(get_current_user(request))


def require_active(user: AuthenticatedUser) -> AuthenticatedUser:
    """Return the user, who is active; raises USER_INACTIVE, a 403."""
    if not user.is_active:
        raise forbidden(AuthReason.USER_INACTIVE, "This account is not active.")
    return user


def require_verified(user: AuthenticatedUser) -> AuthenticatedUser:
    """Return the user, who is active and verified; raises USER_INACTIVE or EMAIL_NOT_VERIFIED, a 403."""
    if not require_active(user).is_verified:
        raise forbidden(AuthReason.EMAIL_NOT_VERIFIED, "The e-mail address of this account is not verified.")
    return user


def require_superuser(user: AuthenticatedUser) -> AuthenticatedUser:
    """Return the user, who is an active superuser; raises USER_INACTIVE or SUPERUSER_REQUIRED, a 403."""
    if not require_active(user).is_superuser:
        raise forbidden(AuthReason.SUPERUSER_REQUIRED, "This needs a superuser.")
    return user


def get_user_id(request: HTTPConnection) -> str:
    """Return the caller's id, 24 hex digits; raises like `get_current_user`."""
    return get_current_user(request).id


def is_kong_authenticated(request: HTTPConnection) -> bool:
    """Tell whether the gateway has proved who is calling; a header that is merely there proves nothing."""
    evidence = cast("AuthEvidence | None", getattr(request.state, "auth", None))
    return evidence is not None and evidence.proof not in (None, "none")


def get_kong_user_id(request: HTTPConnection) -> str | None:
    """Return the id of the caller whom the gateway has proved; None without a caller or without a proof."""
    user = get_current_user_optional(request)
    return user.id if user is not None and is_kong_authenticated(request) else None


def get_kong_correlation_id(request: HTTPConnection) -> str | None:
    """Return the correlation id of the request, as it stands in the log; None when it has none."""
    return current_context().correlation_id or _first_id(request, propagation.CORRELATION_HEADERS)


def get_kong_request_id(request: HTTPConnection) -> str | None:
    """Return the id that the gateway has given to this one request; None when it gave none."""
    return _first_id(request, _GATEWAY_REQUEST_IDS)


def _first_id(request: HTTPConnection, names: tuple[str, ...]) -> str | None:
    headers = header_map(request.scope)
    given = (headers.get(name.lower().encode()) for name in names)
    return next((found for raw in given if raw is not None and (found := propagation.clean_id(raw))), None)
