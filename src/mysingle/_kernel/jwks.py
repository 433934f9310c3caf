"""JWK sets as they are published (RFC 7517): which of their keys verify signatures, each with one algorithm."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

__all__ = ["MAX_DOCUMENT_BYTES", "NEW_NAMES", "KeySetError", "PublishedKey", "published_keys"]

MAX_DOCUMENT_BYTES = 256 * 1024
"""What nobody's set of public keys needs; a reader stops there."""

NEW_NAMES: Mapping[str, str] = {"EdDSA": "Ed25519"}
"""Ours → RFC 9864's, which gives each curve a name of its own; the old one means Ed448 too."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_FAMILIES = {("EC", "P-256"): "ES256", ("RSA", None): "RS256", ("OKP", "Ed25519"): "EdDSA", ("oct", None): "HS256"}
_MAX_KEYS = 64
_MAX_KID = 128


class KeySetError(ValueError):
    """A set of keys that cannot be used; the message says why and shows no key."""


class PublishedKey(NamedTuple):
    """A key for verifying signatures, with the one algorithm of its type and curve; `members` are those of its JWK."""

    kid: str
    algorithm: str
    members: Mapping[str, object]


def published_keys(document: Mapping[str, object], algorithms: Collection[str]) -> tuple[PublishedKey, ...]:
    """
    Return the keys of a set (RFC 7517 §5) in their order; those for other purposes or algorithms are left out.

    Raises:
        KeySetError: it is no set, or it holds a private key, or a symmetric one although HS256 is not accepted.
    """
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
        raise KeySetError(f"it needs a member 'keys', a list of at most {_MAX_KEYS}")
    found = (_published(jwk, algorithms) for jwk in listed if isinstance(jwk, dict))
    return tuple(key for key in found if key is not None)


def _published(jwk: Mapping[str, object], algorithms: Collection[str]) -> PublishedKey | None:
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeySetError("it holds a private key, which belongs to the IAM service alone")
    if jwk.get("kty") == "oct" and "HS256" not in algorithms:
        raise KeySetError("it holds a symmetric key, but HS256 is not accepted")
    kid, algorithm = jwk.get("kid"), _algorithm(jwk)
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or algorithm not in algorithms or not _verifies(jwk):
        return None
    return PublishedKey(kid, algorithm, jwk)


def _algorithm(jwk: Mapping[str, object]) -> str:
    """Return the one algorithm of a key, by its type and curve; nothing when the key itself says otherwise."""
    curve = jwk.get("crv")
    algorithm = _FAMILIES.get((str(jwk.get("kty")), None if curve is None else str(curve)), "")
    return algorithm if jwk.get("alg", algorithm) in (algorithm, NEW_NAMES.get(algorithm)) else ""


def _verifies(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
