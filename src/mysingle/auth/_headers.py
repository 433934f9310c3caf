"""Identity headers as bytes: collect them in one pass, believe only the exact form."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import NamedTuple

from mysingle._kernel import propagation
from mysingle._kernel.asgi import Scope, header_map
from mysingle._kernel.identity import AuthenticatedUser

__all__ = [
    "AUTHORIZATION",
    "IDENTITY_NAMES",
    "NONCE",
    "PROOF_NAMES",
    "SIGNATURE",
    "TIMESTAMP",
    "IdentityHeaders",
    "bearer_token",
    "clean_email",
    "collect",
    "is_malformed",
    "parse",
    "without_identity",
]

AUTHORIZATION = b"authorization"
SIGNATURE, TIMESTAMP, NONCE = (name.lower().encode() for name in propagation.GATEWAY_HEADERS)
PROOF_NAMES = frozenset({AUTHORIZATION, SIGNATURE, TIMESTAMP, NONCE})

_MAX_HEADERS = 100
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
IDENTITY_NAMES = frozenset(_NAMES)
_NOTHING: Values = (None,) * len(_NAMES)
_NONE: frozenset[bytes] = frozenset()


class IdentityHeaders(NamedTuple):
    """
    What a request says about its caller, believed or not; `values` in the order of `IDENTITY_HEADERS`.

    `is_present`: it names a caller. `is_ambiguous`: one of its headers of identity or proof occurs twice, has a
    look-alike (`x_user_id`), or there are too many headers. `repeated` are the names that occur twice.
    """

    values: Values
    raw: Mapping[bytes, bytes]
    is_present: bool
    is_ambiguous: bool
    is_anonymous: bool
    has_authorization: bool
    repeated: frozenset[bytes]


def collect(scope: Scope, watched: Set[bytes] = PROOF_NAMES) -> IdentityHeaders:
    """Pick out what a request says about its caller; `watched` are the headers of proof, in lower case."""
    headers = header_map(scope)
    values = tuple(map(headers.get, _NAMES))
    is_present = values != _NOTHING
    is_ambiguous = len(scope["headers"]) > _MAX_HEADERS
    is_anonymous = _ANONYMOUS in headers and _says_anonymous(_ANONYMOUS, headers[_ANONYMOUS])
    repeated = _NONE
    if len(headers) != len(scope["headers"]) or b"_" in b"\n".join(headers):
        names = [name for name, _ in scope["headers"] if _spelled(name) in watched or _spelled(name) in _PATTERNS]
        repeated = frozenset(name for name, times in Counter(names).items() if times > 1)
        is_present = any(_spelled(name) in _PATTERNS for name in names)
        is_ambiguous = is_ambiguous or bool(repeated) or any(_spelled(name) != name for name in names)
        is_anonymous = is_anonymous or any(_says_anonymous(name, value) for name, value in scope["headers"])
    has_authorization = b"authorization" in headers
    return IdentityHeaders(values, headers, is_present, is_ambiguous, is_anonymous, has_authorization, repeated)


def bearer_token(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the token of an `Authorization: Bearer` header (lower-case name), None when there is no such header."""
    scheme, _, token = headers.get(AUTHORIZATION, b"").strip(b" \t").partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else None


def is_malformed(headers: IdentityHeaders) -> bool:
    """Tell whether a gateway that works would never send these headers."""
    try:
        parse(headers.values, False)
    except ValueError:
        return True
    return headers.is_ambiguous


def _spelled(name: bytes) -> bytes:
    return name.replace(b"_", b"-")


def _says_anonymous(name: bytes, value: bytes) -> bool:
    return _spelled(name) == _ANONYMOUS and value.strip(b" \t").lower() == b"true"


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
        email=clean_email(email),
        is_active=given.get(_ACTIVE, assumed) == b"true",
        is_verified=given.get(_VERIFIED, assumed) == b"true",
        is_superuser=given.get(_SUPERUSER) == b"true",
        roles=frozenset(part.strip() for part in roles.decode("ascii").split(",")) if roles else frozenset(),
        session_id=session.decode("ascii") if session else None,
    )


def clean_email(raw: bytes) -> str | None:
    """Return the address, or None when the bytes are none: nobody fails for a bad address."""
    return raw.decode("ascii") if _EMAIL_FORM.fullmatch(raw) else None


def _is_well_formed(name: bytes, value: bytes) -> bool:
    return len(value) <= _MAX_VALUE and _PATTERNS[name].fullmatch(value) is not None


def without_identity(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers without those that speak of a caller, so that no handler reads spoofed ones by accident."""
    return [(name, value) for name, value in headers if _spelled(name) not in _PATTERNS]
