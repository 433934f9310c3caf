"""Claims that nobody vouches for: no proof of the gateway, so nobody is believed."""

from base64 import b64encode
from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Need, attack, let_in, refused
from mysingle.testing.attacks._forge import EMAIL, ROLES, SESSION, SUPERUSER, USER_ID, Forge, Header, claiming, sending
from mysingle.testing.identity import ALICE, BOB

__all__ = ["SPOOFING"]

_NOBODY = refused("AUTH_REQUIRED")
_UNPROVEN = refused("GATEWAY_PROOF_MISSING")
_STRANGER = refused("GATEWAY_PROOF_INVALID")

_CLAIMS: dict[str, tuple[str, list[Header]]] = {
    "A01-id": ("says who he is", claiming()),
    "A01-superuser": ("says that he is a superuser", claiming(superuser="true")),
    "A01-everything": (
        "sends every identity header",
        claiming(email="a@b.c", verified="true", active="true", superuser="true", roles="admin", session="s1"),
    ),
    "A01-superuser-alone": ("sends the superuser flag and no id", [(SUPERUSER, "true")]),
    "A01-roles-alone": ("sends roles and no id", [(ROLES, "admin")]),
    "A01-session-alone": ("sends a session and no id", [(SESSION, "s1")]),
    "A01-email-alone": ("sends an address and no id", [(EMAIL, "admin@example.com")]),
    "A01-letter-case": ("spells the header in another case", [("x-USER-iD", ALICE)]),
    "A01-hop-by-hop": ("names the header as one of the connection", [*claiming(), ("Connection", "X-User-Id")]),
    "A24-forwarded-for": (
        "says that he comes from the gateway's address",
        [*claiming(), ("X-Forwarded-For", "192.0.2.7")],
    ),
    "A24-forwarded-for-list": (
        "puts the gateway's address on both sides of his own",
        [*claiming(), ("X-Forwarded-For", "192.0.2.7, 203.0.113.9, 192.0.2.7")],
    ),
    "A24-forwarded": (
        "sends the standard header with the gateway's address",
        [*claiming(), ("Forwarded", "for=192.0.2.7")],
    ),
    "A24-real-ip": ("sends the gateway's address as X-Real-IP", [*claiming(), ("X-Real-IP", "192.0.2.7")]),
    "A24-client-ip": ("sends the gateway's address as Client-IP", [*claiming(), ("True-Client-IP", "192.0.2.7")]),
    "mtls-forwarded-certificate": (
        "says that a proxy has seen his certificate",
        [*claiming(), ("X-Forwarded-Client-Cert", 'By=spiffe://gateway;Subject="CN=gateway"')],
    ),
    "mtls-verified": ("says that his certificate was verified", [*claiming(), ("X-SSL-Client-Verify", "SUCCESS")]),
    "debug-switch": ("sends claims, and hopes for a debug switch", [*claiming(), ("X-Debug", "true")]),
    "internal-request": ("says that the request is an internal one", [*claiming(), ("X-Internal-Request", "true")]),
}

_STRANGE: dict[str, tuple[str, list[Header]]] = {
    "A09-two-ids": ("sends two ids", [*claiming(), *claiming(BOB)]),
    "A09-same-id-twice": ("sends one id twice", [*claiming(), *claiming()]),
    "A10-joined-ids": ("sends two ids in one header", claiming(f"{ALICE}, {BOB}")),
    "A09-look-alike": ("spells the header with underscores", [("X_User_Id", ALICE)]),
    "A09-half-look-alike": ("spells the header with one underscore", [("X-User_Id", ALICE)]),
    "A09-look-alike-beside": ("sends a look-alike beside the header", [*claiming(), ("x_user_superuser", "true")]),
    "A12-empty-id": ("sends an empty id", claiming("")),
    "A12-operator": ("sends a database operator as the id", claiming('{"$gt": ""}')),
    "A17-shouting": ("sends a boolean in capitals", claiming(superuser="TRUE")),
    "A15-emoji-id": ("sends an emoji as the id", claiming("\N{PILE OF POO}")),
}

_OTHER_NAMES = (
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-Consumer-Username",
    "X-Credential-Identifier",
    "X-Authenticated-Userid",
    "X-Authenticated-User",
    "X-Auth-Request-User",
    "X-Forwarded-User",
    "Remote-User",
    "X-Remote-User",
    "X-WebAuth-User",
    "X-User",
    "User-Id",
    "X-UserId",
    "X-Goog-Authenticated-User-Id",
    "X-MS-Client-Principal-Id",
    "X-Impersonate-User",
    "X-Original-User-Id",
)
"""Names under which other gateways and frameworks send the caller."""

_SWITCHES: dict[str, tuple[str, Header]] = {
    "A29-bypass-header": ("says that the bypass is on", ("X-Auth-Bypass", "1")),
    "A21-userinfo": (
        "sends what an OIDC plugin would send",
        ("X-Userinfo", b64encode(f'{{"sub":"{ALICE}","su":true}}'.encode()).decode()),
    ),
    "A21-groups": ("says that he is in the administrators' group", ("X-Consumer-Groups", "admin")),
    "override-url": ("asks to be taken for a call of an open path", ("X-Original-URL", "/health")),
    "override-rewrite": ("asks for a rewritten path", ("X-Rewrite-URL", "/health")),
    "override-prefix": ("says that the path has an open prefix", ("X-Forwarded-Prefix", "/health")),
    "override-method": ("asks to be taken for a preflight", ("X-HTTP-Method-Override", "OPTIONS")),
    "preflight-without-method": ("sends a GET that looks like a preflight", ("Access-Control-Request-Method", "GET")),
    "origin-of-ours": ("says that a page of ours has sent the request", ("Origin", "http://localhost")),
    "cookie-session": ("sends a session cookie", ("Cookie", f"session={ALICE}; user_id={ALICE}")),
    "basic-login": ("sends a name and a password", ("Authorization", "Basic YWRtaW46YWRtaW4=")),
    "empty-authorization": ("sends an empty Authorization header", ("Authorization", "")),
    "anonymous-consumer": ("says that he is no anonymous consumer", ("X-Anonymous-Consumer", "false")),
}


def _beside_signature(name: str) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*forge.signed(), (name, BOB))


def _on_public_path(name: str) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get((name, BOB), target=forge.public_path)


SPOOFING: tuple[Attack, ...] = (
    attack("A01-nobody", "sends nothing about himself", sending(), _NOBODY),
    *(attack(name, does, sending(*headers), _UNPROVEN) for name, (does, headers) in _CLAIMS.items()),
    *(attack(name, does, sending(*headers), _STRANGER) for name, (does, headers) in _STRANGE.items()),
    *(
        attack(f"A21-{name.lower()}", f"says who he is as {name}", sending((name, ALICE)), _NOBODY)
        for name in _OTHER_NAMES
    ),
    *(
        attack(
            f"A21-signed-{name.lower()}",
            f"is signed, and says that he is somebody else as {name}",
            _beside_signature(name),
            let_in(user=ALICE, is_superuser=False),
            needs=[Need.HMAC],
        )
        for name in _OTHER_NAMES
    ),
    *(
        attack(
            f"A21-public-{name.lower()}",
            f"calls a public path, and says who he is as {name}",
            _on_public_path(name),
            let_in(user=None),
            needs=[Need.PUBLIC],
        )
        for name in _OTHER_NAMES
    ),
    *(attack(name, does, sending(header), _NOBODY) for name, (does, header) in _SWITCHES.items()),
    attack(
        "A01-query-claims",
        "says who he is in the query",
        lambda forge: forge.get(target=f"{forge.path}?{USER_ID}={ALICE}&user_id={ALICE}"),
        _NOBODY,
    ),
)
