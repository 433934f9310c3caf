"""Identity headers as bytes: collect them in one pass, believe only the exact form."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from mysingle._kernel import propagation
from mysingle._kernel.asgi import Scope, header_map
from mysingle._kernel.identity import AuthenticatedUser

__all__ = ["IdentityHeaders", "collect", "parse", "without_identity"]

_MAX_VALUE = 1024
_ANONYMOUS = propagation.HEADER_ANONYMOUS_CONSUMER.lower().encode()
_USER_ID, _EMAIL, _VERIFIED, _ACTIVE, _SUPERUSER, _ROLES, _SESSION = (
    name.lower().encode() for name in propagation.IDENTITY_HEADERS
)
_BOOLEAN = re.compile(rb"true|false")
_PATTERNS: Mapping[bytes, re.Pattern[bytes]] = {
    _USER_ID: re.compile(rb"[0-9a-fA-F]{24}"),
    _EMAIL: re.compile(rb"[^\x00-\x1f\x7f]*"),
    _VERIFIED: _BOOLEAN,
    _ACTIVE: _BOOLEAN,
    _SUPERUSER: _BOOLEAN,
    _ROLES: re.compile(rb"|[a-z0-9:_-]{1,64}(, ?[a-z0-9:_-]{1,64}){0,63}"),
    _SESSION: re.compile(rb"[A-Za-z0-9._:-]{1,64}"),
}
_EMAIL_FORM = re.compile(rb"[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,253}")


Values = tuple[bytes | None, ...]
_NAMES = tuple(_PATTERNS)


class IdentityHeaders(NamedTuple):
    """What a request says about its caller, believed or not; `values` in the order of `IDENTITY_HEADERS`."""

    values: Values
    is_present: bool
    is_ambiguous: bool
    is_anonymous: bool
    has_authorization: bool


def collect(scope: Scope) -> IdentityHeaders:
    """Pick out what a request says about its caller; a repeated header or a look-alike (`x_user_id`) is ambiguous."""
    headers = header_map(scope)
    values = tuple(map(headers.get, _NAMES))
    is_anonymous = headers.get(_ANONYMOUS, b"").strip(b" \t").lower() == b"true"
    is_ambiguous = False
    if len(headers) != len(scope["headers"]) or b"_" in b"\n".join(headers):
        is_ambiguous = _is_ambiguous([name for name, _ in scope["headers"]])
        is_anonymous = is_anonymous or any(_says_anonymous(name, value) for name, value in scope["headers"])
    is_present = is_ambiguous or values != _NOTHING
    return IdentityHeaders(values, is_present, is_ambiguous, is_anonymous, b"authorization" in headers)


_NOTHING: Values = (None,) * len(_NAMES)


def _says_anonymous(name: bytes, value: bytes) -> bool:
    return name.replace(b"_", b"-") == _ANONYMOUS and value.strip(b" \t").lower() == b"true"


def _is_ambiguous(names: list[bytes]) -> bool:
    spelled = [name for name in names if name.replace(b"_", b"-") in _PATTERNS]
    return len(set(spelled)) != len(spelled) or any(name not in _PATTERNS for name in spelled)


@lru_cache(maxsize=4096)
def parse(values: Values, assumes_verified: bool) -> AuthenticatedUser | None:
    """
    Return the caller whom the headers describe, None when they name no user id. The same bytes give the same value.

    Raises:
        ValueError: a value is not in the form of its field.
    """
    given = {name: value.strip(b" \t") for name, value in zip(_NAMES, values, strict=True) if value is not None}
    if not all(_is_well_formed(name, value) for name, value in given.items()):
        raise ValueError("malformed identity headers")
    user_id = given.get(_USER_ID)
    if user_id is None:
        return None
    assumed = b"true" if assumes_verified else b"false"
    email, roles, session = given.get(_EMAIL, b""), given.get(_ROLES), given.get(_SESSION)
    return AuthenticatedUser(
        id=user_id.decode("ascii").lower(),
        email=email.decode("ascii") if _EMAIL_FORM.fullmatch(email) else None,
        is_active=given.get(_ACTIVE, assumed) == b"true",
        is_verified=given.get(_VERIFIED, assumed) == b"true",
        is_superuser=given.get(_SUPERUSER) == b"true",
        roles=frozenset(part.strip() for part in roles.decode("ascii").split(",")) if roles else frozenset(),
        session_id=session.decode("ascii") if session else None,
    )


def _is_well_formed(name: bytes, value: bytes) -> bool:
    return len(value) <= _MAX_VALUE and _PATTERNS[name].fullmatch(value) is not None


def without_identity(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that speak of a caller, so that no handler reads spoofed ones by accident."""
    return [(name, value) for name, value in headers if name.replace(b"_", b"-") not in _PATTERNS]
