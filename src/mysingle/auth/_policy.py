"""Whom a service believes: computed once from the settings, when the middleware is built."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

from mysingle._kernel import guard
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.public_paths import PublicPaths
from mysingle._kernel.settings import AuthSettings, CommonSettings
from mysingle.auth.errors import AuthReason

__all__ = [
    "AuthPolicy",
    "GatewayTrust",
    "bypass_is_enabled",
    "bypass_user",
    "gateway_problem",
    "gateway_trust",
    "make_policy",
    "missing_proof",
]

_BYPASS_USER_ID = "000000000000000000000001"
_BYPASS_ADMIN_ID = "000000000000000000000002"
_CONSTANT = ("mtls", "network", "none")
_MATERIAL = {
    "cidr": "GATEWAY_CIDRS",
    "secret": "GATEWAY_SHARED_SECRETS",
    "hmac": "GATEWAY_HMAC_KEYS",
    "jwt": "IAM_PUBLIC_KEYS_FILE or IAM_JWKS_URL",
}
"""Proof → the setting that it needs, in the order in which proofs are tried; mtls needs none and comes first."""


class GatewayTrust(NamedTuple):
    """
    Which proofs count, in the order in which they are tried, and what forbids the start.

    `proofs` is empty when nothing that a request carries could prove anything.
    """

    proofs: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_weak(self) -> bool:
        """Whether identity headers are believed without a proof."""
        return self.proofs in (("network",), ("none",))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPolicy:
    """
    The rules of one service.

    `reads_identity_headers` is false for IAM, which believes its own tokens only. `trust` says what proves that a
    header comes from the gateway; `bypass_user` is the test user of the development bypass, or None.
    """

    reads_identity_headers: bool
    trust: GatewayTrust
    assumes_verified: bool
    is_environment_explicit: bool
    bypass_user: AuthenticatedUser | None
    public_paths: PublicPaths

    @property
    def trusts_headers(self) -> bool:
        """Whether identity headers are believed from everybody who can connect."""
        return not set(_CONSTANT).isdisjoint(self.trust.proofs)

    def is_public(self, path: str) -> bool:
        """Tell whether a decoded path is open to everybody."""
        return path in self.public_paths


def make_policy(settings: CommonSettings, *, is_gateway_downstream: bool, public_paths: Iterable[str]) -> AuthPolicy:
    """Compute the rules; `public_paths` stand beside those of the settings."""
    return AuthPolicy(
        reads_identity_headers=is_gateway_downstream,
        trust=gateway_trust(settings),
        assumes_verified=settings.GATEWAY_ASSUME_VERIFIED,
        is_environment_explicit=settings.is_environment_explicit,
        bypass_user=bypass_user(settings) if bypass_is_enabled(settings) else None,
        public_paths=PublicPaths((*public_paths, *settings.AUTH_PUBLIC_PATHS)),
    )


def gateway_trust(settings: CommonSettings) -> GatewayTrust:
    """Compute which proofs count. Material that is unsafe counts as absent, except in a relaxed environment."""
    chosen = settings.GATEWAY_TRUST
    if chosen == ("network",):
        return GatewayTrust(chosen, ())
    present = _present(settings)
    if chosen == ("none",) and not settings.is_relaxed:
        return GatewayTrust((), ("GATEWAY_TRUST=none believes every identity header; only development may do that",))
    if chosen in (("auto",), ("none",)):
        if settings.is_relaxed and not present:
            return GatewayTrust(("none",), ())
        chosen = present
    unusable = {name: problem for name in chosen if (problem := _proof_problem(name, settings))}
    proofs = tuple(name for name in ("mtls", *_MATERIAL) if name in chosen and name not in unusable)
    return GatewayTrust(proofs, tuple(unusable.values()) if proofs or unusable else (_nothing_proves(),))


def gateway_problem(settings: CommonSettings) -> str | None:
    """Return why identity headers cannot be believed, the first reason; None when they can."""
    return next(iter(gateway_trust(settings).problems), None)


def _present(settings: CommonSettings) -> tuple[str, ...]:
    """Return the proofs for which somebody has given material, good or bad."""
    given = {
        "cidr": settings.GATEWAY_CIDRS,
        "secret": settings.GATEWAY_SHARED_SECRETS,
        "hmac": settings.GATEWAY_HMAC_KEYS,
        "jwt": settings.IAM_PUBLIC_KEYS_FILE or settings.IAM_JWKS_URL,
    }
    return tuple(name for name, material in given.items() if material)


def _proof_problem(name: str, settings: CommonSettings) -> str | None:
    """Return why a proof that was asked for cannot be used; None when it can."""
    if name != "mtls" and name not in _present(settings):
        return f"GATEWAY_TRUST lists {name}, but {_MATERIAL[name]} is not set"
    if name == "cidr" and _forwards_from_anywhere(settings.FORWARDED_ALLOW_IPS):
        return "GATEWAY_CIDRS proves nothing while FORWARDED_ALLOW_IPS lets every client choose its address"
    if name in ("hmac", "secret"):
        secrets = settings.GATEWAY_HMAC_KEYS if name == "hmac" else settings.GATEWAY_SHARED_SECRETS
        wrong = guard.secret_problems(settings, _MATERIAL[name])  # in the guard's words, so that it is said once
        return None if guard.usable_secrets(settings, secrets) else wrong[0]
    return _token_problem(settings) if name == "jwt" else None


def _token_problem(settings: CommonSettings) -> str | None:
    if not settings.IAM_ISSUER:
        return "IAM_ISSUER is not set, so tokens cannot be told from those of somebody else"
    if settings.IAM_PUBLIC_KEYS_FILE is None and not guard.is_safe_url(str(settings.IAM_JWKS_URL)):
        return "IAM_JWKS_URL has to be https, or http on the loopback interface"
    if not guard.accepted_algorithms(settings):
        return "AUTH_ALGORITHMS has no algorithm that is accepted here"
    return None


def _forwards_from_anywhere(allowed: str) -> bool:
    """Tell whether the server takes a client's address from X-Forwarded-For whoever sends it."""
    return any(part == "*" or _is_everything(part) for part in (part.strip() for part in allowed.split(",")))


def _is_everything(network: str) -> bool:
    try:
        return ip_network(network).prefixlen == 0
    except ValueError:
        return False


def _nothing_proves() -> str:
    return (
        "GATEWAY_TRUST: nothing proves that identity headers come from the gateway. "
        "Set GATEWAY_HMAC_KEYS or another proof, "
        "GATEWAY_TRUST=network if only the gateway can reach this service, "
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
