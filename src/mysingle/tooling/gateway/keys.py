"""The public keys of the IAM service, as it publishes them: a JWK set."""

from dataclasses import dataclass
from pathlib import Path

from mysingle._kernel.jwks import MAX_DOCUMENT_BYTES, KeySetError, PublishedKey, published_keys
from mysingle._kernel.strict_json import read_object
from mysingle.tooling.gateway._pem import to_pem
from mysingle.tooling.gateway.errors import GatewayKeysError

__all__ = ["ALGORITHMS", "SigningKey", "load_keys", "read_keys", "signing_keys"]

ALGORITHMS = ("ES256", "RS256", "EdDSA")
"""What a gateway verifies; with HS256 it would hold the key that signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key of the IAM service; `pem` begins with `-----BEGIN PUBLIC KEY-----`."""

    kid: str
    algorithm: str
    pem: str


def read_keys(file: Path) -> tuple[SigningKey, ...]:
    """
    Read a JWKS file: every key in it that verifies tokens, in its order.

    Raises:
        GatewayKeysError: the file cannot be used; the message says why, and shows no key.
    """
    try:
        return load_keys(file)
    except KeySetError as error:
        raise GatewayKeysError(str(file), str(error)) from error


def load_keys(file: Path) -> tuple[SigningKey, ...]:
    """
    Read a JWKS file for a place that says itself where it is named.

    Raises:
        KeySetError: why it cannot be used.
    """
    try:
        with file.open("rb") as source:
            return signing_keys(source.read(MAX_DOCUMENT_BYTES + 1))
    except OSError as error:
        raise KeySetError(f"the file cannot be read: {error.strerror}") from error


def signing_keys(document: bytes) -> tuple[SigningKey, ...]:
    """
    Read a JWK set: every key in it that verifies tokens.

    Raises:
        KeySetError: why it cannot be used.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise KeySetError(f"more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        published = published_keys(read_object(document), ALGORITHMS)
    except KeySetError:
        raise
    except ValueError as error:
        raise KeySetError("this is no JSON object") from error
    keys = {key.kid: _signing_key(key) for key in published}
    if len(keys) != len(published):
        raise KeySetError("two keys have the same kid")
    if not keys:
        raise KeySetError(f"it has no key for {', '.join(ALGORITHMS)}")
    return tuple(keys.values())


def _signing_key(key: PublishedKey) -> SigningKey:
    if not key.kid.isascii() or not key.kid.isprintable() or " " in key.kid:
        raise KeySetError("a kid is not visible ASCII")
    try:
        return SigningKey(kid=key.kid, algorithm=key.algorithm, pem=to_pem(key.members, key.algorithm))
    except ValueError as error:
        raise KeySetError(f"the key {key.kid}: {error}") from error
