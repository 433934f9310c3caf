"""The `hmac` proof: a signature counts for these values, this service, this method, now, and once."""

from base64 import b64encode
from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, let_in, malformed, refused
from mysingle.testing.attacks._forge import (
    ACTIVE,
    EMAIL,
    NONCE,
    ROLES,
    SESSION,
    SIGNATURE,
    SUPERUSER,
    TIMESTAMP,
    USER_ID,
    VERIFIED,
    Forge,
    Header,
    claiming,
    replaced,
    without,
)
from mysingle.testing.identity import ALICE, BOB

__all__ = ["SIGNATURES"]

_INVALID = refused("GATEWAY_PROOF_INVALID")
_EXPIRED = refused("GATEWAY_PROOF_EXPIRED")
_REPLAYED = refused("GATEWAY_PROOF_REPLAYED")
_PUBLISHED_KEY = "test-gateway-key-0123456789abcdef"  # it stands in the documentation
_PERSON = claiming(email="u@x.com", verified="true", active="true", superuser="false", roles="user", session="s1")

Change = Callable[[list[Header], Forge], list[Header]]


def _value(name: str, value: str) -> Change:
    return lambda headers, forge: replaced(headers, {name: value})


def _signature(change: Callable[[str], str]) -> Change:
    def apply(headers: list[Header], forge: Forge) -> list[Header]:
        return [(name, change(str(value)) if name == SIGNATURE else value) for name, value in headers]

    return apply


def _also(*more: Header) -> Change:
    return lambda headers, forge: [*headers, *more]


def _base64(signature: str) -> str:
    return "v1=" + b64encode(bytes.fromhex(signature.removeprefix("v1="))).decode()


_CHANGED: dict[str, tuple[str, Change]] = {
    "A02-zeros": ("sends a signature of zeros", _signature(lambda text: "v1=" + "0" * 64)),
    "A02-empty": ("sends an empty signature", _signature(lambda text: "")),
    "A02-version-only": ("sends the version of a signature and nothing else", _signature(lambda text: "v1=")),
    "A02-half": ("sends the first half of the signature", _signature(lambda text: text[:35])),
    "A02-one-bit": (
        "changes the last digit of the signature",
        _signature(lambda text: text[:-1] + "fedcba9876543210"[int(text[-1], 16)]),
    ),
    "A03-superuser": ("makes himself a superuser after signing", _value(SUPERUSER, "true")),
    "A03-id": ("becomes somebody else after signing", _value(USER_ID, BOB)),
    "A03-id-letter-case": ("writes the signed id in capitals", _value(USER_ID, ALICE.upper())),
    "A03-email": ("changes the address after signing", _value(EMAIL, "admin@x.com")),
    "A03-roles": ("changes the roles after signing", _value(ROLES, "user,admin")),
    "A03-session": ("changes the session after signing", _value(SESSION, "s2")),
    "A03-verified": ("takes a signed flag away", lambda headers, forge: without(headers, VERIFIED)),
    "A03-active": ("changes whether he is active", _value(ACTIVE, "false")),
    "A03-superuser-removed": ("takes the superuser flag away", lambda headers, forge: without(headers, SUPERUSER)),
    "A03-shifted": (
        "moves a signed value to the next header",
        lambda headers, forge: [
            (SESSION if name == ROLES else name, value) for name, value in without(headers, SESSION)
        ],
    ),
    "A05-timestamp-changed": (
        "makes a signature younger",
        lambda headers, forge: replaced(headers, {TIMESTAMP: str(forge.now - 1)}),
    ),
    "A05-no-timestamp": ("leaves the timestamp out", lambda headers, forge: without(headers, TIMESTAMP)),
    "A06-no-nonce": ("leaves the nonce out", lambda headers, forge: without(headers, NONCE)),
    "A06-nonce-changed": ("changes the nonce, to be new", _value(NONCE, "0" * 32)),
    "A06-nonce-empty": ("sends an empty nonce", _value(NONCE, "")),
    "A08-no-signature": ("leaves the signature out", lambda headers, forge: without(headers, SIGNATURE)),
    "A08-capitals": ("writes the signature in capitals", _signature(lambda text: "v1=" + text[3:].upper())),
    "A08-no-version": ("leaves the version of the signature out", _signature(lambda text: text[3:])),
    "A08-next-version": ("says that the signature is of the next version", _signature(lambda text: "v2=" + text[3:])),
    "A08-capital-version": ("writes the version in capitals", _signature(lambda text: "V1=" + text[3:])),
    "A08-base64": ("writes the signature in base64", _signature(_base64)),
    "A08-tail": ("adds bytes to the signature", _signature(lambda text: text + "00")),
    "A08-two-in-one": ("sends two signatures in one header", _signature(lambda text: f"{text}, {text}")),
    "A09-two-signatures": ("sends a second signature", _also((SIGNATURE, "v1=" + "0" * 64))),
    "A09-two-timestamps": ("sends a second timestamp", _also((TIMESTAMP, "1"))),
    "A09-two-nonces": ("sends a second nonce", _also((NONCE, "f" * 32))),
    "A09-second-id": ("adds a second id behind the signed one", _also((USER_ID, BOB))),
    "A09-second-id-first": (
        "puts a second id before the signed one",
        lambda headers, forge: [(USER_ID, BOB), *headers],
    ),
    "A09-second-flag": ("adds a second superuser flag", _also((SUPERUSER, "true"))),
}


def _changed(change: Change) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*change(forge.signed(_PERSON), forge))


_SIGNED: dict[str, tuple[str, Callable[[Forge], list[Header]], Expected]] = {
    "A04-other-service": (
        "uses a signature for another service",
        lambda forge: forge.signed(service=f"{forge.service_name}-2"),
        _INVALID,
    ),
    "A04-no-service": ("uses a signature for no service", lambda forge: forge.signed(service=""), _INVALID),
    "A04-prefix": (
        "uses a signature for a service with a shorter name",
        lambda forge: forge.signed(service=forge.service_name[:-1]),
        _INVALID,
    ),
    "A04-letter-case": (
        "uses a signature for the name in capitals",
        lambda forge: forge.signed(service=forge.service_name.upper()),
        _INVALID,
    ),
    "A04-method": ("uses the signature of a POST", lambda forge: forge.signed(method="POST"), _INVALID),
    "A04-method-letter-case": (
        "uses the signature of a method in small letters",
        lambda forge: forge.signed(method="get"),
        _INVALID,
    ),
    "A05-old": ("uses a signature of 40 s ago", lambda forge: forge.signed(age=40), _EXPIRED),
    "A05-future": ("uses a signature of a minute ahead", lambda forge: forge.signed(age=-60), _EXPIRED),
    "A05-epoch": ("uses a signature of 1970", lambda forge: forge.signed(timestamp="0"), _EXPIRED),
    "A05-milliseconds": (
        "uses a signature in milliseconds",
        lambda forge: forge.signed(timestamp=str(forge.now * 1000)),
        _EXPIRED,
    ),
    "A05-40-digits": ("uses a timestamp of 40 digits", lambda forge: forge.signed(timestamp="9" * 40), _EXPIRED),
    "A05-65-digits": ("uses a timestamp of 65 digits", lambda forge: forge.signed(timestamp="9" * 65), _INVALID),
    "A05-5000-digits": ("uses a timestamp of 5000 digits", lambda forge: forge.signed(timestamp="9" * 5000), _INVALID),
    "A05-negative": ("uses a negative timestamp", lambda forge: forge.signed(timestamp="-1"), _INVALID),
    "A05-signed": (
        "writes a plus before the timestamp",
        lambda forge: forge.signed(timestamp=f"+{forge.now}"),
        _INVALID,
    ),
    "A05-exponent": ("uses a timestamp with an exponent", lambda forge: forge.signed(timestamp="1e9"), _INVALID),
    "A05-decimal": ("uses a timestamp with a point", lambda forge: forge.signed(timestamp=f"{forge.now}.0"), _INVALID),
    "A05-hexadecimal": ("uses a hexadecimal timestamp", lambda forge: forge.signed(timestamp=hex(forge.now)), _INVALID),
    "A05-grouped": (
        "groups the digits of the timestamp",
        lambda forge: forge.signed(timestamp=f"{forge.now:_}"),
        _INVALID,
    ),
    "A05-arabic-digits": (
        "uses digits of another script",
        lambda forge: forge.signed(timestamp="".join(chr(0x660 + int(digit)) for digit in str(forge.now))),
        _INVALID,
    ),
    "A05-date": (
        "uses a date as the timestamp",
        lambda forge: forge.signed(timestamp="2026-11-01T00:00:00Z"),
        _INVALID,
    ),
    "A05-nan": ("uses no number as the timestamp", lambda forge: forge.signed(timestamp="NaN"), _INVALID),
    "A06-nonce-short": ("uses a nonce of 7 characters", lambda forge: forge.signed(nonce="1234567"), _INVALID),
    "A06-nonce-long": ("uses a nonce of 65 characters", lambda forge: forge.signed(nonce="1" * 65), _INVALID),
    "A06-nonce-space": ("uses a nonce with a space", lambda forge: forge.signed(nonce="1234 5678"), _INVALID),
    "A06-nonce-unicode": ("uses a nonce beyond ASCII", lambda forge: forge.signed(nonce="é" * 16), _INVALID),
    "A07-retired-key": (
        "signs with a key that is not used any more",
        lambda forge: forge.signed(key="retired" * 6),
        _INVALID,
    ),
    "A07-published-key": (
        "signs with the key of the documentation",
        lambda forge: forge.signed(key=_PUBLISHED_KEY),
        _INVALID,
    ),
    "A07-both-keys": (
        "signs with the whole list of keys",
        lambda forge: forge.signed(key=",".join(forge.keys.hmac)),
        _INVALID,
    ),
    "A07-other-secret": (
        "signs with the secret of another proof",
        lambda forge: forge.signed(key=forge.keys.secret),
        _INVALID,
    ),
    "A09-signature-look-alike": (
        "adds a look-alike of the signature",
        lambda forge: [*forge.signed(), ("X_Gateway_Signature", "v1=0")],
        malformed(),
    ),
    "A09-id-look-alike": (
        "adds a look-alike of the id behind a good signature",
        lambda forge: [*forge.signed(), ("X_User_Id", BOB)],
        malformed(),
    ),
    "A09-flag-look-alike": (
        "adds a look-alike of the superuser flag behind a good signature",
        lambda forge: [*forge.signed(), ("X-User_Superuser", "true")],
        malformed(),
    ),
    "A08-proof-of-nothing": (
        "sends a good signature for nobody",
        lambda forge: forge.signed([]),
        refused("AUTH_REQUIRED"),
    ),
}


def _signed(headers: Callable[[Forge], list[Header]]) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(*headers(forge))


def _replay(forge: Forge) -> list[bytes]:
    return forge.get(*forge.signed()) * 2


def _replay_reordered(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [*forge.get(*headers), *forge.get(*reversed(headers))]


def _replay_in_capitals(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [*forge.get(*headers), *forge.get(*((str(name).upper(), value) for name, value in headers))]


def _replay_with_query(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [*forge.get(*headers), *forge.get(*headers, target=f"{forge.path}?again=1")]


def _replay_as_post(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [*forge.get(*headers), forge.request(headers, method="POST")]


def _replay_on_one_connection(forge: Forge) -> list[bytes]:
    headers = forge.signed()
    return [forge.request(headers, closes=False) + forge.request(headers)]


SIGNATURES: tuple[Attack, ...] = (
    *(attack(name, does, _changed(change), _INVALID, needs=[Need.HMAC]) for name, (does, change) in _CHANGED.items()),
    *(
        attack(name, does, _signed(headers), expected, needs=[Need.HMAC])
        for name, (does, headers, expected) in _SIGNED.items()
    ),
    *(
        attack(name, does, send, let_in(user=ALICE), expected, needs=[Need.HMAC])
        for name, does, send, expected in (
            ("A06-replay", "sends the same request twice", _replay, _REPLAYED),
            ("A06-replay-reordered", "sends it again in another order", _replay_reordered, _REPLAYED),
            ("A06-replay-in-capitals", "sends it again in another case", _replay_in_capitals, _REPLAYED),
            ("A06-replay-with-query", "sends it again with another query", _replay_with_query, _REPLAYED),
            ("A06-replay-as-post", "sends it again as a POST", _replay_as_post, _INVALID),
            ("A06-replay-pipelined", "sends it twice in one go", _replay_on_one_connection, _REPLAYED),
        )
    ),
)
