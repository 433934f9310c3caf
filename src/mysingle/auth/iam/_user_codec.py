"""The bytes of a cached user: format, version, time, MAC, body. Whoever else writes into that Redis is not believed."""

import hashlib
import hmac
import time

from mysingle.auth.iam._values import Clock, UserView
from mysingle.database import CodecError, JsonCodec

__all__ = ["UserCodec", "tombstone"]

_FORMAT = b"MSU2"
_VERSION_DIGITS = 16
_TIME_DIGITS = 12
_MAC_BYTES = 32
_NAME = len(_FORMAT) + _VERSION_DIGITS
_HEAD = _NAME + _TIME_DIGITS
_MAX_AGE_SECONDS = 300
_MAX_SKEW_SECONDS = 60  # how far the clocks of two processes may be apart
_LAST_VERSION = 2**53 - 1  # what a script in Redis counts exactly


class UserCodec:
    """
    Stores users signed with a key of the IAM service, for five minutes.

    The layout is `MSU2`, the version in 16 decimal digits, the Unix time in 12, HMAC-SHA256 over all the rest, the
    body as `JsonCodec` writes it. The time is there because whoever has copied a value can put it back later, when the
    user has lost rights.
    """

    def __init__(self, key: bytes, *, clock: Clock = time.time) -> None:
        self._key = key
        self._body = JsonCodec(UserView)
        self._clock = clock

    def encode(self, value: UserView) -> bytes:
        """
        Return the bytes to store.

        Raises:
            CodecError: the value cannot be stored.
        """
        head, body = _name(value.version) + _digits(int(self._clock()), _TIME_DIGITS), self._body.encode(value)
        return head + self._mac(head, body) + body

    def decode(self, data: bytes) -> UserView:
        """
        Return the user.

        Raises:
            CodecError: these bytes are foreign, damaged, too old, or say that the user has been dropped.
        """
        head, mac, body = data[:_HEAD], data[_HEAD : _HEAD + _MAC_BYTES], data[_HEAD + _MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(head, body)) or not self._is_fresh(head):
            raise CodecError("These bytes are no user that this service has stored")
        view = self._body.decode(body)
        if head[:_NAME] != _name(view.version):
            raise CodecError("These bytes are no user that this service has stored")
        return view

    def _is_fresh(self, head: bytes) -> bool:
        """Tell whether a head that we have signed is of the last five minutes."""
        return -_MAX_SKEW_SECONDS <= self._clock() - int(head[_NAME:]) <= _MAX_AGE_SECONDS + _MAX_SKEW_SECONDS

    def _mac(self, head: bytes, body: bytes) -> bytes:
        return hmac.digest(self._key, head + body, hashlib.sha256)


def tombstone() -> bytes:
    """Return what takes the place of a dropped user: no version is newer, and nothing decodes it."""
    return _name(_LAST_VERSION)


def _name(version: int) -> bytes:
    return _FORMAT + _digits(version, _VERSION_DIGITS)


def _digits(number: int, count: int) -> bytes:
    return f"{number:0{count}d}".encode()
