"""The `jwt` proof: where a token may stand, and what may stand beside it."""

from base64 import b64encode
from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in, malformed, refused
from mysingle.testing.attacks._forge import ROLES, SUPERUSER, USER_ID, Forge, Header, claiming
from mysingle.testing.identity import ALICE, BOB

__all__ = ["BEARER"]

_NOBODY = refused("AUTH_REQUIRED")
_INVALID_TOKEN = refused("TOKEN_INVALID")
_INVALID_PROOF = refused("GATEWAY_PROOF_INVALID")

Place = Callable[[str], Header]


def _basic(token: str) -> str:
    return b64encode(f"{token}:".encode()).decode()


_PLACES: dict[str, tuple[str, Place]] = {
    "B18-cookie-access": ("in the cookie of the IAM service", lambda token: ("Cookie", f"__Host-access={token}")),
    "B18-cookie-access-token": ("in a cookie", lambda token: ("Cookie", f"access_token={token}")),
    "B18-cookie-jwt": ("in a cookie that is called jwt", lambda token: ("Cookie", f"jwt={token}")),
    "B18-cookie-authorization": (
        "in a cookie that is called Authorization",
        lambda token: ("Cookie", f"Authorization=Bearer {token}"),
    ),
    "B18-x-access-token": ("in X-Access-Token", lambda token: ("X-Access-Token", token)),
    "B18-x-id-token": ("in X-ID-Token", lambda token: ("X-ID-Token", token)),
    "B18-x-authorization": ("in X-Authorization", lambda token: ("X-Authorization", f"Bearer {token}")),
    "B18-forwarded": ("in X-Forwarded-Authorization", lambda token: ("X-Forwarded-Authorization", f"Bearer {token}")),
    "B18-original": ("in X-Original-Authorization", lambda token: ("X-Original-Authorization", f"Bearer {token}")),
    "B18-proxy": ("in Proxy-Authorization", lambda token: ("Proxy-Authorization", f"Bearer {token}")),
    "B18-jwt-header": ("in a header that is called JWT", lambda token: ("JWT", token)),
    "B18-refresh-header": ("in X-Refresh-Token", lambda token: ("X-Refresh-Token", token)),
    "B18-subprotocol": ("as a subprotocol", lambda token: ("Sec-WebSocket-Protocol", f"bearer, {token}")),
    "B18-no-scheme": ("without a scheme", lambda token: ("Authorization", token)),
    "B18-scheme-token": ("with the scheme Token", lambda token: ("Authorization", f"Token {token}")),
    "B18-scheme-jwt": ("with the scheme JWT", lambda token: ("Authorization", f"JWT {token}")),
    "B18-scheme-dpop": ("with the scheme DPoP", lambda token: ("Authorization", f"DPoP {token}")),
    "B18-scheme-basic": ("as the name of a basic login", lambda token: ("Authorization", f"Basic {_basic(token)}")),
    "B18-scheme-colon": ("with a colon behind the scheme", lambda token: ("Authorization", f"Bearer:{token}")),
    "B18-scheme-tab": ("with a tab behind the scheme", lambda token: ("Authorization", f"Bearer\t{token}")),
    "B18-scheme-look-alike": (
        "with a look-alike of the scheme",
        lambda token: ("Authorization", f"B\N{CYRILLIC SMALL LETTER IE}arer {token}"),
    ),
}
_FORMS: dict[str, tuple[str, Callable[[str], str]]] = {
    "B13-bearer-alone": ("sends the scheme without a token", lambda token: "Bearer"),
    "B13-bearer-twice": ("writes the scheme twice", lambda token: f"Bearer Bearer {token}"),
    "B13-quoted": ("puts the token into quotation marks", lambda token: f'Bearer "{token}"'),
    "B13-two-tokens": ("sends two tokens in one header", lambda token: f"Bearer {token}, Bearer {token}"),
    "B13-parameter": ("names the token as a parameter", lambda token: f"Bearer token={token}"),
    "B13-tail": ("adds a word behind the token", lambda token: f"Bearer {token} x"),
    "B13-line-tail": ("adds a comma behind the token", lambda token: f"Bearer {token},"),
    "B13-user-id": ("sends an id as the token", lambda token: f"Bearer {ALICE}"),
    "B13-null": ("sends the word null as the token", lambda token: "Bearer null"),
    "B13-undefined": ("sends the word undefined as the token", lambda token: "Bearer undefined"),
}


def _at(place: Place) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(place(forge.tokens.good()))


def _in_form(form: Callable[[str], str]) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(("Authorization", form(forge.tokens.good())))


def _in_query(name: str) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(target=f"{forge.path}?{name}={forge.tokens.good()}")


def _with_token(*headers: Header) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(forge.tokens.good()), *headers)


def _with_bad_token(*headers: Header) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(forge.tokens.by_stranger()), *headers)


def _body(forge: Forge) -> list[bytes]:
    body = f"access_token={forge.tokens.good()}".encode()
    form = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
    return [forge.request(form, body=body)]


_BESIDE: dict[str, tuple[str, Callable[[Forge], list[bytes]], Expected]] = {
    "A22-somebody-else": (
        "has a token, and says that he is somebody else",
        _with_token(*claiming(BOB)),
        refused("IDENTITY_MISMATCH"),
    ),
    "A22-somebody-else-superuser": (
        "has a token, and says that he is another, a superuser",
        _with_token(*claiming(BOB, superuser="true")),
        refused("IDENTITY_MISMATCH"),
    ),
    "A22-superuser": (
        "has a token, and says that he is a superuser",
        _with_token(*claiming(superuser="true")),
        let_in(user=ALICE, is_superuser=False, headers=[], proof="jwt"),
    ),
    "A22-superuser-alone": (
        "has a token, and sends the superuser flag alone",
        _with_token((SUPERUSER, "true")),
        let_in(user=ALICE, is_superuser=False, headers=[], proof="jwt"),
    ),
    "A22-roles": (
        "has a token, and sends roles",
        _with_token((ROLES, "admin")),
        let_in(user=ALICE, roles=[], headers=[], proof="jwt"),
    ),
    "A22-two-ids": ("has a token, and sends two ids", _with_token(*claiming(), *claiming(BOB)), malformed()),
    "A22-look-alike": ("has a token, and sends a look-alike", _with_token(("X_User_Id", BOB)), malformed()),
    "A22-bad-id": ("has a token, and sends an id that is none", _with_token((USER_ID, "$ne")), malformed()),
    "A22-bad-token-bad-id": (
        "has no good token, and sends an id that is none",
        _with_bad_token((USER_ID, "$ne")),
        _INVALID_PROOF,
    ),
    "A22-bad-token-claims": ("has a bad token, and says who he is", _with_bad_token(*claiming()), _INVALID_TOKEN),
    "A08-anonymous-with-token": (
        "is anonymous at the gateway, with a token",
        _with_token(("X-Anonymous-Consumer", "true")),
        _NOBODY,
    ),
    "B13-two-headers": (
        "sends the token in two headers",
        lambda forge: forge.get(*[forge.bearer(forge.tokens.good())] * 2),
        _INVALID_PROOF,
    ),
    "B13-bad-then-good": (
        "sends a bad token before a good one",
        lambda forge: forge.get(forge.bearer(forge.tokens.by_stranger()), forge.bearer(forge.tokens.good())),
        _INVALID_PROOF,
    ),
    "B13-good-then-bad": (
        "sends a bad token behind a good one",
        lambda forge: forge.get(forge.bearer(forge.tokens.good()), forge.bearer(forge.tokens.by_stranger())),
        _INVALID_PROOF,
    ),
    "B18-body": ("sends the token in a form", _body, _NOBODY),
}

BEARER: tuple[Attack, ...] = (
    *(
        attack(
            f"B18-query-{name}", f"sends the token in the query, as {name}", _in_query(name), _NOBODY, needs=[Need.JWT]
        )
        for name in ("access_token", "jwt", "token", "id_token", "authorization")
    ),
    *(
        attack(name, f"sends the token {where}", _at(place), _NOBODY, needs=[Need.JWT])
        for name, (where, place) in _PLACES.items()
    ),
    *(attack(name, does, _in_form(form), _INVALID_TOKEN, needs=[Need.JWT]) for name, (does, form) in _FORMS.items()),
    *(attack(name, does, send, expected, needs=[Need.JWT]) for name, (does, send, expected) in _BESIDE.items()),
    attack(
        "A22-token-and-signature-of-another",
        "sends his token with the signature for somebody else",
        lambda forge: forge.get(forge.bearer(forge.tokens.good(sub=BOB)), *forge.signed(age=3600)),
        refused("GATEWAY_PROOF_EXPIRED"),
        needs=[Need.JWT, Need.HMAC],
    ),
    attack(
        "A22-bad-signature-good-token",
        "sends a bad signature, and hopes that the token is enough",
        lambda forge: forge.get(forge.bearer(forge.tokens.good()), *forge.signed(key="0" * 64)),
        _INVALID_PROOF,
        needs=[Need.JWT, Need.HMAC],
    ),
)
