"""Whom a service believes: computed once from the settings, when the middleware is built."""

from collections.abc import Iterable
from dataclasses import dataclass

from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.public_paths import PublicPaths
from mysingle._kernel.settings import AuthSettings, CommonSettings
from mysingle.auth.errors import AuthReason

__all__ = ["AuthPolicy", "bypass_is_enabled", "bypass_user", "gateway_problem", "make_policy"]

_BYPASS_USER_ID = "000000000000000000000001"
_BYPASS_ADMIN_ID = "000000000000000000000002"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPolicy:
    """
    The rules of one service.

    `reads_identity_headers` is false for IAM, which believes its own tokens only. `trusts_headers` says whether an
    identity header is believed without a proof; `bypass_user` is the test user of the development bypass, or None.
    """

    reads_identity_headers: bool
    trusts_headers: bool
    assumes_verified: bool
    is_environment_explicit: bool
    bypass_user: AuthenticatedUser | None
    public_paths: PublicPaths

    def is_public(self, path: str) -> bool:
        """Tell whether a decoded path is open to everybody."""
        return path in self.public_paths


def make_policy(settings: CommonSettings, *, is_gateway_downstream: bool, public_paths: Iterable[str]) -> AuthPolicy:
    """Compute the rules; `public_paths` stand beside those of the settings."""
    return AuthPolicy(
        reads_identity_headers=is_gateway_downstream,
        trusts_headers=gateway_problem(settings) is None,
        assumes_verified=settings.GATEWAY_ASSUME_VERIFIED,
        is_environment_explicit=settings.is_environment_explicit,
        bypass_user=bypass_user(settings) if bypass_is_enabled(settings) else None,
        public_paths=PublicPaths((*public_paths, *settings.AUTH_PUBLIC_PATHS)),
    )


def gateway_problem(settings: CommonSettings) -> str | None:
    """Return why identity headers cannot be believed; None when they can."""
    if settings.GATEWAY_TRUST == ("network",) or settings.is_relaxed:
        return None
    if settings.GATEWAY_TRUST == ("none",):
        return "GATEWAY_TRUST=none believes every identity header; it works in development and testing only"
    return (
        "GATEWAY_TRUST: nothing proves that identity headers come from the gateway. "
        "Set GATEWAY_TRUST=network if only the gateway can reach this service, "
        "or ENVIRONMENT=development for local work"
    )


def bypass_is_enabled(settings: AuthSettings) -> bool:
    """Apply the guide's two conditions: the flag is set, and ENVIRONMENT is explicitly `development`."""
    return (
        settings.MYSINGLE_AUTH_BYPASS
        and isinstance(settings, CommonSettings)
        and settings.is_environment_explicit
        and settings.environment == "development"
    )


def bypass_user(settings: AuthSettings) -> AuthenticatedUser:
    """Return the test user: active and verified, a superuser only when `MYSINGLE_AUTH_BYPASS_ADMIN` says so."""
    return AuthenticatedUser(
        id=_BYPASS_ADMIN_ID if settings.MYSINGLE_AUTH_BYPASS_ADMIN else _BYPASS_USER_ID,
        email=settings.TEST_USER_EMAIL,
        full_name=settings.TEST_USER_FULLNAME,
        is_active=True,
        is_verified=True,
        is_superuser=settings.MYSINGLE_AUTH_BYPASS_ADMIN,
        auth_method="bypass",
    )


def missing_proof(policy: AuthPolicy) -> tuple[AuthReason, str]:
    """Return what a caller hears whose identity headers nobody vouches for; it says how to go on when that is safe."""
    hint = "" if policy.is_environment_explicit else " Set ENVIRONMENT=development to accept identity headers locally."
    return AuthReason.GATEWAY_PROOF_MISSING, f"Identity headers without a proof of the gateway.{hint}"
