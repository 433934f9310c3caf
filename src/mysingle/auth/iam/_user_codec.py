"""The bytes of a cached user: format, version, MAC, body. Whoever else writes into that Redis is not believed."""

import hashlib
import hmac

from mysingle.auth.iam._values import UserView
from mysingle.database import CodecError, JsonCodec

__all__ = ["UserCodec", "tombstone"]

_FORMAT = b"MSU1"
_VERSION_DIGITS = 16
_MAC_BYTES = 32
_HEAD = len(_FORMAT) + _VERSION_DIGITS
_LAST_VERSION = 2**53 - 1  # what a script in Redis counts exactly


class UserCodec:
    """
    Stores users signed with a key of the IAM service.

    The layout is `MSU1`, the version in 16 decimal digits, HMAC-SHA256 over all the rest, the body as `JsonCodec`
    writes it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._body = JsonCodec(UserView)

    def encode(self, value: UserView) -> bytes:
        """
        Return the bytes to store.

        Raises:
            CodecError: the value cannot be stored.
        """
        head, body = _head(value.version), self._body.encode(value)
        return head + self._mac(head, body) + body

    def decode(self, data: bytes) -> UserView:
        """
        Return the user.

        Raises:
            CodecError: these bytes are foreign, damaged, or say that the user has been dropped.
        """
        head, mac, body = data[:_HEAD], data[_HEAD : _HEAD + _MAC_BYTES], data[_HEAD + _MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(head, body)):
            raise CodecError("These bytes are no user that this service has stored")
        view = self._body.decode(body)
        if head != _head(view.version):
            raise CodecError("These bytes are no user that this service has stored")
        return view

    def _mac(self, head: bytes, body: bytes) -> bytes:
        return hmac.digest(self._key, head + body, hashlib.sha256)


def tombstone() -> bytes:
    """Return what takes the place of a dropped user: no version is newer, and nothing decodes it."""
    return _head(_LAST_VERSION)


def _head(version: int) -> bytes:
    return _FORMAT + f"{version:0{_VERSION_DIGITS}d}".encode()
