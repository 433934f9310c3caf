"""Identity headers as bytes: collect them in one pass, believe only the exact form."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mysingle._kernel import propagation
from mysingle._kernel.identity import AuthenticatedUser

__all__ = ["IdentityHeaders", "collect", "is_malformed", "parse", "without_identity"]

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


Pairs = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class IdentityHeaders:
    """What a request says about its caller, believed or not."""

    pairs: Pairs
    is_anonymous: bool
    has_authorization: bool


def collect(headers: Iterable[tuple[bytes, bytes]]) -> IdentityHeaders:
    """Pick the identity headers, and those that look like one, out of raw ASGI headers (lower-case names)."""
    pairs: list[tuple[bytes, bytes]] = []
    anonymous = authorization = False
    for pair in headers:
        name = pair[0]
        if name in _PATTERNS:
            pairs.append(pair)
        elif name == b"authorization":
            authorization = True
        elif name == _ANONYMOUS:
            anonymous |= pair[1].strip(b" \t").lower() == b"true"
        elif b"_" in name and name.replace(b"_", b"-") in _PATTERNS:
            pairs.append(pair)
    return IdentityHeaders(tuple(pairs), anonymous, authorization)


@lru_cache(maxsize=4096)
def is_malformed(pairs: Pairs) -> bool:
    """Tell whether a header is there twice, under a look-alike name (`x_user_id`), or not in the form of its field."""
    names = [name for name, _ in pairs]
    return len(set(names)) != len(names) or not all(_is_well_formed(name, value) for name, value in pairs)


def _is_well_formed(name: bytes, value: bytes) -> bool:
    pattern = _PATTERNS.get(name)
    return pattern is not None and len(value) <= _MAX_VALUE and pattern.fullmatch(value.strip(b" \t")) is not None


@lru_cache(maxsize=4096)
def parse(pairs: Pairs, assumes_verified: bool) -> AuthenticatedUser | None:
    """Return the caller that well-formed headers describe; None when they name no user id."""
    values = {name: value.strip(b" \t") for name, value in pairs}
    user_id = values.get(_USER_ID)
    if user_id is None:
        return None
    assumed = b"true" if assumes_verified else b"false"
    email, roles, session = values.get(_EMAIL, b""), values.get(_ROLES), values.get(_SESSION)
    return AuthenticatedUser(
        id=user_id.decode("ascii").lower(),
        email=email.decode("ascii") if _EMAIL_FORM.fullmatch(email) else None,
        is_active=values.get(_ACTIVE, assumed) == b"true",
        is_verified=values.get(_VERIFIED, assumed) == b"true",
        is_superuser=values.get(_SUPERUSER) == b"true",
        roles=frozenset(part.strip() for part in roles.decode("ascii").split(",")) if roles else frozenset(),
        session_id=session.decode("ascii") if session else None,
    )


def without_identity(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that speak of a caller, so that no handler reads spoofed ones by accident."""
    return [(name, value) for name, value in headers if name.replace(b"_", b"-") not in _PATTERNS]
