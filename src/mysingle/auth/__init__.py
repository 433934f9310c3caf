"""Who is calling: the `get_current_*` family, the guards, and the middleware behind them."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle._kernel.identity import AuthenticatedUser
    from mysingle.auth._backends import IdentityBackend
    from mysingle.auth._claims import AccessClaims, ServiceClaims
    from mysingle.auth._deps import (
        get_current_active_superuser,
        get_current_active_user,
        get_current_active_verified_user,
        get_current_user,
        get_current_user_optional,
        get_kong_correlation_id,
        get_kong_request_id,
        get_kong_user_id,
        get_user_id,
        is_kong_authenticated,
    )
    from mysingle.auth._guards import (
        Guard,
        Permissions,
        admin_only,
        authenticated,
        require_owner,
        require_permissions,
        require_roles,
        resource_owner_required,
        verified_only,
    )
    from mysingle.auth._keys import JwksClient, KeySet, KeySource
    from mysingle.auth._middleware import AuthMiddleware
    from mysingle.auth._proof import AuthEvidence
    from mysingle.auth._revocation import RevocationCheck
    from mysingle.auth._tokens import ServiceTokenVerifier, TokenVerifier
    from mysingle.auth.errors import AuthConfigurationError, AuthReason, AuthUnavailableError
    from mysingle.auth.iam import User

__all__ = [
    "AccessClaims",
    "AuthConfigurationError",
    "AuthEvidence",
    "AuthMiddleware",
    "AuthReason",
    "AuthUnavailableError",
    "AuthenticatedUser",
    "Guard",
    "IdentityBackend",
    "JwksClient",
    "KeySet",
    "KeySource",
    "Permissions",
    "RevocationCheck",
    "ServiceClaims",
    "ServiceTokenVerifier",
    "TokenVerifier",
    "User",
    "admin_only",
    "authenticated",
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
    "require_owner",
    "require_permissions",
    "require_roles",
    "resource_owner_required",
    "verified_only",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AccessClaims": "._claims",
        "AuthConfigurationError": ".errors",
        "AuthEvidence": "._proof",
        "AuthMiddleware": "._middleware",
        "AuthReason": ".errors",
        "AuthUnavailableError": ".errors",
        "AuthenticatedUser": "mysingle._kernel.identity",
        "Guard": "._guards",
        "IdentityBackend": "._backends",
        "JwksClient": "._keys",
        "KeySet": "._keys",
        "KeySource": "._keys",
        "Permissions": "._guards",
        "RevocationCheck": "._revocation",
        "ServiceClaims": "._claims",
        "ServiceTokenVerifier": "._tokens",
        "TokenVerifier": "._tokens",
        "User": ".iam",
        "admin_only": "._guards",
        "authenticated": "._guards",
        "get_current_active_superuser": "._deps",
        "get_current_active_user": "._deps",
        "get_current_active_verified_user": "._deps",
        "get_current_user": "._deps",
        "get_current_user_optional": "._deps",
        "get_kong_correlation_id": "._deps",
        "get_kong_request_id": "._deps",
        "get_kong_user_id": "._deps",
        "get_user_id": "._deps",
        "is_kong_authenticated": "._deps",
        "require_owner": "._guards",
        "require_permissions": "._guards",
        "require_roles": "._guards",
        "resource_owner_required": "._guards",
        "verified_only": "._guards",
    },
    extra="auth",
)
