"""Access tokens, good ones and every other kind."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from functools import cached_property
from typing import Any

from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mysingle.testing.tokens import TokenSigner

__all__ = ["TokenForge", "segment"]

_JOSE_NAMES = {"EdDSA": "Ed25519"}


def segment(raw: bytes) -> str:
    """Return one part of a token."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class TokenForge:
    """Makes tokens with the key of the IAM service, and with keys that are nobody's."""

    def __init__(self, signer: TokenSigner) -> None:
        self.signer = signer

    def good(self, **claims: Any) -> str:
        """Return a token that is believed, unless a claim makes it another one; None takes a claim away."""
        return self.signer.token(**claims)

    def with_header(self, **members: Any) -> str:
        """Return a token with a good signature whose header is another one; None takes a member away."""
        return self.signer.sign(_json(self.header(**members)), _json(self.signer.claims()))

    def with_raw(self, *, header: bytes | None = None, payload: bytes | None = None) -> str:
        """Return a token with a good signature and any bytes in it."""
        return self.signer.sign(header or _json(self.header()), payload or _json(self.signer.claims()))

    def header(self, **members: Any) -> dict[str, Any]:
        """Return the header of a good token, with changes."""
        made = {"typ": "at+jwt", "alg": "ES256", "kid": self.signer.kid, **members}
        return {name: value for name, value in made.items() if value is not None}

    def unsigned(self, algorithm: str, signature: bytes = b"") -> str:
        """Return a token that says which algorithm it needs, with any signature."""
        return f"{self._message(algorithm)}.{segment(signature)}"

    def with_mac(self, key: bytes) -> str:
        """Return a token with an HS256 signature."""
        message = self._message("HS256")
        return f"{message}.{segment(hmac.new(key, message.encode(), hashlib.sha256).digest())}"

    def by_stranger(self, algorithm: str = "ES256", *, says: str | None = None, **members: Any) -> str:
        """Return a token that somebody else has signed; `says` is the algorithm that it names instead."""
        message = self._message(says or algorithm, **members)
        signer = JWSRegistry.algorithms[_JOSE_NAMES.get(algorithm, algorithm)]
        return f"{message}.{segment(signer.sign(message.encode(), self.strangers[algorithm]))}"

    @cached_property
    def strangers(self) -> dict[str, Key]:
        """Keys that no service believes, by algorithm."""
        return {
            "ES256": ECKey.generate_key("P-256"),
            "ES384": ECKey.generate_key("P-384"),
            "RS256": RSAKey.generate_key(2048),
            "EdDSA": OKPKey.generate_key("Ed25519"),
            "HS256": OctKey.generate_key(256),
        }

    def stranger_jwk(self) -> dict[str, Any]:
        """Return the public half of the stranger's key."""
        return dict(self.strangers["ES256"].as_dict(private=False))

    def _message(self, algorithm: str, **members: Any) -> str:
        header = self.header(alg=algorithm, **members)
        return f"{segment(_json(header))}.{segment(_json(self.signer.claims()))}"
