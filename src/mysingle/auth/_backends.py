"""Where a caller's identity comes from: the gateway's headers and tokens, or the IAM service's own."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mysingle._kernel.asgi import Scope
from mysingle._kernel.errors import InvalidArgumentError, UnauthenticatedError
from mysingle._kernel.extras import require
from mysingle._kernel.guard import usable_secrets
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._headers import AUTHORIZATION, PROOF_NAMES, IdentityHeaders, bearer_token, is_malformed, parse
from mysingle.auth._policy import AuthPolicy, missing_proof
from mysingle.auth._proof import AuthEvidence, CidrProof, ConstantProof, HmacProof, Proof, SecretProof
from mysingle.auth.errors import AuthReason, unauthenticated

if TYPE_CHECKING:
    from mysingle.auth._tokens import AccessClaims, TokenVerifier

__all__ = [
    "GatewayIdentity",
    "Identity",
    "IdentityBackend",
    "PendingToken",
    "make_gateway_identity",
    "no_caller",
]


class IdentityBackend(Protocol):
    """Who is calling, by credentials that are not the gateway's: the IAM service's own tokens and cookies."""

    async def identify(self, scope: Scope, headers: Mapping[bytes, bytes]) -> AuthenticatedUser | None:
        """
        Return the caller, or None when the request carries no credentials.

        `headers` are those of the request by lower-case name, without the identity headers.

        Raises:
            MySingleError: a 401, 403 or 503 that says what is wrong; any other exception becomes a 503.
        """


class Identity(NamedTuple):
    """A caller, and why we believe it."""

    user: AuthenticatedUser
    evidence: AuthEvidence


class PendingToken(NamedTuple):
    """A token that has to be verified first, which may have to wait for keys."""

    verifier: "TokenVerifier"
    token: bytes
    headers: IdentityHeaders


class GatewayIdentity:
    """
    The identity that comes from the gateway, in headers with a proof or in a token.

    Args:
        policy: the rules of the service.
        proofs: in the order in which they are tried; the first that applies decides.
        verifier: judges the access token that the gateway leaves in `Authorization`; None without the jwt proof.
        watched: the headers of proof by lower-case name; one that occurs twice makes a request malformed.
    """

    def __init__(
        self,
        policy: AuthPolicy,
        proofs: tuple[Proof, ...],
        verifier: "TokenVerifier | None",
        watched: frozenset[bytes] = PROOF_NAMES,
    ) -> None:
        self.watched = watched
        self._policy = policy
        self._proofs = proofs
        self._verifier = verifier

    def can_identify(self, headers: IdentityHeaders) -> bool:
        """Tell whether a request carries anything that could name its caller here."""
        return headers.is_present or (self._verifier is not None and bearer_token(headers.raw) is not None)

    def identify(self, scope: Scope, headers: IdentityHeaders) -> Identity | PendingToken:
        """
        Return the caller, or the token that has to be verified before there is one; see `verify`.

        Raises:
            UnauthenticatedError: no proof, a bad one, or nobody: 401. PermissionDeniedError: not active, 403.
            InvalidArgumentError: the gateway, and it is the gateway, sends headers that cannot be read: 400.
        """
        evidence = self._prove(scope, headers) if headers.is_present else None
        if evidence is not None:
            return Identity(self._user_of_headers(headers), evidence)
        verifier = self._verifier
        token = bearer_token(headers.raw)
        if token is None or verifier is None:
            raise self._unproven(headers) if headers.is_present else no_caller()
        if AUTHORIZATION in headers.repeated:
            raise _bad_proof()
        claims = verifier.cached(token)
        return PendingToken(verifier, token, headers) if claims is None else self._identity_of_token(headers, claims)

    async def verify(self, pending: PendingToken) -> Identity:
        """
        Return the caller whom a token names.

        Raises:
            UnauthenticatedError: what is wrong with the token, or that the headers name somebody else: 401.
            AuthUnavailableError: there are no keys to verify it with: 503.
        """
        try:
            claims = await pending.verifier.verify(pending.token)
        except UnauthenticatedError:
            if is_malformed(pending.headers):
                raise _bad_proof() from None
            raise
        return self._identity_of_token(pending.headers, claims)

    def _prove(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        try:
            for proof in self._proofs:
                evidence = proof.check(scope, headers)
                if evidence is not None:
                    return evidence
        except UnauthenticatedError:
            if is_malformed(headers):
                raise _bad_proof() from None  # how far a stranger got is not told
            raise
        return None

    def _unproven(self, headers: IdentityHeaders) -> UnauthenticatedError:
        can_prove = bool(self._policy.trust.proofs)
        return _bad_proof() if can_prove and is_malformed(headers) else unauthenticated(*missing_proof(self._policy))

    def _user_of_headers(self, headers: IdentityHeaders) -> AuthenticatedUser:
        user = self._parse(headers)
        if user is None or headers.is_anonymous:
            raise no_caller()
        return user

    def _identity_of_token(self, headers: IdentityHeaders, claims: "AccessClaims") -> Identity:
        """Return the caller of the token; headers beside it may name the same one, or nobody."""
        named = self._parse(headers)
        if headers.is_anonymous:
            raise no_caller()
        if named is not None and named.id != claims.subject:
            raise unauthenticated(AuthReason.IDENTITY_MISMATCH, "The token and X-User-Id name different users.")
        return Identity(claims.to_user(), AuthEvidence("token", "jwt", claims.key_id))

    def _parse(self, headers: IdentityHeaders) -> AuthenticatedUser | None:
        try:
            if not headers.is_ambiguous:
                return parse(headers.values, self._policy.assumes_verified)
        except ValueError:
            pass
        message = "The gateway sent an identity header that is repeated or ill-formed."
        raise InvalidArgumentError(message, reason=AuthReason.GATEWAY_HEADER_MALFORMED)


def make_gateway_identity(
    settings: CommonSettings, policy: AuthPolicy, service_name: str, clock: Callable[[], float]
) -> GatewayIdentity:
    """Make what the settings ask for; a service without the jwt proof loads no token library."""
    names = policy.trust.proofs
    made: dict[str, Callable[[], Proof]] = {
        "cidr": lambda: CidrProof(settings.gateway_networks),
        "secret": lambda: SecretProof(secret_header, usable_secrets(settings, settings.GATEWAY_SHARED_SECRETS)),
        "hmac": lambda: HmacProof(
            usable_secrets(settings, settings.GATEWAY_HMAC_KEYS),
            service_name=service_name,
            max_skew_seconds=settings.GATEWAY_HMAC_MAX_SKEW_SECONDS,
            memory=settings.GATEWAY_NONCE_CACHE_SIZE,
            clock=clock,
        ),
    }
    secret_header = settings.GATEWAY_SECRET_HEADER.lower().encode()
    proofs = tuple(made[name]() if name in made else ConstantProof(name) for name in names if name != "jwt")
    verifier = _make_verifier(settings, clock) if "jwt" in names and policy.reads_identity_headers else None
    return GatewayIdentity(policy, proofs, verifier, PROOF_NAMES | {secret_header})


def _make_verifier(settings: CommonSettings, clock: Callable[[], float]) -> "TokenVerifier":
    require("auth", "GATEWAY_TRUST=jwt")
    from mysingle.auth._tokens import make_access_verifier  # an optional part: other proofs need no token library

    return make_access_verifier(settings, clock=clock)


def no_caller() -> UnauthenticatedError:
    """Return the answer to a request that names nobody."""
    return unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")


def _bad_proof() -> UnauthenticatedError:
    return unauthenticated(AuthReason.GATEWAY_PROOF_INVALID, "The proof of the gateway is not valid.")
