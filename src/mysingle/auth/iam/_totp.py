"""One-time passwords by time (RFC 6238): six digits, thirty seconds, SHA-1, as every authenticator has them."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

__all__ = ["as_text", "code_at", "matching_step", "new_secret", "provisioning_url"]

_SECRET_BYTES = 20
_STEP_SECONDS = 30
_DIGITS = 6


def new_secret() -> bytes:
    """Return 160 random bits (RFC 4226, section 4)."""
    return secrets.token_bytes(_SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return a secret as people type it into an authenticator."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")


def code_at(secret: bytes, step: int) -> str:
    """Return the code of one step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8), hashlib.sha1)
    place = digest[-1] & 0x0F
    number = int.from_bytes(digest[place : place + 4]) & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def matching_step(secret: bytes, code: str, now: float) -> int | None:
    """Return the step that a code is of: this one, the one before or the next; None for any other code."""
    current = int(now) // _STEP_SECONDS
    given = code.encode("utf-8", "replace")
    steps = (current - 1, current, current + 1)
    matching = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), given)]
    return matching[-1] if matching else None


def provisioning_url(secret: bytes, *, issuer: str, account: str) -> str:
    """Return the address that a QR code holds for an authenticator."""
    query = urlencode({"secret": as_text(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{query}"
