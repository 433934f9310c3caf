"""Access tokens as this service issues them (RFC 9068)."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._signing_keys import SigningKeys
from mysingle.auth.iam._values import Clock, UserView, instant

__all__ = ["IssuedToken", "TokenIssuer", "issuer_of"]

_TYPE = "at+jwt"
_DEFAULT_ISSUER = "http://localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A signed access token, its id, and when it ends."""

    token: str
    jti: str
    expires_at: datetime
    expires_in: int


def issuer_of(settings: CommonSettings) -> str:
    """Return what stands in the claim `iss`: `IAM_ISSUER`, or the base of every link."""
    if settings.IAM_ISSUER:
        return settings.IAM_ISSUER
    return str(settings.PUBLIC_BASE_URL).rstrip("/") if settings.PUBLIC_BASE_URL else _DEFAULT_ISSUER


class TokenIssuer:
    """Signs access tokens with the key in use; they live `AUTH_ACCESS_TOKEN_SECONDS`."""

    def __init__(self, settings: CommonSettings, keys: SigningKeys, *, clock: Clock = time.time) -> None:
        self.issuer = issuer_of(settings)
        self.audience = settings.IAM_AUDIENCE
        self._keys = keys
        self._seconds = settings.AUTH_ACCESS_TOKEN_SECONDS
        self._clock = clock

    def issue_access(
        self,
        user: UserView,
        session_id: str,
        *,
        auth_time: datetime,
        amr: tuple[str, ...] = ("pwd",),
        client_id: str = "mysingle",
    ) -> IssuedToken:
        """
        Return a new access token of a user in a session.

        Args:
            user: whom it speaks of.
            session_id: the session that it ends with.
            auth_time: when the person proved who it is; not when the session was last continued.
            amr: how (RFC 8176).
            client_id: which application it was issued to.

        Raises:
            UnavailableError: AUTH_TEMPORARILY_UNAVAILABLE, there is no key that may sign.
        """
        key = self._keys.current()
        now = int(self._clock())
        jti = secrets.token_hex(16)
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user.id,
            "iat": now,
            "nbf": now,
            "exp": now + self._seconds,
            "jti": jti,
            "sid": session_id,
            "client_id": client_id,
            "auth_time": int(auth_time.timestamp()),
            "amr": list(amr),
            "email": user.email,
            "email_verified": user.is_verified,
            "active": user.is_active,
            "su": user.is_superuser,
            "roles": list(user.roles),
        }
        message = f"{_part({'typ': _TYPE, 'alg': key.algorithm, 'kid': key.kid})}.{_part(claims)}"
        signature = _encode(key.sign(message.encode()))
        return IssuedToken(
            token=f"{message}.{signature}",
            jti=jti,
            expires_at=instant(now + self._seconds),
            expires_in=self._seconds,
        )


def _part(members: dict[str, object]) -> str:
    return _encode(json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
