"""The id token of OpenID Connect (Core 1.0, section 3.1.3.7): believed after every check and never before."""

import hmac
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mysingle._kernel.strict_json import read_object
from mysingle.auth._keys import VerificationKey
from mysingle.auth.iam._oauth.values import bad_id_token

__all__ = ["IdTokenRules", "ProviderKeys", "verify_id_token"]

_MAX_BYTES = 16 * 1024
_FORM = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MAX_ID = 255
_MAX_AGE_SECONDS = 600
_LEEWAY_SECONDS = 30
_REFUSED_MEMBERS = frozenset({"crit", "b64", "jwk", "jku", "x5u"})
"""Extensions that we do not know, and keys that a token brings along."""


class ProviderKeys(Protocol):
    """The public keys of one provider."""

    async def key(self, kid: str) -> VerificationKey | None:
        """Return the key of that id, None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenRules:
    """What an id token must say: from one of these issuers, for this client, in answer to this nonce."""

    issuers: frozenset[str]
    client_id: str
    nonce: str
    algorithms: Collection[str]


class _Parts(NamedTuple):
    kid: str
    algorithm: str
    signed: bytes
    payload: bytes
    signature: bytes


async def verify_id_token(
    token: str, rules: IdTokenRules, keys: ProviderKeys, *, clock: Callable[[], float] = time.time
) -> Mapping[str, object]:
    """
    Return the claims of an id token.

    Raises:
        MySingleError: OAUTH_INVALID_ID_TOKEN; or OAUTH_PROVIDER_ERROR, when the provider's keys cannot be read.
    """
    parts = _take_apart(token.encode("utf-8", "replace"), rules.algorithms)
    key = await keys.key(parts.kid)
    if key is None or key.algorithm != parts.algorithm or not key.verifies(parts.signed, parts.signature):
        raise bad_id_token("signature")
    try:
        claims = read_object(parts.payload)
    except ValueError:
        raise bad_id_token("payload") from None
    _check_parties(claims, rules)
    _check_times(claims, clock())
    return claims


def _take_apart(token: bytes, algorithms: Collection[str]) -> _Parts:
    if len(token) > _MAX_BYTES or _FORM.fullmatch(token) is None:
        raise bad_id_token("form")
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    try:
        members = read_object(_decode(header))
        kid, algorithm = members.get("kid"), members.get("alg")
        if not isinstance(algorithm, str) or algorithm not in algorithms:
            raise bad_id_token("alg")
        if not isinstance(kid, str):
            raise bad_id_token("kid")
        if not _REFUSED_MEMBERS.isdisjoint(members) or str(members.get("typ", "JWT")).upper() != "JWT":
            raise bad_id_token("header")
        return _Parts(kid, algorithm, signed, _decode(payload), _decode(signature))
    except ValueError:
        raise bad_id_token("form") from None


def _decode(segment: bytes) -> bytes:
    return urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def _check_parties(claims: Mapping[str, object], rules: IdTokenRules) -> None:
    """Look at who made it, for whom, about whom, and in answer to what."""
    if claims.get("iss") not in rules.issuers:
        raise bad_id_token("iss")
    audience, party = claims.get("aud"), claims.get("azp")
    others = isinstance(audience, list) and audience != [rules.client_id]
    if audience != rules.client_id and not (isinstance(audience, list) and rules.client_id in audience):
        raise bad_id_token("aud")
    if (party is not None or others) and party != rules.client_id:
        raise bad_id_token("azp")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), rules.nonce.encode()):
        raise bad_id_token("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_ID:
        raise bad_id_token("sub")


def _check_times(claims: Mapping[str, object], now: float) -> None:
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires_at + _LEEWAY_SECONDS:
        raise bad_id_token("exp")
    if not now - _MAX_AGE_SECONDS <= issued_at <= now + _LEEWAY_SECONDS:
        raise bad_id_token("iat")
    if "nbf" in claims and _time(claims, "nbf") > now + _LEEWAY_SECONDS:
        raise bad_id_token("nbf")


def _time(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_id_token(name)
    return value
