"""The `secret` proof: the whole secret, once, in its header."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, malformed, refused
from mysingle.testing.attacks._forge import EMAIL, SUPERUSER, USER_ID, Forge, Header, claiming
from mysingle.testing.identity import ALICE, BOB

__all__ = ["SECRETS"]

_HEADER = "X-Gateway-Secret"
_INVALID = refused("GATEWAY_PROOF_INVALID")


def _sent(value: Callable[[str], str | bytes]) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*claiming(), (_HEADER, value(forge.keys.secret)))


def _with(*identity: Header) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*forge.vouched(*identity))


_VALUES: dict[str, tuple[str, Callable[[str], str | bytes]]] = {
    "A23-wrong": ("guesses the secret", lambda secret: "0" * len(secret)),
    "A23-empty": ("sends an empty secret", lambda secret: ""),
    "A23-prefix": ("sends the beginning of the secret", lambda secret: secret[:-1]),
    "A23-longer": ("adds a character to the secret", lambda secret: secret + "0"),
    "A23-letter-case": ("writes the secret in capitals", str.upper),
    "A23-beyond-ascii": ("sends bytes beyond ASCII", lambda secret: secret[:-1].encode() + b"\xff"),
    "A23-unicode-look-alike": (
        "writes the secret in full-width letters",
        lambda secret: "".join(chr(0xFEE0 + ord(character)) for character in secret),
    ),
    "A23-twice-in-one": ("sends the secret twice in one header", lambda secret: f"{secret}, {secret}"),
    "A23-quoted": ("puts the secret into quotation marks", lambda secret: f'"{secret}"'),
    "A23-with-scheme": ("writes a scheme before the secret", lambda secret: f"Bearer {secret}"),
    "A23-placeholder": ("sends what a template ships", lambda secret: "change-this-secret-in-production-please"),
}

_PLACES: dict[str, tuple[str, Callable[[Forge], list[bytes]], Expected]] = {
    "A23-bad-then-good": (
        "sends a wrong secret before the right one",
        lambda forge: forge.get(*claiming(), (_HEADER, "0" * 64), (_HEADER, forge.keys.secret)),
        _INVALID,
    ),
    "A23-good-then-bad": (
        "sends a wrong secret behind the right one",
        lambda forge: forge.get(*claiming(), (_HEADER, forge.keys.secret), (_HEADER, "0" * 64)),
        _INVALID,
    ),
    "A23-good-twice": (
        "sends the right secret twice",
        lambda forge: forge.get(*claiming(), *[(_HEADER, forge.keys.secret)] * 2),
        _INVALID,
    ),
    "A23-look-alike": (
        "sends the secret in a look-alike of its header",
        lambda forge: forge.get(*claiming(), ("X_Gateway_Secret", forge.keys.secret)),
        _INVALID,
    ),
    "A23-in-query": (
        "sends the secret in the query",
        lambda forge: forge.get(*claiming(), target=f"{forge.path}?{_HEADER}={forge.keys.secret}"),
        refused("GATEWAY_PROOF_MISSING"),
    ),
    "A23-in-cookie": (
        "sends the secret in a cookie",
        lambda forge: forge.get(*claiming(), ("Cookie", f"{_HEADER}={forge.keys.secret}")),
        refused("GATEWAY_PROOF_MISSING"),
    ),
    "A23-for-nobody": (
        "sends the secret and no claim",
        lambda forge: forge.get(*forge.vouched()),
        refused("AUTH_REQUIRED"),
    ),
    "A23-empty-beside-others": (
        "sends an empty secret, and other claims",
        lambda forge: forge.get((SUPERUSER, "true"), (EMAIL, "a@b.c"), (_HEADER, "")),
        _INVALID,
    ),
    "A09-proven-two-ids": ("has two ids vouched for", _with((USER_ID, ALICE), (USER_ID, BOB)), malformed()),
    "A09-proven-same-id-twice": (
        "has one id vouched for twice",
        _with((USER_ID, ALICE), (USER_ID, ALICE)),
        malformed(),
    ),
    "A09-proven-two-flags": (
        "has two superuser flags vouched for",
        _with((USER_ID, ALICE), (SUPERUSER, "false"), (SUPERUSER, "true")),
        malformed(),
    ),
    "A09-proven-look-alike": (
        "has a look-alike vouched for",
        _with((USER_ID, ALICE), ("X_User_Superuser", "true")),
        malformed(),
    ),
    "A10-proven-joined-ids": (
        "has two ids in one header vouched for",
        _with((USER_ID, f"{ALICE}, {BOB}")),
        malformed(),
    ),
    "A10-proven-joined-flags": (
        "has two flags in one header vouched for",
        _with((USER_ID, ALICE), (SUPERUSER, "false, true")),
        malformed(),
    ),
}

SECRETS: tuple[Attack, ...] = (
    *(attack(name, does, _sent(value), _INVALID, needs=[Need.SECRET]) for name, (does, value) in _VALUES.items()),
    *(attack(name, does, send, expected, needs=[Need.SECRET]) for name, (does, send, expected) in _PLACES.items()),
    attack(
        "A23-wrong-with-signature",
        "sends a wrong secret beside a good signature",
        lambda forge: forge.get(*forge.signed(), (_HEADER, "0" * 64)),
        _INVALID,
        needs=[Need.SECRET, Need.HMAC],
    ),
)
