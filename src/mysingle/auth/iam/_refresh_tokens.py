"""The form of a refresh token: `rt1.<session>.<generation>.<secret>.<tag>`. Pure; the tag tells ours from garbage."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

__all__ = ["RefreshToken", "fingerprint", "format_refresh", "new_session_id", "parse_refresh"]

_SECRET_BYTES = 32
_TAG_BYTES = 16
_MAX_TOKEN = 256
_FORM = re.compile(r"rt1\.([0-9a-f]{32})\.(0|[1-9][0-9]{0,9})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})", re.ASCII)


class RefreshToken(NamedTuple):
    """What a refresh token says: its session, which generation it is, and the secret whose hash is stored."""

    session_id: str
    generation: int
    secret: bytes


def new_session_id() -> str:
    """Return 128 random bits in hex."""
    return secrets.token_hex(16)


def format_refresh(session_id: str, generation: int, key: bytes) -> tuple[str, str]:
    """Return a new token of a session, and the fingerprint of its secret, which is what may be stored."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    token = RefreshToken(session_id, generation, secret)
    return f"rt1.{session_id}.{generation}.{_encode(secret)}.{_encode(_tag(token, key))}", fingerprint(secret)


def parse_refresh(token: str, key: bytes) -> RefreshToken | None:
    """
    Return what a token says if its tag proves that this service made it; None for anything else.

    It costs one HMAC and touches no database, so garbage costs nothing and revokes nothing.
    """
    match = _FORM.fullmatch(token) if len(token) <= _MAX_TOKEN else None
    if match is None:
        return None
    session_id, generation, secret, tag = match.groups()
    parsed = RefreshToken(session_id, int(generation), _decode(secret))
    # The text is compared, not what it decodes to: two spellings of one secret would be two tokens.
    genuine = f"{_encode(parsed.secret)}.{_encode(_tag(parsed, key))}"
    return parsed if hmac.compare_digest(genuine, f"{secret}.{tag}") else None


def fingerprint(secret: bytes) -> str:
    """Return the hash under which a secret is stored."""
    return hashlib.sha256(secret).hexdigest()


def _tag(token: RefreshToken, key: bytes) -> bytes:
    message = f"rt1.{token.session_id}.{token.generation}.".encode() + token.secret
    return hmac.digest(key, message, hashlib.sha256)[:_TAG_BYTES]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
