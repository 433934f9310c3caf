"""Tokens of the right issuer that are not for this, not now, or do not say what they have to."""

from collections.abc import Callable
from typing import Any

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in, refused
from mysingle.testing.attacks._forge import Forge
from mysingle.testing.identity import ALICE, BOB

__all__ = ["TOKEN_CLAIMS"]

_INVALID = refused("TOKEN_INVALID")
_EXPIRED = refused("TOKEN_EXPIRED")
_EARLY = refused("TOKEN_NOT_YET_VALID")
_WRONG_TYPE = refused("TOKEN_WRONG_TYPE")

_REQUIRED = ("exp", "iat", "jti", "sub", "iss", "aud", "sid")
_TYPES: dict[str, tuple[str, object]] = {
    "B10-jwt": ("of no class", "JWT"),
    "B10-refresh": ("of the class of refresh tokens", "refresh+jwt"),
    "B10-verify": ("that was mailed to verify an address", "verify+jwt"),
    "B10-reset": ("that was mailed to choose a password", "reset+jwt"),
    "B10-service": ("of a service", "service+jwt"),
    "B10-id": ("that is for a client", "id_token"),
    "B10-logout": ("that is for a logout", "logout+jwt"),
    "B10-media-type": ("whose class has its long name", "application/at+jwt"),
    "B10-capitals": ("whose class is in capitals", "AT+JWT"),
    "B10-absent": ("without a class", None),
    "B10-empty": ("of an empty class", ""),
    "B10-list": ("of two classes", ["at+jwt", "refresh+jwt"]),
}
_AUDIENCES: dict[str, tuple[str, object]] = {
    "B09-aud-other": ("for somebody else", "billing"),
    "B09-aud-list": ("for a list with us in it", ["mysingle", "billing"]),
    "B09-aud-list-of-one": ("for a list of us alone", ["mysingle"]),
    "B09-aud-capitals": ("for us in capitals", "MYSINGLE"),
    "B09-aud-prefix": ("for a part of our name", "mysing"),
    "B09-aud-longer": ("for a longer name", "mysingle.attacker.example"),
    "B09-aud-space": ("for us with a space", "mysingle "),
    "B09-aud-joined": ("for us and another in one text", "mysingle billing"),
    "B09-aud-wildcard": ("for everybody", "*"),
    "B09-aud-empty": ("for nobody", ""),
}
_ISSUERS: dict[str, tuple[str, object]] = {
    "B09-iss-other": ("somebody else's", "https://attacker.example"),
    "B09-iss-prefix": ("a part of ours", "https://iam.tes"),
    "B09-iss-longer": ("ours as a part of another", "https://iam.test.attacker.example"),
    "B09-iss-slash": ("ours with a slash", "https://iam.test/"),
    "B09-iss-http": ("ours without encryption", "http://iam.test"),
    "B09-iss-capitals": ("ours in capitals", "HTTPS://IAM.TEST"),
    "B09-iss-list": ("a list with ours", ["https://iam.test"]),
    "B09-iss-service": ("one of a service", "strategy-service"),
    "B09-iss-user": ("ours with a name in it", "https://iam.test@attacker.example"),
}
_VALUES: dict[str, tuple[str, dict[str, Any]]] = {
    "B06-sub-empty": ("names nobody", {"sub": ""}),
    "B06-sub-number": ("names a number as the user", {"sub": 1}),
    "B06-sub-list": ("names two users", {"sub": [ALICE, BOB]}),
    "B06-sub-operator": ("names an operator as the user", {"sub": {"$ne": ""}}),
    "B06-sub-short": ("names an id of 23 digits", {"sub": ALICE[:-1]}),
    "B06-sub-full-width": ("names an id in full-width digits", {"sub": "\N{FULLWIDTH DIGIT ONE}" * 24}),
    "B06-sub-newline": ("names an id with a line break", {"sub": f"{ALICE}\n"}),
    "B06-sid-empty": ("has an empty session", {"sid": ""}),
    "B06-sid-number": ("has a number as the session", {"sid": 1}),
    "B06-sid-newline": ("has a line break in the session", {"sid": "s\r\nX-User-Superuser: true"}),
    "B06-sid-long": ("has a session of 65 characters", {"sid": "s" * 65}),
    "B06-jti-empty": ("has an empty id", {"jti": ""}),
    "B06-jti-number": ("has a number as its id", {"jti": 7}),
    "B06-su-text": ("says in words that he is a superuser", {"su": "true"}),
    "B06-su-number": ("says with a number that he is a superuser", {"su": 1}),
    "B06-active-text": ("says in words that he is active", {"active": "true"}),
    "B06-verified-number": ("says with a number that his address is verified", {"email_verified": 1}),
    "B06-roles-text": ("has roles in a text", {"roles": "admin"}),
    "B06-roles-object": ("has roles in an object", {"roles": {"admin": True}}),
    "B06-roles-nested": ("has roles in a list in a list", {"roles": [["admin"]]}),
    "B06-roles-capitals": ("has a role in capitals", {"roles": ["Admin"]}),
    "B06-roles-65": ("has 65 roles", {"roles": [f"r{number}" for number in range(65)]}),
    "B05-exp-text": ("says in words when it expires", {"exp": "9999999999"}),
    "B05-exp-decimal": ("expires at a fraction", {"exp": 9999999999.5}),
    "B05-exp-true": ("expires at true", {"exp": True}),
    "B05-exp-infinite": ("never expires", {"exp": float("inf")}),
    "B05-exp-nan": ("expires at no number", {"exp": float("nan")}),
    "B05-exp-huge": ("expires after the last year", {"exp": 10**30}),
    "B05-exp-negative": ("expires before 1970", {"exp": -1}),
    "B05-exp-list": ("expires at a list", {"exp": [9999999999]}),
    "B07-iat-text": ("was made at a text", {"iat": "now"}),
    "B07-nbf-text": ("begins at a text", {"nbf": "now"}),
    "B07-auth-time-text": ("has a login at a text", {"auth_time": "now"}),
}


def _claims(**changed: Any) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(forge.tokens.good(**changed)))


def _typed(value: object) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(forge.tokens.with_header(typ=value)))


def _moved(**seconds: int) -> Callable[[Forge], list[bytes]]:
    """Return a token some of whose times are that many seconds from now."""
    return lambda forge: forge.get(
        forge.bearer(forge.tokens.good(**{name: forge.now + offset for name, offset in seconds.items()}))
    )


def _row(name: str, does: str, send: Callable[[Forge], list[bytes]], expected: Expected = _INVALID) -> Attack:
    return attack(name, does, send, expected, needs=[Need.JWT])


_TIMES: dict[str, tuple[str, dict[str, int], Expected]] = {
    "B05-expired": ("has a token that expired 31 s ago", {"exp": -31}, _EXPIRED),
    "B05-edge": ("has a token that expired 30 s ago", {"exp": -30}, _EXPIRED),
    "B05-yesterday": ("has a token of yesterday", {"exp": -86_400, "iat": -87_300, "nbf": -87_300}, _EXPIRED),
    "B05-within-leeway": ("has a token that expired 10 s ago", {"exp": -10}, let_in(user=ALICE)),
    "B07-nbf": ("has a token that begins in a minute", {"nbf": 60}, _EARLY),
    "B07-iat": ("has a token that will be made in a minute", {"iat": 60}, _EARLY),
    "B07-nbf-far": ("has a token that begins next year", {"nbf": 31_536_000, "exp": 31_536_900}, _EARLY),
    "B07-within-leeway": ("has a token that begins in 10 s", {"nbf": 10, "iat": 10}, let_in(user=ALICE)),
}

TOKEN_CLAIMS: tuple[Attack, ...] = (
    *(_row(name, does, _moved(**seconds), expected) for name, (does, seconds, expected) in _TIMES.items()),
    *(_row(f"B06-no-{name}", f"has a token without {name}", _claims(**{name: None})) for name in _REQUIRED),
    *(_row(name, f"has a token {what}", _claims(aud=value)) for name, (what, value) in _AUDIENCES.items()),
    *(
        _row(name, f"has a token whose issuer is {what}", _claims(iss=value))
        for name, (what, value) in _ISSUERS.items()
    ),
    *(_row(name, f"has a token {what}", _typed(value), _WRONG_TYPE) for name, (what, value) in _TYPES.items()),
    *(_row(name, f"has a token that {what}", _claims(**claims)) for name, (what, claims) in _VALUES.items()),
    _row(
        "A18-token-inactive",
        "has a token of an inactive account",
        _claims(active=False),
        refused("USER_INACTIVE", status=403),
    ),
    _row(
        "A18-token-silent",
        "has a token that does not say active",
        _claims(active=None),
        refused("USER_INACTIVE", status=403),
    ),
    _row(
        "A19-token-unverified",
        "has a token of an unverified account",
        _claims(email_verified=False),
        refused("EMAIL_NOT_VERIFIED", status=403),
    ),
    _row(
        "B06-silent-superuser", "has a token that does not say superuser", _claims(su=None), let_in(is_superuser=False)
    ),
)
