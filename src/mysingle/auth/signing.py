"""How a gateway vouches for a caller: the headers it sends, for whoever plays the gateway."""

import secrets
import time
from collections.abc import Mapping

from mysingle._kernel import propagation
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth._proof import canonical, sign

__all__ = ["identity_headers", "proof_headers", "sign_identity"]


def identity_headers(user: AuthenticatedUser) -> dict[str, str]:
    """Return the identity headers that describe a user; what is absent stays absent."""
    values = (
        user.id,
        user.email,
        _word(user.is_verified),
        _word(user.is_active),
        _word(user.is_superuser),
        ",".join(sorted(user.roles)),
        user.session_id,
    )
    return {name: value for name, value in zip(propagation.IDENTITY_HEADERS, values, strict=True) if value}


def sign_identity(
    user: AuthenticatedUser,
    *,
    key: bytes,
    service_name: str,
    method: str = "GET",
    at: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """
    Return the identity headers of a user with the signature that the `hmac` proof checks.

    Args:
        user: the caller.
        key: one of the service's `GATEWAY_HMAC_KEYS`.
        service_name: the service that will believe it, and no other does.
        method: of the one request that this is for.
        at: Unix time in seconds; now without it.
        nonce: counts once; a random one without it.
    """
    headers = identity_headers(user)
    identity = {name: value.encode() for name, value in headers.items()}
    timestamp = None if at is None else str(at)
    return headers | proof_headers(
        identity, key=key, service_name=service_name, method=method, timestamp=timestamp, nonce=nonce
    )


def proof_headers(
    identity: Mapping[str, bytes],
    *,
    key: bytes,
    service_name: str,
    method: str = "GET",
    timestamp: str | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """
    Return the three headers that sign any identity headers, well-formed or not; the arguments as in `sign_identity`.

    Args:
        identity: the values as they go over the wire, by the names of `IDENTITY_HEADERS`.
        timestamp: the digits of a Unix time, or whatever else is to be signed in their place.
    """
    timestamp, nonce = timestamp or str(int(time.time())), nonce or secrets.token_hex(16)
    message = canonical(
        timestamp=timestamp.encode(),
        nonce=nonce.encode(),
        service_name=service_name.encode(),
        method=method.encode(),
        identity=[identity.get(name) for name in propagation.IDENTITY_HEADERS],
    )
    proof = (sign(key, message).decode(), timestamp, nonce)
    return dict(zip(propagation.GATEWAY_HEADERS, proof, strict=True))


def _word(flag: bool) -> str:
    return "true" if flag else "false"
