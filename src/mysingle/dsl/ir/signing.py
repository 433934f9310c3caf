"""Who wrote a container, and for which key of the store: HMAC-SHA256 with a ring of keys."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes

from mysingle.dsl.errors import DSLContainerError

__all__ = ["Keyring", "mac_input"]


@dataclass(frozen=True)
class Keyring:
    """
    The keys of `DSL_SIGNING_KEYS`: kid → secret. The first one signs, all of them verify.

    An empty ring signs nothing and accepts unsigned containers; `Keyring.for_process()` is what production uses when
    no keys are configured.
    """

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """
        Read `kid:secret,kid:secret`; a secret has at least 16 characters.

        Raises:
            ValueError: another form, without quoting the secret.
        """
        keys: dict[str, bytes] = {}
        for part in filter(None, (item.strip() for item in text.split(","))):
            kid, separator, secret = part.partition(":")
            if not separator or not kid.isascii() or not 1 <= len(kid) <= 32 or len(secret) < 16:
                raise ValueError("DSL_SIGNING_KEYS is 'kid:secret,kid:secret' with secrets of at least 16 characters")
            keys[kid] = secret.encode()
        return cls(keys)

    @classmethod
    def for_process(cls) -> "Keyring":
        """Return a ring with one random key: nothing that another process wrote is accepted."""
        return cls({"process": token_bytes(32)})

    def sign(self, data: bytes, kid: str) -> bytes:
        """Return the MAC of the data under the key."""
        return hmac.digest(self.keys[kid], data, "sha256")

    @property
    def current(self) -> str:
        """The kid that signs, empty when the ring is."""
        return next(iter(self.keys), "")

    def verify(self, data: bytes, kid: str, mac: bytes) -> None:
        """
        Check a MAC in constant time.

        Raises:
            DSLContainerError: unsigned although keys exist, an unknown kid, or another MAC.
        """
        if not self.keys and not kid and not mac:
            return
        secret = self.keys.get(kid, b"")
        expected = hmac.digest(secret or b"absent", data, "sha256")
        if not hmac.compare_digest(expected, mac) or not secret:
            raise DSLContainerError("The container is not signed by a known key for this place: compile again")


def mac_input(*parts: bytes) -> bytes:
    """Return the parts with their lengths, so that no bytes can move from one to the next."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
