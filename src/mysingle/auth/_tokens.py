"""Tokens: three parts, one class each, believed after every check and never before."""

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from mysingle._kernel import guard
from mysingle._kernel.settings import CommonSettings
from mysingle._kernel.strict_json import read_object
from mysingle.auth._claims import AccessClaims, ServiceClaims, claims_of_access, claims_of_service, invalid_token
from mysingle.auth._keys import JwksClient, KeyFile, KeySource, VerificationKey
from mysingle.auth.errors import AuthReason, AuthUnavailableError, unauthenticated

__all__ = [
    "ACCESS",
    "SERVICE",
    "AccessClaims",
    "ServiceClaims",
    "ServiceTokenVerifier",
    "TokenClass",
    "TokenVerifier",
    "make_access_verifier",
]

_MAX_BYTES = 8 * 1024
_FORM = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_REFUSED_MEMBERS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c"})
"""Extensions that we do not know, and keys that a token brings along."""

_LEEWAY_SECONDS = 30
_CACHE_SECONDS = 60
_CACHE_SIZE = 4096
_SERVICE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClass:
    """What tokens of one class have in common, so that none of another class is taken for one of them."""

    typ: str
    required: tuple[str, ...]


ACCESS = TokenClass(typ="at+jwt", required=("exp", "iat", "jti", "sub", "iss", "aud", "sid"))
SERVICE = TokenClass(typ="service+jwt", required=("exp", "iat", "jti", "sub", "iss", "aud"))


class TokenVerifier:
    """
    Believes access tokens, or says why not.

    Args:
        keys: the only keys there are; nothing in a token leads to another one.
        algorithms: those that are accepted.
        issuer: what `iss` must be, exactly.
        audience: what `aud` must be, exactly, as one string.
        leeway_seconds: how far the clocks of two machines may be apart.
        clock: Unix time.
        cache_size: how many believed tokens are remembered, for a minute at most; 0 switches that off.
    """

    def __init__(
        self,
        *,
        keys: KeySource,
        algorithms: Collection[str],
        issuer: str,
        audience: str,
        leeway_seconds: float = _LEEWAY_SECONDS,
        clock: Callable[[], float] = time.time,
        cache_size: int = _CACHE_SIZE,
    ) -> None:
        self._keys = keys
        self._algorithms = frozenset(algorithms)
        self._issuer = issuer
        self._audience = audience
        self._leeway_seconds = leeway_seconds
        self._clock = clock
        self._believed = _BelievedTokens(cache_size)

    def cached(self, token: bytes) -> AccessClaims | None:
        """Return the claims of a token that was believed less than a minute ago and has not expired; else None."""
        return self._believed.get(sha256(token).digest(), self._clock()) if len(token) <= _MAX_BYTES else None

    async def verify(self, token: bytes | str) -> AccessClaims:
        """
        Return what an access token says.

        Raises:
            UnauthenticatedError: TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID or TOKEN_WRONG_TYPE, each a 401.
            AuthUnavailableError: AUTH_TEMPORARILY_UNAVAILABLE, a 503: there are no keys at the moment.
        """
        raw = _as_bytes(token)
        if len(raw) > _MAX_BYTES:
            raise invalid_token()
        digest = sha256(raw).digest()
        found = self._believed.get(digest, self._clock())
        if found is not None:
            return found
        parts = _take_apart(raw, self._algorithms)
        key = await self._keys.key(parts.header.kid)
        claims = claims_of_access(
            _open(parts, key, ACCESS), issuer=self._issuer, audience=self._audience, kid=parts.header.kid
        )
        now = self._clock()
        _check_times(claims.expires_at, (claims.issued_at, claims.not_before), now, self._leeway_seconds)
        self._believed.put(digest, claims, min(now + _CACHE_SECONDS, claims.expires_at + self._leeway_seconds))
        return claims


class ServiceTokenVerifier:
    """
    Believes tokens with which one service of ours calls another.

    Args:
        keys: the keys of each service by its name: a service can speak for itself only.
        algorithms: those that are accepted.
        audience: the name of this service.
        leeway_seconds: how far the clocks of two machines may be apart.
        clock: Unix time.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, KeySource],
        algorithms: Collection[str],
        audience: str,
        leeway_seconds: float = _LEEWAY_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = dict(keys)
        self._algorithms = frozenset(algorithms)
        self._audience = audience
        self._leeway_seconds = leeway_seconds
        self._clock = clock

    async def verify(self, token: bytes | str) -> ServiceClaims:
        """
        Return what a service token says; it lives for 60 s at most.

        Raises:
            UnauthenticatedError: TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID or TOKEN_WRONG_TYPE, each a 401.
            AuthUnavailableError: AUTH_TEMPORARILY_UNAVAILABLE, a 503: there are no keys at the moment.
        """
        parts = _take_apart(_as_bytes(token), self._algorithms)
        source = self._keys.get(_claimed_issuer(parts))
        key = await source.key(parts.header.kid) if source is not None else None
        claims = claims_of_service(_open(parts, key, SERVICE), audience=self._audience)
        if claims.expires_at - claims.issued_at > _SERVICE_SECONDS:
            raise invalid_token()
        _check_times(claims.expires_at, (claims.issued_at,), self._clock(), self._leeway_seconds)
        return claims


def make_access_verifier(settings: CommonSettings, *, clock: Callable[[], float] = time.time) -> TokenVerifier:
    """Return the verifier that the settings describe: a file of keys, else the address of the IAM service's keys."""
    algorithms = guard.accepted_algorithms(settings)
    return TokenVerifier(
        keys=_key_source(settings, algorithms),
        algorithms=algorithms,
        issuer=settings.IAM_ISSUER or "",
        audience=settings.IAM_AUDIENCE,
        clock=clock,
    )


def _key_source(settings: CommonSettings, algorithms: tuple[str, ...]) -> KeySource:
    if settings.IAM_PUBLIC_KEYS_FILE is not None:
        return KeyFile(settings.IAM_PUBLIC_KEYS_FILE, algorithms=algorithms)
    if settings.IAM_JWKS_URL is not None:
        return JwksClient(str(settings.IAM_JWKS_URL), algorithms=algorithms)
    raise AuthUnavailableError


class _Header(NamedTuple):
    """What the first part of a token says."""

    typ: object
    kid: str
    algorithm: str


class _Parts(NamedTuple):
    """A token of the right form, whose signature nobody has looked at."""

    header: _Header
    signed: bytes
    payload: bytes
    signature: bytes


def _as_bytes(token: bytes | str) -> bytes:
    return token if isinstance(token, bytes) else token.encode("utf-8", "replace")


def _take_apart(token: bytes, algorithms: Collection[str]) -> _Parts:
    """Look at the size and the form first, because they cost nothing, and at the header then."""
    if len(token) > _MAX_BYTES or _FORM.fullmatch(token) is None:
        raise invalid_token()
    signed, _, tail = token.rpartition(b".")
    head, _, payload = signed.partition(b".")
    try:
        header, signature = _read_header(head), _decode(tail)
        is_canonical = urlsafe_b64encode(signature).rstrip(b"=") == tail  # one token has one spelling
        if header.algorithm not in algorithms or not is_canonical:
            raise invalid_token()
        return _Parts(header, signed, _decode(payload), signature)
    except ValueError:
        raise invalid_token() from None


@lru_cache(maxsize=256)
def _read_header(segment: bytes) -> _Header:
    """Read a header, which all tokens of one key have in common."""
    members = read_object(_decode(segment))
    kid, algorithm = members.get("kid"), members.get("alg")
    if not isinstance(kid, str) or not _KID.fullmatch(kid) or not isinstance(algorithm, str):
        raise ValueError("no key or no algorithm")
    if not _REFUSED_MEMBERS.isdisjoint(members):
        raise ValueError("an extension, or a key of its own")
    return _Header(members.get("typ"), kid, algorithm)


def _decode(segment: bytes) -> bytes:
    return urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def _open(parts: _Parts, key: VerificationKey | None, token_class: TokenClass) -> dict[str, object]:
    """Return the payload of a token that this key has signed, and that is of this class."""
    if key is None or parts.header.algorithm != key.algorithm or not key.verifies(parts.signed, parts.signature):
        raise invalid_token()
    if parts.header.typ != token_class.typ:
        raise unauthenticated(AuthReason.TOKEN_WRONG_TYPE, "The token is of another class than is needed here.")
    try:
        claims = read_object(parts.payload)
    except ValueError:
        raise invalid_token() from None
    if not all(name in claims for name in token_class.required):
        raise invalid_token()
    return claims


def _claimed_issuer(parts: _Parts) -> str:
    """Return whose keys to look in; a token that names somebody else's is not signed by them."""
    try:
        return str(read_object(parts.payload).get("iss"))
    except ValueError:
        raise invalid_token() from None


def _check_times(expires_at: int, starts: tuple[int, ...], now: float, leeway_seconds: float) -> None:
    if now >= expires_at + leeway_seconds:
        raise unauthenticated(AuthReason.TOKEN_EXPIRED, "The access token has expired.")
    if any(start > now + leeway_seconds for start in starts):
        raise unauthenticated(AuthReason.TOKEN_NOT_YET_VALID, "The access token is not valid yet.")


class _BelievedTokens:
    """What recent tokens said, by their digest, so that no token itself is kept; the oldest entry makes room."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[bytes, tuple[float, AccessClaims]] = {}

    def get(self, digest: bytes, now: float) -> AccessClaims | None:
        entry = self._entries.get(digest)
        if entry is None:
            return None
        until, claims = entry
        if now < until:
            return claims
        del self._entries[digest]
        return None

    def put(self, digest: bytes, claims: AccessClaims, until: float) -> None:
        if self._size <= 0:
            return
        while len(self._entries) >= self._size:
            del self._entries[next(iter(self._entries))]
        self._entries[digest] = (until, claims)
