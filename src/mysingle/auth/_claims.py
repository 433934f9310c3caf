"""What a believed token says: each claim in its exact form, or the token is none of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth._headers import clean_email
from mysingle.auth.errors import AuthReason, unauthenticated

__all__ = ["AccessClaims", "ServiceClaims", "claims_of_access", "claims_of_service", "invalid_token"]

_LATEST = 253_402_300_799
"""The last second of the year 9999, behind which there are no dates."""

_USER_ID = re.compile(r"[0-9a-fA-F]{24}")
_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_SESSION_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ROLE = re.compile(r"[a-z0-9:_-]{1,64}")
_MAX_ROLES = 64


class AccessClaims(NamedTuple):
    """
    What an access token says; times are Unix seconds. What it does not say is not granted.

    `key_id` names the key that has signed it. A named tuple, because one is made for every token that is new.
    """

    subject: str
    session_id: str
    issued_at: int
    not_before: int
    expires_at: int
    token_id: str
    auth_time: int | None = None
    email: str | None = None
    is_verified: bool = False
    is_active: bool = False
    is_superuser: bool = False
    roles: frozenset[str] = frozenset()
    client_id: str | None = None
    amr: tuple[str, ...] = ()
    key_id: str = ""

    def to_user(self) -> AuthenticatedUser:
        """Return the caller whom the token describes; the same claims give the same value."""
        return _user(self)


@lru_cache(maxsize=4096)
def _user(claims: AccessClaims) -> AuthenticatedUser:
    return AuthenticatedUser(
        id=claims.subject,
        email=claims.email,
        is_active=claims.is_active,
        is_verified=claims.is_verified,
        is_superuser=claims.is_superuser,
        roles=claims.roles,
        session_id=claims.session_id,
        auth_method="token",
        authenticated_at=None if claims.auth_time is None else datetime.fromtimestamp(claims.auth_time, UTC),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClaims:
    """What a service token says: which service calls, and until when it is believed (Unix seconds)."""

    service: str
    audience: str
    issued_at: int
    expires_at: int
    token_id: str


def invalid_token() -> UnauthenticatedError:
    """Return the one answer for a token that is not believed; what is wrong with it helps nobody but a forger."""
    return unauthenticated(AuthReason.TOKEN_INVALID, "The access token is not valid.")


def claims_of_access(claims: Mapping[str, object], *, issuer: str, audience: str, kid: str) -> AccessClaims:
    """
    Read the claims of an access token that this issuer made for this audience.

    Raises:
        UnauthenticatedError: TOKEN_INVALID.
    """
    if not issuer or claims.get("iss") != issuer or claims.get("aud") != audience:
        raise invalid_token()
    issued_at, email = _time(claims, "iat"), claims.get("email")
    return AccessClaims(
        subject=_text(claims, "sub", _USER_ID).lower(),
        session_id=_text(claims, "sid", _SESSION_ID),
        issued_at=issued_at,
        not_before=_time(claims, "nbf") if "nbf" in claims else issued_at,
        expires_at=_time(claims, "exp"),
        token_id=_text(claims, "jti", _ID),
        auth_time=_time(claims, "auth_time") if claims.get("auth_time") is not None else None,
        email=clean_email(email.encode("utf-8", "replace")) if isinstance(email, str) else None,
        is_verified=_flag(claims, "email_verified"),
        is_active=_flag(claims, "active"),
        is_superuser=_flag(claims, "su"),
        roles=frozenset(_texts(claims, "roles", _ROLE)),
        client_id=_text(claims, "client_id", _ID) if claims.get("client_id") is not None else None,
        amr=_texts(claims, "amr", _ID),
        key_id=kid,
    )


def claims_of_service(claims: Mapping[str, object], *, audience: str) -> ServiceClaims:
    """
    Read the claims of a token with which a service speaks for itself to this audience.

    Raises:
        UnauthenticatedError: TOKEN_INVALID.
    """
    service = _text(claims, "iss", _SERVICE_NAME)
    if claims.get("sub") != service or claims.get("aud") != audience:
        raise invalid_token()
    return ServiceClaims(
        service=service,
        audience=audience,
        issued_at=_time(claims, "iat"),
        expires_at=_time(claims, "exp"),
        token_id=_text(claims, "jti", _ID),
    )


def _text(claims: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise invalid_token()
    return value


def _time(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= _LATEST:  # true is an int, too
        raise invalid_token()
    return value


def _flag(claims: Mapping[str, object], name: str) -> bool:
    value = claims.get(name, False)
    if not isinstance(value, bool):
        raise invalid_token()
    return value


def _texts(claims: Mapping[str, object], name: str, form: re.Pattern[str]) -> tuple[str, ...]:
    values = claims.get(name, [])
    if not isinstance(values, list) or len(values) > _MAX_ROLES:
        raise invalid_token()
    if not all(isinstance(value, str) and form.fullmatch(value) for value in values):
        raise invalid_token()
    return tuple(values)
