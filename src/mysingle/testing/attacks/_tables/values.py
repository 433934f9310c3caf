"""Values that a gateway has vouched for all the same: only the exact form is believed."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in, malformed, refused
from mysingle.testing.attacks._forge import (
    ACTIVE,
    EMAIL,
    ROLES,
    SESSION,
    SUPERUSER,
    USER_ID,
    VERIFIED,
    Forge,
    Header,
    claiming,
)
from mysingle.testing.identity import ALICE

__all__ = ["VALUES"]

_IDS: dict[str, tuple[str, str | bytes]] = {
    "A12-id-23": ("of 23 digits", ALICE[:-1]),
    "A12-id-25": ("of 25 digits", ALICE + "0"),
    "A12-id-empty": ("that is empty", ""),
    "A12-id-no-hex": ("with letters beyond f", "z" * 24),
    "A12-id-12-bytes": ("of twelve raw bytes", b"\xff" * 12),
    "A12-id-operator-name": ("that is the name of an operator", "$ne"),
    "A12-id-operator": ("that is an operator of the database", '{"$gt":""}'),
    "A12-id-full-width": ("in full-width digits", "\N{FULLWIDTH DIGIT ONE}" * 24),
    "A12-id-arabic": ("in Arabic digits", "\N{ARABIC-INDIC DIGIT ONE}" * 24),
    "A12-id-nbsp": ("with a no-break space in front", b"\xa0" + ALICE.encode()),
    "A12-id-next-line": ("with a C1 control behind it", ALICE.encode() + b"\x85"),
    "A12-id-prefixed": ("with 0x in front", f"0x{ALICE}"),
    "A12-id-uuid": ("that is a UUID", "a11ce000-0000-4000-8000-000000000001"),
    "A12-id-path": ("that is a path", "../../admin"),
    "A12-id-null": ("that is the word null", "null"),
    "A12-id-space-inside": ("with a space inside", f"{ALICE[:12]} {ALICE[12:]}"),
    "A12-id-escaped": ("with an escaped digit", "%61" + ALICE[1:]),
    "A12-id-comma": ("with a comma behind it", f"{ALICE},"),
    "A12-id-list": ("that is a list", f'["{ALICE}"]'),
    "A12-id-2-kib": ("of 2 KiB", "a" * 2048),
    "A15-id-latin": ("with an accent", "à" + ALICE[1:]),
    "A15-id-zero-width": ("with a zero-width space", f"{ALICE}\N{ZERO WIDTH SPACE}"),
}
_BOOLEANS: dict[str, str | bytes] = {
    "capitals": "TRUE",
    "capital": "True",
    "one": "1",
    "yes": "yes",
    "on": "on",
    "empty": "",
    "letter": "t",
    "joined": "true,true",
    "spaced": "tr ue",
    "quoted": '"true"',
    "full-width": "\N{FULLWIDTH LATIN SMALL LETTER T}rue",
    "nbsp": b"\xa0true\x85",
}
_OTHERS: dict[str, tuple[str, Header]] = {
    "A17-active-empty": ("says nothing where it says whether he is active", (ACTIVE, "")),
    "A17-active-number": ("says 0 where it says whether he is active", (ACTIVE, "0")),
    "A17-verified-shouting": ("says FALSE where it says whether his address is verified", (VERIFIED, "FALSE")),
    "A17-verified-no": ("says no where it says whether his address is verified", (VERIFIED, "no")),
    "A09-roles-capitals": ("sends a role in capitals", (ROLES, "Admin")),
    "A09-roles-space": ("sends a role with a space", (ROLES, "super user")),
    "A09-roles-empty-one": ("sends an empty role between two", (ROLES, "user,,admin")),
    "A09-roles-semicolon": ("separates roles by semicolons", (ROLES, "user;admin")),
    "A09-roles-wildcard": ("sends a wildcard as a role", (ROLES, "*")),
    "A09-roles-json": ("sends the roles as JSON", (ROLES, '["admin"]')),
    "A09-roles-65": ("sends 65 roles", (ROLES, ",".join(f"r{number}" for number in range(65)))),
    "A09-roles-long": ("sends a role of 65 letters", (ROLES, "r" * 65)),
    "A09-roles-unicode": ("sends a role beyond ASCII", (ROLES, "\N{CYRILLIC SMALL LETTER A}dmin")),
    "A09-session-empty": ("sends an empty session", (SESSION, "")),
    "A09-session-long": ("sends a session of 65 characters", (SESSION, "s" * 65)),
    "A09-session-space": ("sends a session with a space", (SESSION, "s 1")),
    "A09-session-glob": ("sends a wildcard as the session", (SESSION, "*")),
    "A09-email-2-kib": ("sends an address of 2 KiB", (EMAIL, "a" * 2040 + "@x.com")),
}
_EMAILS: dict[str, str | bytes] = {
    "A15-email-emoji": "\N{PILE OF POO}@x.com",
    "A15-email-latin": b"caf\xe9@x.com",
    "A15-email-none": "nobody",
    "A15-email-two": "a@b@c",
    "A15-email-space": "a b@x.com",
    "A15-email-name": "Admin <admin@x.com>",
    "A15-email-empty": "",
    "A15-email-full-width": "a\N{FULLWIDTH COMMERCIAL AT}x.com",
}
_ANONYMOUS: dict[str, list[Header]] = {
    "A08-anonymous": [("X-Anonymous-Consumer", "true")],
    "A08-anonymous-capitals": [("X-Anonymous-Consumer", "TRUE")],
    "A08-anonymous-twice": [("X-Anonymous-Consumer", "true"), ("X-Anonymous-Consumer", "false")],
    "A08-anonymous-look-alike": [("X_Anonymous_Consumer", "true")],
}


def _signed(*headers: Header, beside: list[Header] | None = None) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*forge.signed(headers), *(beside or ()))


def _signed_row(name: str, does: str, headers: list[Header], expected: Expected) -> Attack:
    return attack(name, does, _signed(*headers), expected, needs=[Need.HMAC])


VALUES: tuple[Attack, ...] = (
    *(
        _signed_row(name, f"has an id vouched for {what}", claiming(value), malformed())
        for name, (what, value) in _IDS.items()
    ),
    *(
        _signed_row(
            f"A17-superuser-{name}",
            f"has {value!r} vouched for as true",
            [(USER_ID, ALICE), (SUPERUSER, value)],
            malformed(),
        )
        for name, value in _BOOLEANS.items()
    ),
    *(_signed_row(name, does, [(USER_ID, ALICE), header], malformed()) for name, (does, header) in _OTHERS.items()),
    *(
        _signed_row(
            name,
            f"has {value!r} vouched for as an address",
            [(USER_ID, ALICE), (EMAIL, value)],
            let_in(user=ALICE, email=None),
        )
        for name, value in _EMAILS.items()
    ),
    *(
        attack(
            name,
            "is anonymous at the gateway, with claims",
            _signed(*claiming(), beside=headers),
            refused("AUTH_REQUIRED"),
            needs=[Need.HMAC],
        )
        for name, headers in _ANONYMOUS.items()
    ),
    _signed_row(
        "A18-inactive",
        "has an account that is not active",
        claiming(active="false"),
        refused("USER_INACTIVE", status=403),
    ),
    _signed_row(
        "A18-inactive-superuser",
        "has an account that is not active, with every right",
        claiming(active="false", superuser="true", roles="admin"),
        refused("USER_INACTIVE", status=403),
    ),
    _signed_row(
        "A19-unverified",
        "has an address that is not verified",
        claiming(verified="false"),
        refused("EMAIL_NOT_VERIFIED", status=403),
    ),
    _signed_row(
        "A27-role-is-no-flag",
        "has a role that is called superuser",
        claiming(roles="superuser,admin"),
        let_in(user=ALICE, is_superuser=False, roles=["admin", "superuser"]),
    ),
)
