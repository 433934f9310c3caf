"""Signing keys as the database has them: encrypted with the service's secret, bound to their id."""

import json
import secrets

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

__all__ = ["generate", "seal", "unseal"]

_METHOD = {"alg": "dir", "enc": "A256GCM"}
_RSA_BITS = 2048
_KEY_TYPES: dict[str, type[ECKey | RSAKey | OKPKey | OctKey]] = {
    "ES256": ECKey,
    "RS256": RSAKey,
    "EdDSA": OKPKey,
    "HS256": OctKey,
}


def generate(algorithm: str) -> Key:
    """Return a new private key for one algorithm; RSA takes a while."""
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256")
        case "RS256":
            return RSAKey.generate_key(_RSA_BITS)
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
        case _:
            return OctKey.import_key(secrets.token_bytes(32))


def seal(key: Key, kid: str, secret: bytes) -> str:
    """Return a key as a JWE (RFC 7516): what the database has is useless without the service's secret."""
    plain = json.dumps(key.as_dict(private=True)).encode()
    return jwe.encrypt_compact({**_METHOD, "kid": kid}, plain, OctKey.import_key(secret))


def unseal(sealed: str, kid: str, algorithm: str, secret: bytes) -> Key | None:
    """Return the key; None when another secret has sealed it, or the text was moved here from another id."""
    try:
        opened = jwe.decrypt_compact(sealed, OctKey.import_key(secret))
        if opened.headers().get("kid") != kid or opened.plaintext is None:
            return None
        return _KEY_TYPES[algorithm].import_key(json.loads(opened.plaintext))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
