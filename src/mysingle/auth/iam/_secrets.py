"""The one secret of the IAM service, and the keys that are derived from it."""

import hashlib
import hmac
import secrets

from mysingle._kernel.guard import is_placeholder
from mysingle._kernel.settings import CommonSettings

__all__ = ["MasterSecret", "derive"]

_SALT = b"mysingle.auth.iam/v1"
_MIN_BYTES = 32


def derive(secret_key: bytes, purpose: str) -> bytes:
    """
    Return 32 bytes for one purpose; who knows one derived key knows nothing of the others.

    Source: RFC 5869 (HKDF), SHA-256, one block.
    """
    extracted = hmac.digest(_SALT, secret_key, hashlib.sha256)
    return hmac.digest(extracted, purpose.encode() + b"\x01", hashlib.sha256)


class MasterSecret:
    """
    What `AUTH_SECRET_KEY` says, or a random secret that ends with the process.

    `is_lasting` tells whether it is the same after a restart and in every process. `is_usable` is false where
    production rules apply and the setting is missing, a placeholder or short: then nothing is signed with it.
    """

    def __init__(self, key: bytes | None = None, *, is_usable: bool = True) -> None:
        self._key = key or secrets.token_bytes(_MIN_BYTES)
        self.is_lasting = key is not None
        self.is_usable = is_usable

    @classmethod
    def from_settings(cls, settings: CommonSettings) -> "MasterSecret":
        """Take the setting where it is good enough; development and testing take what they are given."""
        given = settings.AUTH_SECRET_KEY.get_secret_value() if settings.AUTH_SECRET_KEY else ""
        is_strong = len(given.encode()) >= _MIN_BYTES and not is_placeholder(given)
        if given and (is_strong or settings.is_relaxed):
            return cls(given.encode())
        return cls(is_usable=settings.is_relaxed or not settings.is_environment_explicit)

    def derive(self, purpose: str) -> bytes:
        """Return the key of one purpose."""
        return derive(self._key, purpose)
