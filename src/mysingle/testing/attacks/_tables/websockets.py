"""WebSockets: the same rules as for HTTP, decided before the handshake ends."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in, refused, refused_handshake
from mysingle.testing.attacks._forge import SUPERUSER, USER_ID, Forge, Header, claiming, replaced
from mysingle.testing.identity import ALICE, BOB

__all__ = ["WEBSOCKETS"]

Make = Callable[[Forge], list[Header]]

_ANYWHERE: dict[str, tuple[str, Make, str]] = {
    "A25-nobody": ("sends nothing about himself", lambda forge: [], "AUTH_REQUIRED"),
    "A25-claims": ("says who he is", lambda forge: claiming(superuser="true"), "GATEWAY_PROOF_MISSING"),
    "A25-two-ids": ("says that he is two", lambda forge: [*claiming(), *claiming(BOB)], "GATEWAY_PROOF_INVALID"),
    "A25-look-alike": ("sends a look-alike", lambda forge: [("X_User_Id", ALICE)], "GATEWAY_PROOF_INVALID"),
    "A25-consumer": ("is a consumer of the gateway", lambda forge: [("X-Consumer-Custom-ID", ALICE)], "AUTH_REQUIRED"),
    "A25-origin": ("comes from a page of ours", lambda forge: [("Origin", "http://test")], "AUTH_REQUIRED"),
    "A25-forwarded": (
        "says that he comes from the gateway's address",
        lambda forge: [*claiming(), ("X-Forwarded-For", "192.0.2.7")],
        "GATEWAY_PROOF_MISSING",
    ),
    "A25-preflight": (
        "adds the header of a preflight",
        lambda forge: [("Access-Control-Request-Method", "GET"), *claiming()],
        "GATEWAY_PROOF_MISSING",
    ),
}
_WITH_SIGNATURE: dict[str, tuple[str, Make, str]] = {
    "A25-zeros": (
        "sends a signature of zeros",
        lambda forge: replaced(forge.signed(), {"X-Gateway-Signature": "v1=" + "0" * 64}),
        "GATEWAY_PROOF_INVALID",
    ),
    "A25-flag": (
        "adds the superuser flag",
        lambda forge: [*forge.signed(), (SUPERUSER, "true")],
        "GATEWAY_PROOF_INVALID",
    ),
    "A25-old": ("uses a signature of 40 s ago", lambda forge: forge.signed(age=40), "GATEWAY_PROOF_EXPIRED"),
    "A25-service": (
        "uses a signature for another service",
        lambda forge: forge.signed(service="x"),
        "GATEWAY_PROOF_INVALID",
    ),
    "A25-method": ("uses the signature of a POST", lambda forge: forge.signed(method="POST"), "GATEWAY_PROOF_INVALID"),
    "A25-malformed": (
        "has an operator vouched for",
        lambda forge: forge.signed(claiming("$ne")),
        "GATEWAY_HEADER_MALFORMED",
    ),
    "A25-inactive": ("is not active", lambda forge: forge.signed(claiming(active="false")), "USER_INACTIVE"),
    "A25-unverified": ("is not verified", lambda forge: forge.signed(claiming(verified="false")), "EMAIL_NOT_VERIFIED"),
    "A25-anonymous": (
        "is anonymous at the gateway",
        lambda forge: [*forge.signed(), ("X-Anonymous-Consumer", "true")],
        "AUTH_REQUIRED",
    ),
}
_WITH_TOKEN: dict[str, tuple[str, Make, str]] = {
    "A25-token-none": (
        "has a token without a signature",
        lambda forge: [forge.bearer(forge.tokens.unsigned("none"))],
        "TOKEN_INVALID",
    ),
    "A25-token-forged": (
        "has a token of his own",
        lambda forge: [forge.bearer(forge.tokens.by_stranger())],
        "TOKEN_INVALID",
    ),
    "A25-token-expired": (
        "has an old token",
        lambda forge: [forge.bearer(forge.tokens.good(exp=forge.now - 60))],
        "TOKEN_EXPIRED",
    ),
    "A25-token-type": (
        "has a token of another class",
        lambda forge: [forge.bearer(forge.tokens.with_header(typ="service+jwt"))],
        "TOKEN_WRONG_TYPE",
    ),
    "A25-token-mismatch": (
        "has a token, and is somebody else",
        lambda forge: [forge.bearer(forge.tokens.good()), (USER_ID, BOB)],
        "IDENTITY_MISMATCH",
    ),
    "A25-token-subprotocol": (
        "sends the token as a subprotocol",
        lambda forge: [("Sec-WebSocket-Protocol", f"bearer, {forge.tokens.good()}")],
        "AUTH_REQUIRED",
    ),
    "A25-token-cookie": (
        "sends the token in a cookie",
        lambda forge: [("Cookie", f"__Host-access={forge.tokens.good()}")],
        "AUTH_REQUIRED",
    ),
}


def _upgrade(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.upgrade(*make(forge))


def _replay(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [*forge.get(*headers), *forge.upgrade(*headers)]


def _twice(forge: Forge) -> list[bytes]:
    return forge.upgrade(*forge.signed()) * 2


def _row(
    name: str, does: str, send: Callable[[Forge], list[bytes]], *expected: Expected, needs: tuple[Need, ...] = ()
) -> Attack:
    return attack(name, f"opens a WebSocket, and {does}", send, *expected, needs=(Need.WEBSOCKET, *needs))


WEBSOCKETS: tuple[Attack, ...] = (
    attack(
        "A25-on-http-path",
        "opens a WebSocket where there is none, and says who he is",
        lambda forge: forge.upgrade(*claiming(superuser="true"), target=forge.path),
        refused_handshake("GATEWAY_PROOF_MISSING"),
    ),
    attack(
        "A25-upgrade-by-post",
        "asks for a WebSocket with a POST",
        lambda forge: [forge.request([("Upgrade", "websocket"), *claiming()], method="POST")],
        refused("GATEWAY_PROOF_MISSING"),
    ),
    *(_row(name, does, _upgrade(make), refused_handshake(code)) for name, (does, make, code) in _ANYWHERE.items()),
    *(
        _row(name, does, _upgrade(make), refused_handshake(code), needs=(Need.HMAC,))
        for name, (does, make, code) in _WITH_SIGNATURE.items()
    ),
    *(
        _row(name, does, _upgrade(make), refused_handshake(code), needs=(Need.JWT,))
        for name, (does, make, code) in _WITH_TOKEN.items()
    ),
    _row(
        "A25-token-query",
        "sends the token in the query",
        lambda forge: forge.upgrade(target=f"{forge.websocket_path}?access_token={forge.tokens.good()}"),
        refused_handshake("AUTH_REQUIRED"),
        needs=(Need.JWT,),
    ),
    _row(
        "A25-replay-of-http",
        "uses the signature of a GET that was here",
        _replay,
        let_in(user=ALICE),
        refused_handshake("GATEWAY_PROOF_REPLAYED"),
        needs=(Need.HMAC,),
    ),
    _row(
        "A25-replay",
        "opens it again",
        _twice,
        let_in(status=101, user=ALICE),
        refused_handshake("GATEWAY_PROOF_REPLAYED"),
        needs=(Need.HMAC,),
    ),
    _row(
        "A25-wrong-secret",
        "guesses the secret",
        lambda forge: forge.upgrade(*claiming(), ("X-Gateway-Secret", "0" * 64)),
        refused_handshake("GATEWAY_PROOF_INVALID"),
        needs=(Need.SECRET,),
    ),
)
