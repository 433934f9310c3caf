"""No attacks: what has to get through, so that a service that refuses everybody does not pass; and open paths."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in
from mysingle.testing.attacks._forge import Forge, Header, claiming
from mysingle.testing.identity import ALICE

__all__ = ["CONTROLS"]

_NOBODY = let_in(user=None, headers=[])

Make = Callable[[Forge], list[Header]]

_SIGNED: dict[str, tuple[str, Make, Expected]] = {
    "control-signed": ("is signed", lambda forge: forge.signed(), let_in(user=ALICE, proof="hmac", key="1")),
    "A07-second-key": (
        "is signed with the second key",
        lambda forge: forge.signed(key=forge.keys.hmac[1]),
        let_in(user=ALICE, proof="hmac", key="2"),
    ),
    "A13-capitals": (
        "has an id in capitals",
        lambda forge: forge.signed(claiming(ALICE.upper())),
        let_in(user=ALICE),
    ),
    "A27-id-alone": (
        "has an id and nothing else",
        lambda forge: forge.signed(claiming()),
        let_in(user=ALICE, email=None, is_verified=True, is_superuser=False, roles=[], session=None),
    ),
    "control-rights": (
        "has every right",
        lambda forge: forge.signed(
            claiming(email="u@x.com", verified="true", active="true", superuser="true", roles="a,b", session="s1")
        ),
        let_in(user=ALICE, email="u@x.com", is_superuser=True, roles=["a", "b"], session="s1"),
    ),
    "control-20-s-old": ("is 20 s old", lambda forge: forge.signed(age=20), let_in(user=ALICE)),
    "A12-trailing-space": (
        "has a space behind the id",
        lambda forge: [(name, f"{value!s} " if value == ALICE else value) for name, value in forge.signed()],
        let_in(user=ALICE),
    ),
}
_TOKENS: dict[str, tuple[str, Make, Expected]] = {
    "control-token": (
        "has a token",
        lambda forge: [forge.bearer(forge.tokens.good())],
        let_in(user=ALICE, proof="jwt", is_superuser=False),
    ),
    "control-token-and-id": (
        "has a token and the same id",
        lambda forge: [forge.bearer(forge.tokens.good()), *claiming()],
        let_in(user=ALICE, proof="jwt", headers=[]),
    ),
    "control-token-rights": (
        "has a token with every right",
        lambda forge: [forge.bearer(forge.tokens.good(su=True, roles=["a"], email="u@x.com"))],
        let_in(user=ALICE, is_superuser=True, roles=["a"], email="u@x.com"),
    ),
    "control-token-small-scheme": (
        "has a token, with the scheme in small letters",
        lambda forge: [("authorization", f"bearer {forge.tokens.good()}")],
        let_in(user=ALICE),
    ),
}
_PUBLIC: dict[str, tuple[str, Make]] = {
    "public-nobody": ("nothing", lambda forge: []),
    "public-claims": ("claims", lambda forge: claiming(superuser="true", roles="admin")),
    "public-look-alike": ("a look-alike", lambda forge: [("X_User_Id", ALICE)]),
    "public-two-ids": ("two ids", lambda forge: [*claiming(), *claiming()]),
    "public-bad-signature": ("a bad signature", lambda forge: forge.signed(key="0" * 64)),
    "public-bad-token": ("a bad token", lambda forge: [forge.bearer(forge.tokens.by_stranger())]),
    "public-wrong-secret": ("a wrong secret", lambda forge: [*claiming(), ("X-Gateway-Secret", "0" * 64)]),
}


def _get(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*make(forge))


def _get_twice(forge: Forge) -> list[bytes]:
    return forge.get(forge.bearer(forge.tokens.good())) * 2


def _get_public(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*make(forge), target=forge.public_path)


def _upgrade(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.upgrade(*make(forge))


CONTROLS: tuple[Attack, ...] = (
    *(
        attack(name, f"{does}, and gets in", _get(make), expected, needs=[Need.HMAC])
        for name, (does, make, expected) in _SIGNED.items()
    ),
    *(
        attack(name, f"{does}, and gets in", _get(make), expected, needs=[Need.JWT])
        for name, (does, make, expected) in _TOKENS.items()
    ),
    attack(
        "control-token-again",
        "uses a token twice, and gets in twice",
        _get_twice,
        *[let_in(user=ALICE)] * 2,
        needs=[Need.JWT],
    ),
    attack(
        "control-secret",
        "has the secret of the gateway, and gets in",
        _get(lambda forge: forge.vouched(*claiming())),
        let_in(user=ALICE, proof="secret"),
        needs=[Need.SECRET],
    ),
    attack(
        "control-websocket-signed",
        "opens a signed WebSocket",
        _upgrade(lambda forge: forge.signed()),
        let_in(status=101, user=ALICE, proof="hmac"),
        needs=[Need.HMAC, Need.WEBSOCKET],
    ),
    attack(
        "control-websocket-token",
        "opens a WebSocket with a token",
        _upgrade(lambda forge: [forge.bearer(forge.tokens.good())]),
        let_in(status=101, user=ALICE, proof="jwt"),
        needs=[Need.JWT, Need.WEBSOCKET],
    ),
    *(
        attack(
            name,
            f"calls a public path with {what}, and is nobody there",
            _get_public(make),
            _NOBODY,
            needs=[Need.PUBLIC],
        )
        for name, (what, make) in _PUBLIC.items()
    ),
    attack(
        "public-signed",
        "calls a public path with a signature, and is known there",
        _get_public(lambda forge: forge.signed()),
        let_in(user=ALICE),
        needs=[Need.PUBLIC, Need.HMAC],
    ),
)
