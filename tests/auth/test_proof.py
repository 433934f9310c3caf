from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.nonces import NonceMemory
from mysingle._kernel.settings import CommonSettings
from mysingle.auth import AuthMiddleware
from mysingle.auth._headers import collect
from mysingle.auth._proof import AuthEvidence, CidrProof, HmacProof, canonical, sign

NOW = 1_795_391_029
ID = "507f1f77bcf86cd799439011"
KEY = "a-gateway-key-of-this-test-suite-only"
OTHER_KEY = "another-gateway-key-of-this-test-suite"
SECRET = "a-shared-secret-of-this-test-suite-only"
HMAC: dict[str, Any] = {"ENVIRONMENT": "production", "GATEWAY_HMAC_KEYS": KEY}
BY_SECRET: dict[str, Any] = {"ENVIRONMENT": "production", "GATEWAY_SHARED_SECRETS": f"{SECRET},{OTHER_KEY}"}
CIDR: dict[str, Any] = {"ENVIRONMENT": "production", "GATEWAY_CIDRS": "10.0.3.0/24, 2001:db8::/64"}
USER: dict[str, str | bytes] = {"X-User-Id": ID}
EVERYTHING: dict[str, str | bytes] = {
    "X-User-Id": ID,
    "X-User-Email": "u@x.com",
    "X-User-Verified": "true",
    "X-User-Active": "true",
    "X-User-Superuser": "false",
    "X-User-Roles": "user,trader",
    "X-Session-Id": "s1",
}
VECTOR = b"v1=8b769869b2887413527c03bcb04df3a70ce2ae65e59f53d3b58fef69f8fc0052"


def test_vector() -> None:
    """The signature of the published example is the published signature."""
    message = canonical(
        timestamp=b"1795391029",
        nonce=b"ab" * 16,
        service_name=b"strategy-service",
        method=b"GET",
        identity=[value.encode() for value in EVERYTHING.values()],
    )

    assert sign(b"test-gateway-key-0123456789abcdef", message) == VECTOR


@pytest.mark.parametrize(
    ("environment", "code"), [("development", ""), ("production", "GATEWAY_PROOF_MISSING")], ids=["dev", "production"]
)
async def test_vector_key_is_no_secret(environment: str, code: str, make_service: Any, clock: Any) -> None:
    """A service that has the example's key believes the example's request, but not where the key would protect it."""
    values = {"ENVIRONMENT": environment, "GATEWAY_HMAC_KEYS": "test-gateway-key-0123456789abcdef"}
    service = make_service(options={"clock": clock, "service_name": "strategy-service"}, **values)
    proof = [("X-Gateway-Timestamp", str(NOW)), ("X-Gateway-Nonce", "ab" * 16), ("X-Gateway-Signature", VECTOR)]
    answer = await service.call([*EVERYTHING.items(), *proof])

    assert code == answer.code
    assert code or answer.user.roles == {"user", "trader"}


def without(name: str) -> Any:
    return lambda signed: [pair for pair in signed if pair[0] != name]


def changed(name: str, value: Any) -> Any:
    """Replace a header after the gateway has signed; a function makes the new value of the old one."""
    return lambda signed: [
        (key, value(old) if callable(value) else value) if key == name else (key, old) for key, old in signed
    ]


def more(*headers: tuple[str, str | bytes]) -> Any:
    return lambda signed: [*signed, *headers]


SIGNATURE, TIMESTAMP, NONCE = "X-Gateway-Signature", "X-Gateway-Timestamp", "X-Gateway-Nonce"
INVALID, MALFORMED, EXPIRED = "GATEWAY_PROOF_INVALID", "GATEWAY_HEADER_MALFORMED", "GATEWAY_PROOF_EXPIRED"
ATTACKS: list[tuple[str, dict[str, Any], Any, int, str]] = [
    # what, how the gateway signs, what happens to the request afterwards, status, code
    ("good", {}, None, 200, ""),
    ("A01 no proof at all", {}, lambda signed: signed[:1], 401, "GATEWAY_PROOF_MISSING"),
    ("A02 zeros", {}, changed(SIGNATURE, "v1=" + "0" * 64), 401, INVALID),
    ("A02 signature alone", {}, lambda signed: [*USER.items(), (SIGNATURE, "v1=" + "0" * 64)], 401, INVALID),
    ("A03 superuser added", {}, more(("X-User-Superuser", "true")), 401, INVALID),
    ("A03 roles added", {}, more(("X-User-Roles", "admin")), 401, INVALID),
    ("A03 id changed", {}, changed("X-User-Id", "f" * 24), 401, INVALID),
    ("A03 id in upper case", {}, changed("X-User-Id", ID.upper()), 401, INVALID),
    ("A03 empty header added", {}, more(("X-User-Email", "")), 200, ""),
    ("A04 other service", {"service": "your-service"}, None, 401, INVALID),
    ("other method", {"method": "POST"}, None, 401, INVALID),
    ("A05 30 s old", {"timestamp": str(NOW - 30)}, None, 200, ""),
    ("A05 30 s ahead", {"timestamp": str(NOW + 30)}, None, 200, ""),
    ("A05 31 s old", {"timestamp": str(NOW - 31)}, None, 401, EXPIRED),
    ("A05 31 s ahead", {"timestamp": str(NOW + 31)}, None, 401, EXPIRED),
    ("A05 40 digits", {"timestamp": "1" * 40}, None, 401, EXPIRED),
    ("A05 65 digits", {"timestamp": "1" * 65}, None, 401, INVALID),
    ("A05 negative", {"timestamp": "-1"}, None, 401, INVALID),
    ("A05 exponent", {"timestamp": "1e9"}, None, 401, INVALID),
    ("A05 empty", {"timestamp": ""}, None, 401, INVALID),
    ("A05 fraction", {"timestamp": f"{NOW}.0"}, None, 401, INVALID),
    ("A05 spaces", {}, changed(TIMESTAMP, f" {NOW}"), 401, INVALID),
    ("A05 underscore", {}, changed(TIMESTAMP, "1_795391029"), 401, INVALID),
    ("A05 other digits", {}, changed(TIMESTAMP, "\N{ARABIC-INDIC DIGIT ONE}".encode()), 401, INVALID),
    ("A05 no timestamp", {}, without(TIMESTAMP), 401, INVALID),
    ("A05 changed timestamp", {}, changed(TIMESTAMP, str(NOW - 1)), 401, INVALID),
    ("no nonce", {}, without(NONCE), 401, INVALID),
    ("short nonce", {"nonce": "a"}, None, 401, INVALID),
    ("long nonce", {"nonce": "a" * 65}, None, 401, INVALID),
    ("changed nonce", {}, changed(NONCE, "f" * 32), 401, INVALID),
    ("no signature", {}, without(SIGNATURE), 401, INVALID),
    ("A07 retired key", {"key": OTHER_KEY}, None, 401, INVALID),
    ("A08 upper case", {}, changed(SIGNATURE, lambda old: "v1=" + old[3:].upper()), 401, INVALID),
    ("A08 no version", {}, changed(SIGNATURE, lambda old: old[3:]), 401, INVALID),
    ("A08 other version", {}, changed(SIGNATURE, lambda old: "v2=" + old[3:]), 401, INVALID),
    ("signature with more", {}, changed(SIGNATURE, lambda old: old + "0"), 401, INVALID),
    ("signature of other bytes", {}, changed(SIGNATURE, b"v1=\xff"), 401, INVALID),
    ("empty signature", {}, changed(SIGNATURE, ""), 401, INVALID),
    ("A09 same id twice", {}, more(("X-User-Id", ID)), 401, INVALID),
    ("A09 other id", {}, more(("X-User-Id", "f" * 24)), 401, INVALID),
    ("A09 two signatures", {}, lambda signed: [*signed, signed[-1]], 401, INVALID),
    ("A09 look-alike", {}, more(("X_User_Id", "f" * 24)), 400, MALFORMED),
    ("look-alike of a proof header", {}, more(("X_Gateway_Nonce", "f" * 32)), 400, MALFORMED),
    ("look-alike, bad proof", {"key": OTHER_KEY}, more(("X_User_Id", "f" * 24)), 401, INVALID),
    ("look-alike, old proof", {"timestamp": "1"}, more(("X_User_Id", "f" * 24)), 401, INVALID),
    ("look-alike, no proof", {}, lambda signed: [*signed[:1], ("X_User_Id", "f" * 24)], 401, INVALID),
    ("101 headers", {}, more(*[(f"X-{number}", "a") for number in range(97)]), 400, MALFORMED),
    ("100 headers", {}, more(*[(f"X-{number}", "a") for number in range(96)]), 200, ""),
    ("A18 inactive", {"identity": {**USER, "X-User-Active": "false"}}, None, 403, "USER_INACTIVE"),
    ("anonymous", {}, more(("X-Anonymous-Consumer", "true")), 401, "AUTH_REQUIRED"),
    ("signed nobody", {"identity": {"X-Session-Id": "s"}}, None, 401, "AUTH_REQUIRED"),
    ("only proof", {}, lambda signed: signed[1:], 401, "AUTH_REQUIRED"),
]


@pytest.mark.parametrize(
    ("how", "then", "status", "code"), [row[1:] for row in ATTACKS], ids=[row[0] for row in ATTACKS]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_hmac(
    how: dict[str, Any], then: Any, status: int, code: str, kind: str, make_service: Any, gateway: Any, clock: Any
) -> None:
    """A signed request is believed as it was signed, here, now, once; anything else has its one answer."""
    signed = gateway.sign(how.get("identity", USER), **{key: value for key, value in how.items() if key != "identity"})
    service = make_service(options={"clock": clock}, **HMAC)
    answer = await service.call(then(signed) if then else signed, kind=kind)
    refused = [code] if code else []

    assert refused == answer.refused
    assert (answer.scope is not None) == (status == 200)
    if kind == "http":
        assert (status, code) == (answer.status, answer.code)
    elif code:
        assert answer.messages == [{"type": "websocket.close", "code": 1008, "reason": code}]


WITH_PROOF: list[tuple[str, dict[str, str | bytes], int, str]] = [
    # what the gateway itself has signed: the proof is valid, so what is wrong is the gateway's
    ("A10 joined", {"X-User-Id": f"{ID}, {ID}"}, 400, MALFORMED),
    ("A12 23 digits", {"X-User-Id": ID[1:]}, 400, MALFORMED),
    ("A12 25 digits", {"X-User-Id": ID + "0"}, 400, MALFORMED),
    ("A12 not hex", {"X-User-Id": "z" * 24}, 400, MALFORMED),
    ("A12 12 bytes", {"X-User-Id": b"\x01" * 12}, 400, MALFORMED),
    ("A12 operator", {"X-User-Id": "$ne"}, 400, MALFORMED),
    ("A12 document", {"X-User-Id": '{"$gt":""}'}, 400, MALFORMED),
    ("A12 full width", {"X-User-Id": ("\N{FULLWIDTH DIGIT ZERO}" * 24).encode()}, 400, MALFORMED),
    ("A12 NBSP", {"X-User-Id": b"\xa0" + ID.encode()}, 400, MALFORMED),
    ("A12 trailing tab", {"X-User-Id": ID + "\t"}, 200, ""),
    ("A12 trailing space", {"X-User-Id": ID + " "}, 200, ""),
    ("A12 long id", {"X-User-Id": "0" * 2000}, 400, MALFORMED),
    ("A13 upper case", {"X-User-Id": ID.upper()}, 200, ""),
    ("A15 latin-1 id", {"X-User-Id": b"\xe9" * 24}, 400, MALFORMED),
    ("A15 UTF-8 flag", {**USER, "X-User-Active": "tru\u00e9".encode()}, 400, MALFORMED),
    ("A15 emoji", {**USER, "X-User-Email": "\N{GRINNING FACE}@b.c".encode()}, 200, ""),
    *[
        (f"A17 {value!r}", {**USER, "X-User-Active": value}, 400, MALFORMED)
        for value in ("TRUE", "1", "yes", "tr ue", "\xa0true\x85")
    ],
    ("A17 padded", {**USER, "X-User-Active": " true "}, 200, ""),
    ("A19 not verified", {**USER, "X-User-Verified": "false"}, 200, ""),
    ("line feed moves fields", {**USER, "X-User-Email": "a\ntrue\ntrue\ntrue"}, 400, MALFORMED),
    ("A27 minimum", USER, 200, ""),
    ("everything", EVERYTHING, 200, ""),
]


@pytest.mark.parametrize(
    ("identity", "status", "code"), [row[1:] for row in WITH_PROOF], ids=[row[0] for row in WITH_PROOF]
)
async def test_signed_values(
    identity: Any, status: int, code: str, make_service: Any, gateway: Any, clock: Any
) -> None:
    """What the gateway has signed is believed in the exact form only; else the gateway is told, with a 400."""
    answer = await make_service(options={"clock": clock}, **HMAC).call(gateway.sign(identity))

    assert (status, code) == (answer.status, answer.code)
    if status == 200:
        assert answer.user.id == ID
        assert answer.evidence == AuthEvidence("gateway", "hmac", "1")


async def test_empty_flag(make_service: Any, gateway: Any, clock: Any) -> None:
    """A17: an empty flag is signed like an absent one, and it is no flag all the same."""
    signed = [*gateway.sign(USER), ("X-User-Active", "")]
    answer = await make_service(options={"clock": clock}, **HMAC).call(signed)

    assert (answer.status, answer.code) == (400, MALFORMED)


async def test_minimum(make_service: Any, gateway: Any, clock: Any) -> None:
    """A27: with the id alone the caller is verified, no superuser, and without an address."""
    answer = await make_service(options={"clock": clock}, **HMAC).call(gateway.sign(USER))

    assert (answer.user.is_verified, answer.user.is_superuser, answer.user.email) == (True, False, None)


async def test_replay(make_service: Any, gateway: Any, clock: Any) -> None:
    """A06: a signed request counts once, until it is too old to count at all."""
    service = make_service(options={"clock": clock}, **HMAC)
    signed = gateway.sign(USER)
    codes = [(await service.call(signed)).code]
    for later in (0, 30, 31):
        clock.now = NOW + later
        codes.append((await service.call(signed)).code)

    assert codes == ["", "GATEWAY_PROOF_REPLAYED", "GATEWAY_PROOF_REPLAYED", "GATEWAY_PROOF_EXPIRED"]


async def test_replay_after_refusal(make_service: Any, gateway: Any, clock: Any) -> None:
    """A forged request uses up nobody's nonce."""
    service = make_service(options={"clock": clock}, **HMAC)
    signed = gateway.sign(USER)
    forged = await service.call([*signed, ("X-User-Superuser", "true")])
    answer = await service.call(signed)

    assert (forged.code, answer.code) == (INVALID, "")


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_rotation(place: int, make_service: Any, gateway: Any, clock: Any) -> None:
    """A07: every configured key verifies, and the evidence says which one did."""
    keys = [f"gateway-key-number-{number}-of-this-suite" for number in range(3)]
    values = {"ENVIRONMENT": "production", "GATEWAY_HMAC_KEYS": ",".join(keys)}
    answer = await make_service(options={"clock": clock}, **values).call(gateway.sign(USER, key=keys[place]))

    assert answer.evidence == AuthEvidence("gateway", "hmac", str(place + 1))


SECRETS: list[tuple[str, list[tuple[str, str | bytes]], int, str]] = [
    ("right", [("X-Gateway-Secret", SECRET)], 200, ""),
    ("second", [("X-Gateway-Secret", OTHER_KEY)], 200, ""),
    ("A23 none", [], 401, "GATEWAY_PROOF_MISSING"),
    ("A23 wrong", [("X-Gateway-Secret", "x" * 39)], 401, INVALID),
    ("A23 prefix", [("X-Gateway-Secret", SECRET[:-1])], 401, INVALID),
    ("A23 longer", [("X-Gateway-Secret", SECRET + "y")], 401, INVALID),
    ("A23 empty", [("X-Gateway-Secret", "")], 401, INVALID),
    ("A23 twice", [("X-Gateway-Secret", SECRET)] * 2, 401, INVALID),
    ("A23 right and wrong", [("X-Gateway-Secret", "x"), ("X-Gateway-Secret", SECRET)], 401, INVALID),
    ("A23 other bytes", [("X-Gateway-Secret", b"\xff\xfe")], 401, INVALID),
    ("A23 both joined", [("X-Gateway-Secret", f"{SECRET},{OTHER_KEY}")], 401, INVALID),
    ("A09 id twice", [("X-Gateway-Secret", SECRET), ("X-User-Id", ID)], 400, MALFORMED),
    ("A09 id twice, no proof", [("X-User-Id", ID)], 401, INVALID),
    ("look-alike of the secret", [("X-Gateway-Secret", SECRET), ("X_Gateway_Secret", "x")], 400, MALFORMED),
]


@pytest.mark.parametrize(("headers", "status", "code"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS])
async def test_secret(headers: Any, status: int, code: str, make_service: Any) -> None:
    """The gateway's secret is right as a whole, once; whatever else stands in its header proves nothing."""
    answer = await make_service(**BY_SECRET).call([*USER.items(), *headers])

    assert (status, code) == (answer.status, answer.code)


async def test_secret_header_has_a_name(make_service: Any) -> None:
    """The header of the secret is the one that the settings name."""
    service = make_service(**BY_SECRET, GATEWAY_SECRET_HEADER="X-From-Kong")
    known = await service.call([*USER.items(), ("X-From-Kong", OTHER_KEY)])
    unknown = await service.call([*USER.items(), ("X-Gateway-Secret", SECRET)])

    assert known.evidence == AuthEvidence("gateway", "secret", "2")
    assert unknown.code == "GATEWAY_PROOF_MISSING"


CLIENTS: list[tuple[Any, bool]] = [
    (("10.0.3.7", 1), True),
    (("::ffff:10.0.3.7", 1), True),
    (("2001:db8::5", 1), True),
    (("10.0.4.7", 1), False),
    (("2001:db9::5", 1), False),
    (("testclient", 1), False),
    (("", 0), False),
    (None, False),
]


@pytest.mark.parametrize(("client", "believed"), CLIENTS, ids=[repr(row[0]) for row in CLIENTS])
async def test_cidr(client: Any, believed: bool, make_service: Any) -> None:
    """The address of the connection proves the gateway; a header that names another address does not."""
    service = make_service(**CIDR)
    answer = await service.call([*USER.items(), ("X-Forwarded-For", "10.0.3.7")], client=client)

    assert answer.code == ("" if believed else "GATEWAY_PROOF_MISSING")


@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("allowed", ["*", "127.0.0.1, *", "0.0.0.0/0", "::/0"])
async def test_cidr_without_addresses(environment: str, allowed: str, make_service: Any) -> None:
    """A24: where every client may choose its address, an address is no proof, in any environment."""
    service = make_service(**{**CIDR, "ENVIRONMENT": environment}, FORWARDED_ALLOW_IPS=allowed)
    answer = await service.call([*USER.items()], client=("10.0.3.7", 1))

    assert answer.code == "GATEWAY_PROOF_MISSING"


async def test_other_proof_beside_cidr(make_service: Any, gateway: Any, clock: Any) -> None:
    """Without a list, each proof with material counts: the address, or else the signature."""
    service = make_service(options={"clock": clock}, **{**CIDR, **HMAC})
    by_address = await service.call(USER.items(), client=("10.0.3.7", 1))
    by_signature = await service.call(gateway.sign(USER), client=("10.9.9.9", 1))
    by_nothing = await service.call(USER.items(), client=("10.9.9.9", 1))

    assert (by_address.evidence.proof, by_signature.evidence.proof) == ("cidr", "hmac")
    assert by_nothing.code == "GATEWAY_PROOF_MISSING"


async def test_first_proof_decides(make_service: Any, gateway: Any, clock: Any) -> None:
    """A proof that applies and is bad is not made good by another one."""
    service = make_service(options={"clock": clock}, **{**BY_SECRET, **HMAC})
    answer = await service.call([*gateway.sign(USER), ("X-Gateway-Secret", "wrong")])

    assert answer.code == INVALID


@pytest.mark.parametrize("trust", ["mtls", "network"])
async def test_constant_proof(trust: str, make_service: Any) -> None:
    """The operator's word vouches for every connection, and the evidence says whose word it was."""
    answer = await make_service(ENVIRONMENT="production", GATEWAY_TRUST=trust).call(USER.items())

    assert answer.evidence == AuthEvidence("gateway", trust)


async def test_only_listed_proofs_count(make_service: Any, gateway: Any, clock: Any) -> None:
    """With a list of proofs, the material of another one proves nothing."""
    service = make_service(options={"clock": clock}, **{**BY_SECRET, **HMAC}, GATEWAY_TRUST="secret")
    by_secret = await service.call([*USER.items(), ("X-Gateway-Secret", SECRET)])
    by_signature = await service.call(gateway.sign(USER))

    assert (by_secret.code, by_signature.code) == ("", "GATEWAY_PROOF_MISSING")


@pytest.mark.parametrize("environment", ["production", None], ids=["production", "unset"])
@pytest.mark.parametrize(
    "material",
    [
        {"GATEWAY_HMAC_KEYS": "short"},
        {"GATEWAY_HMAC_KEYS": "change-this-to-a-real-secret-of-32-bytes"},
        {"GATEWAY_SHARED_SECRETS": "CHANGEME-changeme-changeme-changeme-changeme"},
    ],
    ids=["short", "placeholder", "placeholder secret"],
)
async def test_unsafe_material_is_absent(
    environment: str | None, material: Any, make_service: Any, gateway: Any, clock: Any
) -> None:
    """A31: where production rules apply, a secret that everybody could know proves nothing."""
    values = {**material, **({"ENVIRONMENT": environment} if environment else {})}
    (secret,) = material.values()
    service = make_service(options={"clock": clock}, **values)
    answer = await service.call([*gateway.sign(USER, key=secret), ("X-Gateway-Secret", secret)])

    assert answer.code == "GATEWAY_PROOF_MISSING"


async def test_development_requires_what_is_configured(make_service: Any, gateway: Any, clock: Any) -> None:
    """Where some proof is configured it is required in development, too, short as its key may be."""
    service = make_service(options={"clock": clock}, ENVIRONMENT="development", GATEWAY_HMAC_KEYS="short")
    without = await service.call(USER.items())
    with_proof = await service.call(gateway.sign(USER, key="short"))

    assert (without.code, with_proof.code) == ("GATEWAY_PROOF_MISSING", "")


async def test_public_path_needs_proof_too(make_service: Any, gateway: Any, clock: Any) -> None:
    """On a public path a caller is known by proof only, and unproven headers are taken away."""
    service = make_service(options={"clock": clock, "public_paths": ["/open"]}, **HMAC)
    known = await service.call(gateway.sign(USER), "/open")
    spoofed = await service.call([*USER.items(), ("X-User-Superuser", "true")], "/open")

    assert known.user.id == ID
    assert (spoofed.user, spoofed.evidence, spoofed.seen_headers) == (None, None, {})


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_inherited_evidence(kind: str, make_service: Any) -> None:
    """Evidence that somebody else put into the state does not count."""
    forged = {"auth": AuthEvidence("gateway", "hmac", "1")}
    answer = await make_service(options={"public_paths": ["/open"]}, **HMAC).call(path="/open", kind=kind, state=forged)

    assert answer.evidence is None


def test_address_of_nobody() -> None:
    """What is no address is inside of no network."""
    proof = CidrProof([ip_network("0.0.0.0/0"), ip_network("::/0")])

    assert proof.check({"client": ("not an address", 1)}, collect({"headers": []})) is None


def test_memory_forgets_whole_seconds() -> None:
    """A full memory forgets its oldest second, and lets no request of that second in again."""
    memory = NonceMemory(size=3, window_seconds=30)
    added = [memory.add(b"%d" % number, 100 + number, 100) for number in range(4)]

    assert added == [True] * 4
    assert len(memory) == 3
    assert [memory.has_forgotten(second) for second in (99, 100, 101)] == [True, True, False]
    assert not memory.add(b"3", 103, 100)


def test_memory_of_one_second() -> None:
    """A second with more requests than the memory holds ends early instead of letting replays in."""
    memory = NonceMemory(size=2, window_seconds=30)
    added = [memory.add(b"%d" % number, 100, 100) for number in range(3)]

    assert added == [True] * 3
    assert memory.has_forgotten(100)


def test_memory_drops_the_past() -> None:
    """What is too old to be believed takes no place."""
    memory = NonceMemory(size=100, window_seconds=30)
    for second in range(100, 200):
        memory.add(b"a", second, second)

    assert len(memory) == 31


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3), st.integers(0, 8)), max_size=60))
def test_memory_never_lets_a_replay_in(steps: list[tuple[int, int, int]]) -> None:
    """However many signatures come, in whatever order, none counts twice while it is not too old."""
    memory, now, believed = NonceMemory(size=4, window_seconds=3), 100, set()
    for pause, ahead, number in steps:
        now += pause
        second, nonce = now + ahead, b"%d" % number
        if memory.has_forgotten(second):
            continue
        is_new = memory.add(nonce, second, now)

        assert not (is_new and (second, nonce) in believed)
        believed.add((second, nonce))
        assert len(memory) <= 4


names = st.sampled_from(
    b"x-user-id x_user_id x-user-email x-user-superuser x-session-id x-gateway-signature x-gateway-timestamp "
    b"x-gateway-nonce x_gateway_nonce x-gateway-secret authorization x-anonymous-consumer accept".split()
)
values = st.binary(max_size=80) | st.sampled_from(
    [ID.encode(), str(NOW).encode(), b"ab" * 16, b"v1=" + b"0" * 64, SECRET.encode()[:-1], b"Bearer a.b.c", b"true"]
)
DOCUMENTED = {
    "AUTH_REQUIRED",
    "GATEWAY_PROOF_MISSING",
    "GATEWAY_PROOF_INVALID",
    "GATEWAY_PROOF_EXPIRED",
}


@given(headers=st.lists(st.tuples(names, values), max_size=12), kind=st.sampled_from(["http", "websocket"]))
async def test_any_proof(headers: list[tuple[bytes, bytes]], kind: str) -> None:
    """Whatever stands in the headers, whoever has no key gets a documented 401 and never reaches the app."""
    sent: list[Any] = []
    refused: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope["state"])

    async def send(message: Any) -> None:
        sent.append(message)

    settings = CommonSettings(_env_file=None, **{**BY_SECRET, **HMAC})
    middleware = AuthMiddleware(app, settings=settings, on_refused=refused.append, clock=lambda: NOW)
    await middleware({"type": kind, "path": "/", "method": "GET", "headers": headers}, None, send)

    assert set(refused) <= DOCUMENTED
    assert sent[0].get("status", sent[0].get("code")) in (401, 1008)


def test_every_key_signs(clock: Any) -> None:
    """A message is compared with every key, and the one that signed it is named by its place."""
    keys = [b"%032d" % number for number in range(3)]
    proof = HmacProof(keys, service_name="s", max_skew_seconds=30, memory=8, clock=clock)
    message = canonical(timestamp=b"1", nonce=b"n" * 8, service_name=b"s", method=b"GET", identity=[b""] * 7)

    assert [proof._signer(message, sign(key, message)).key_id for key in keys] == ["1", "2", "3"]
