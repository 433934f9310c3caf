import base64
import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from mysingle._kernel.errors import UnauthenticatedError
from mysingle.auth import AuthEvidence, AuthUnavailableError, KeySet, ServiceTokenVerifier, TokenVerifier
from mysingle.auth._keys import VerificationKey
from mysingle.auth._tokens import ACCESS, SERVICE, make_access_verifier

NOW = 1_795_391_029
ISSUER = "https://iam.example"
ID = "507f1f77bcf86cd799439011"
OTHER = "f" * 24
INVALID, EXPIRED, EARLY, WRONG_TYPE = "TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID", "TOKEN_WRONG_TYPE"
CHALLENGE = 'Bearer realm="mysingle", error="invalid_token"'
ALGORITHMS = ("ES256", "RS256", "EdDSA")


def make_verifier(issuer: Any, clock: Any, *algorithms: str, **options: Any) -> TokenVerifier:
    algorithms = algorithms or ALGORITHMS
    keys = KeySet.from_jwks(issuer.jwks(*algorithms), algorithms)
    return TokenVerifier(keys=keys, algorithms=algorithms, issuer=ISSUER, audience="mysingle", clock=clock, **options)


def segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts(token: str) -> list[str]:
    return token.split(".")


def unsigned(issuer: Any, algorithm: str) -> str:
    header = {"typ": "at+jwt", "alg": algorithm, "kid": "k-ES256"}
    return f"{segment(json.dumps(header).encode())}.{segment(json.dumps(issuer.claims()).encode())}."


def by_public_key(issuer: Any, form: str) -> str:
    """MAC a token with what everybody knows: the public key."""
    key = issuer.key("ES256")
    forms = {
        "PEM": key.as_pem(private=False),
        "DER": key.as_der(private=False),
        "JWK": json.dumps(key.as_dict(private=False)).encode(),
    }
    header = {"typ": "at+jwt", "alg": "HS256", "kid": "k-ES256"}
    message = f"{segment(json.dumps(header).encode())}.{segment(json.dumps(issuer.claims()).encode())}"
    return f"{message}.{segment(hmac.digest(forms[form], message.encode(), 'sha256'))}"


def relabelled(issuer: Any, label: str) -> str:
    """Sign with the ES256 key, and say that it was another algorithm."""
    header = json.dumps({"typ": "at+jwt", "alg": label, "kid": "k-ES256"}).encode()
    return str(issuer.sign(header, json.dumps(issuer.claims()).encode(), "ES256"))


def with_header(issuer: Any, **header: Any) -> str:
    return str(issuer.token(header=header))


def with_payload(issuer: Any, payload: bytes) -> str:
    return str(issuer.raw_token(payload))


def twice(issuer: Any, name: str, value: str) -> str:
    """Spell a member of the payload twice, in an otherwise good token."""
    text = json.dumps(issuer.claims())
    return with_payload(issuer, f'{{"{name}": {value}, {text[1:]}'.encode())


def foreign(issuer: Any, **changed: Any) -> str:
    """Sign with a key of our own under the kid of the real one."""
    key = ECKey.generate_key("P-256")
    return str(issuer.raw_token(json.dumps(issuer.claims(**changed)).encode(), key=key))


TOKENS: list[tuple[str, Any, str]] = [
    # what, the token, the answer ("" is good)
    ("good", lambda i: i.token(), ""),
    ("RS256", lambda i: i.token("RS256"), ""),
    ("EdDSA", lambda i: i.token("EdDSA"), ""),
    ("B02 none", lambda i: unsigned(i, "none"), INVALID),
    ("B02 None", lambda i: unsigned(i, "None"), INVALID),
    ("B02 nOnE", lambda i: unsigned(i, "nOnE"), INVALID),
    ("B02 no signature", lambda i: i.token().rpartition(".")[0] + ".", INVALID),
    ("B02 two parts", lambda i: i.token().rpartition(".")[0], INVALID),
    ("B02 other signature", foreign, INVALID),
    ("B02 signature of zeros", lambda i: i.token().rpartition(".")[0] + "." + segment(bytes(64)), INVALID),
    ("B02 short signature", lambda i: i.token()[:-2], INVALID),
    ("B02 last bit", lambda i: last_bit(i.token()), INVALID),
    *[(f"B03 {form}", lambda i, form=form: by_public_key(i, form), INVALID) for form in ("PEM", "DER", "JWK")],
    *[(f"B04 as {name}", lambda i, name=name: relabelled(i, name), INVALID) for name in ("RS256", "EdDSA", "ES384")],
    ("B04 key of another algorithm", lambda i: with_header(i, kid="k-RS256"), INVALID),
    ("B05 31 s ago", lambda i: i.token(exp=NOW - 31), EXPIRED),
    ("B05 30 s ago", lambda i: i.token(exp=NOW - 30), EXPIRED),
    ("B05 29 s ago", lambda i: i.token(exp=NOW - 29), ""),
    *[
        (f"B06 no {name}", lambda i, name=name: i.token(**{name: None}), INVALID)
        for name in ("exp", "iat", "jti", "sub", "iss", "aud", "sid")
    ],
    ("B07 nbf 31 s ahead", lambda i: i.token(nbf=NOW + 31), EARLY),
    ("B07 iat 31 s ahead", lambda i: i.token(iat=NOW + 31), EARLY),
    ("B07 30 s ahead", lambda i: i.token(nbf=NOW + 30, iat=NOW + 30), ""),
    ("B07 no nbf", lambda i: i.token(nbf=None), ""),
    ("B09 other aud", lambda i: i.token(aud="another"), INVALID),
    ("B09 aud list", lambda i: i.token(aud=["mysingle"]), INVALID),
    ("B09 aud list of more", lambda i: i.token(aud=["mysingle", "another"]), INVALID),
    ("B09 other iss", lambda i: i.token(iss="https://evil.example"), INVALID),
    ("B09 longer iss", lambda i: i.token(iss=ISSUER + ".evil.example"), INVALID),
    ("B09 shorter iss", lambda i: i.token(iss=ISSUER[:-1]), INVALID),
    ("B09 empty iss", lambda i: i.token(iss=""), INVALID),
    *[
        (f"B10 {typ}", lambda i, typ=typ: with_header(i, typ=typ), WRONG_TYPE)
        for typ in ("JWT", "refresh+jwt", "verify+jwt", "reset+jwt", "service+jwt", "id_token", "AT+JWT", None, 1)
    ],
    ("B11 unknown kid", lambda i: with_header(i, kid="unknown"), INVALID),
    ("B11 path", lambda i: with_header(i, kid="../../dev/null"), INVALID),
    ("B11 SQL", lambda i: with_header(i, kid="x' UNION SELECT 'key'--"), INVALID),
    ("B11 10 KB", lambda i: with_header(i, kid="k" * 10_240), INVALID),
    ("B11 array", lambda i: with_header(i, kid=["k-ES256"]), INVALID),
    ("B11 number", lambda i: with_header(i, kid=1), INVALID),
    ("B11 absent", lambda i: with_header(i, kid=None), INVALID),
    ("B11 empty", lambda i: with_header(i, kid=""), INVALID),
    ("no alg", lambda i: with_header(i, alg=None), INVALID),
    ("alg list", lambda i: with_header(i, alg=["ES256"]), INVALID),
    ("B13 crit", lambda i: with_header(i, crit=["exp"]), INVALID),
    ("B13 empty crit", lambda i: with_header(i, crit=[]), INVALID),
    ("B13 b64", lambda i: with_header(i, b64=False), INVALID),
    ("B13 five parts", lambda i: i.token() + ".a.b", INVALID),
    ("B13 four parts", lambda i: i.token() + ".a", INVALID),
    ("B13 JSON", lambda i: json.dumps({"payload": parts(i.token())[1], "signatures": []}), INVALID),
    ("key of its own", lambda i: with_header(i, jwk=i.key().as_dict(private=False)), INVALID),
    ("key set of its own", lambda i: with_header(i, jku="https://evil.example/jwks.json"), INVALID),
    ("certificate of its own", lambda i: with_header(i, x5c=["a"]), INVALID),
    ("B14 9 KiB", lambda i: i.token(email="a" * 9_216), INVALID),
    ("B14 1 MB", lambda i: "a" * 1_000_000, INVALID),
    ("B14 deep header", lambda i: i.sign(b"[" * 5_000, b"{}"), INVALID),
    ("B14 deep payload", lambda i: with_payload(i, b'{"a":' * 900 + b"1" + b"}" * 900), INVALID),
    ("B15 sub twice", lambda i: twice(i, "sub", f'"{OTHER}"'), INVALID),
    ("B15 su twice", lambda i: twice(i, "su", "true"), INVALID),
    ("B15 header member twice", lambda i: doubled_header(i), INVALID),
    ("payload list", lambda i: with_payload(i, b"[]"), INVALID),
    ("payload text", lambda i: with_payload(i, b"hello"), INVALID),
    ("payload in UTF-16", lambda i: with_payload(i, json.dumps(i.claims()).encode("utf-16")), INVALID),
    ("payload no UTF-8", lambda i: with_payload(i, b'{"a": "\xff"}'), INVALID),
    ("exp Infinity", lambda i: with_payload(i, json.dumps(i.claims(exp=float("inf"))).encode()), INVALID),
    ("exp NaN", lambda i: with_payload(i, json.dumps(i.claims(exp=float("nan"))).encode()), INVALID),
    ("exp true", lambda i: i.token(exp=True), INVALID),
    ("exp text", lambda i: i.token(exp=str(NOW + 900)), INVALID),
    ("exp fraction", lambda i: i.token(exp=NOW + 900.5), INVALID),
    ("exp negative", lambda i: i.token(exp=-1), INVALID),
    ("exp beyond dates", lambda i: i.token(exp=10**12), INVALID),
    ("exp of 4000 digits", lambda i: i.token(exp=int("9" * 4_000)), INVALID),
    ("iat text", lambda i: i.token(iat="now"), INVALID),
    ("nbf text", lambda i: i.token(nbf="now"), INVALID),
    ("sub number", lambda i: i.token(sub=1), INVALID),
    ("sub operator", lambda i: i.token(sub={"$ne": ""}), INVALID),
    ("sub no id", lambda i: i.token(sub="alice"), INVALID),
    ("sid empty", lambda i: i.token(sid=""), INVALID),
    ("sid list", lambda i: i.token(sid=["s1"]), INVALID),
    ("jti empty", lambda i: i.token(jti=""), INVALID),
    ("su text", lambda i: i.token(su="true"), INVALID),
    ("su number", lambda i: i.token(su=1), INVALID),
    ("active text", lambda i: i.token(active="true"), INVALID),
    ("roles text", lambda i: i.token(roles="admin"), INVALID),
    ("role in capitals", lambda i: i.token(roles=["Admin"]), INVALID),
    ("65 roles", lambda i: i.token(roles=[f"r{number}" for number in range(65)]), INVALID),
    ("amr text", lambda i: i.token(amr="pwd"), INVALID),
    ("auth_time text", lambda i: i.token(auth_time="now"), INVALID),
    ("padding", lambda i: i.token() + "=", INVALID),
    ("space", lambda i: i.token().replace(".", " .", 1), INVALID),
    ("newline", lambda i: i.token() + "\n", INVALID),
    ("unicode", lambda i: i.token() + "\u00e9", INVALID),
    ("lone surrogate", lambda i: i.token() + "\ud800", INVALID),
    ("empty", lambda i: "", INVALID),
    ("dots", lambda i: "..", INVALID),
    ("junk", lambda i: "a.b.c", INVALID),
]


def last_bit(token: str) -> str:
    """Spell the same signature in another way: four bits of its last letter stand for nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + letters[letters.index(token[-1]) ^ 1]


def doubled_header(issuer: Any) -> str:
    header = b'{"typ": "at+jwt", "alg": "ES256", "kid": "unknown", "kid": "k-ES256"}'
    return str(issuer.sign(header, json.dumps(issuer.claims()).encode()))


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
async def test_verifier(make: Any, code: str, issuer: Any, clock: Any) -> None:
    """Each token has one answer: what it says, or the one reason why it is not believed."""
    verifier = make_verifier(issuer, clock)
    if not code:
        assert (await verifier.verify(make(issuer))).subject == ID
        return
    with pytest.raises(UnauthenticatedError, match=r"token") as caught:
        await verifier.verify(make(issuer))

    assert code == caught.value.reason
    assert caught.value.headers == {"WWW-Authenticate": CHALLENGE}


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_behind_jwt_proof(make: Any, code: str, kind: str, issuer: Any, clock: Any, make_service: Any) -> None:
    """A service behind the jwt proof gives the same answers, over HTTP and WebSocket."""
    service = make_service(options={"clock": clock}, **issuer.settings(*ALGORITHMS))
    token = make(issuer).encode("utf-8", "replace")
    answer = await service.call([("Authorization", b"Bearer " + token)], kind=kind)
    if not code:
        assert (answer.user.id, answer.user.auth_method) == (ID, "token")
    elif kind == "http":
        assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, code, CHALLENGE)
    else:
        assert answer.messages == [{"type": "websocket.close", "code": 1008, "reason": code}]


async def test_claims(issuer: Any, clock: Any) -> None:
    """The claims are what the token says, in our own types."""
    claims = await make_verifier(issuer, clock).verify(issuer.token(sub=ID.upper(), auth_time=NOW - 60).encode())

    assert claims._asdict() == {
        "subject": ID,
        "session_id": "s1",
        "issued_at": NOW,
        "not_before": NOW,
        "expires_at": NOW + 900,
        "token_id": "j-1",
        "auth_time": NOW - 60,
        "email": "u@x.com",
        "is_verified": True,
        "is_active": True,
        "is_superuser": False,
        "roles": frozenset({"user", "trader"}),
        "client_id": "web",
        "amr": ("pwd",),
        "key_id": "k-ES256",
    }
    assert claims.to_user().authenticated_at.timestamp() == NOW - 60


SILENT = ("auth_time", "email", "email_verified", "active", "su", "roles", "client_id", "amr")


async def test_what_is_not_said_is_not_granted(issuer: Any, clock: Any) -> None:
    """A token that says nothing but who it is for grants nothing: not even that the account is active."""
    claims = await make_verifier(issuer, clock).verify(issuer.token(**dict.fromkeys(SILENT)))

    assert (claims.is_active, claims.is_verified, claims.is_superuser, claims.roles) == (False, False, False, set())
    assert (claims.email, claims.auth_time, claims.to_user().authenticated_at) == (None, None, None)


@pytest.mark.parametrize("email", ["\N{GRINNING FACE}@b.c", "a@b@c", "Name <a@b.c>", 5, ["a@b.c"]], ids=repr)
async def test_no_address(email: Any, issuer: Any, clock: Any) -> None:
    """An address that is none is nobody's failure."""
    assert (await make_verifier(issuer, clock).verify(issuer.token(email=email))).email is None


@pytest.mark.parametrize("curve", ["P-384", "Ed448"])
async def test_other_curves(curve: str, issuer: Any, clock: Any) -> None:
    """B04: a key on another curve is no key of ours, whatever algorithm a token names."""
    key: Any = ECKey.generate_key(curve) if curve == "P-384" else OKPKey.generate_key("Ed448")
    jwk = {**key.as_dict(private=False), "kid": "k-other"}
    keys = KeySet.from_jwks({"keys": [*issuer.jwks()["keys"], jwk]}, ALGORITHMS)
    verifier = TokenVerifier(keys=keys, algorithms=ALGORITHMS, issuer=ISSUER, audience="mysingle", clock=clock)
    signer = "ES384" if curve == "P-384" else "Ed448"
    label = "ES256" if curve == "P-384" else "EdDSA"
    message = f"{segment(json.dumps({'typ': 'at+jwt', 'alg': label, 'kid': 'k-other'}).encode())}."
    message += segment(json.dumps(issuer.claims()).encode())
    signature = jws.JWSRegistry.algorithms[signer].sign(message.encode(), key)

    assert keys.get("k-other") is None
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await verifier.verify(f"{message}.{segment(signature)}")


class NoKeys:
    """A source of keys that nobody may ask."""

    async def key(self, kid: str) -> VerificationKey | None:
        raise AssertionError(kid)


@pytest.mark.parametrize(
    "token",
    ["a" * 1_000_000, "[" * 8_000, "a." * 500_000, "a.b.c", "e30.e30.e30", "."],
    ids=["1 MB", "brackets", "dots", "junk", "empty header", "dot"],
)
async def test_form_comes_first(token: str, clock: Any) -> None:
    """B11, B14: what is too long, of another form or without a kid is refused before any key is looked for."""
    verifier = TokenVerifier(keys=NoKeys(), algorithms=ALGORITHMS, issuer=ISSUER, audience="mysingle", clock=clock)
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await verifier.verify(token)


async def test_cache(issuer: Any, clock: Any) -> None:
    """A token that was believed is known for a minute, and never longer than it lives."""
    verifier = make_verifier(issuer, clock)
    long, short = issuer.token().encode(), issuer.token(exp=NOW + 10).encode()
    for token in (long, short):
        await verifier.verify(token)
    seen = []
    for later in (0, 39, 40, 59, 60):
        clock.now = NOW + later
        seen.append((verifier.cached(long) is not None, verifier.cached(short) is not None))

    assert seen == [(True, True), (True, True), (True, False), (True, False), (False, False)]


async def test_known_token(issuer: Any, clock: Any) -> None:
    """A known token gives the same claims again."""
    verifier = make_verifier(issuer, clock)
    token = issuer.token()

    assert await verifier.verify(token) is await verifier.verify(token.encode())


def test_no_keys_at_all(make_settings: Any) -> None:
    """Without a file or an address of keys there is no verifier."""
    with pytest.raises(AuthUnavailableError, match="not possible"):
        make_access_verifier(make_settings())


async def test_cache_is_bounded(issuer: Any, clock: Any) -> None:
    """The cache keeps as many tokens as it was told; the oldest makes room."""
    verifier = make_verifier(issuer, clock, cache_size=2)
    tokens = [issuer.token(jti=f"j-{number}").encode() for number in range(3)]
    for token in tokens:
        await verifier.verify(token)

    assert [verifier.cached(token) is not None for token in tokens] == [False, True, True]
    assert make_verifier(issuer, clock).cached(b"a" * 9_000) is None


async def test_no_cache(issuer: Any, clock: Any) -> None:
    """Without a cache a token is verified each time."""
    verifier = make_verifier(issuer, clock, cache_size=0)
    token = issuer.token().encode()
    await verifier.verify(token)

    assert verifier.cached(token) is None


async def test_refused_token_is_not_remembered(issuer: Any, clock: Any) -> None:
    """A token that is not valid yet is judged again when it is."""
    verifier = make_verifier(issuer, clock)
    token = issuer.token(nbf=NOW + 100)
    with pytest.raises(UnauthenticatedError, match="not valid yet"):
        await verifier.verify(token)
    clock.now = NOW + 100

    assert (await verifier.verify(token)).subject == ID


HS256: list[tuple[str, dict[str, Any], str]] = [
    ("production", {}, INVALID),
    ("production, opted in", {"AUTH_ALLOW_HS256": True}, ""),
    ("development", {"ENVIRONMENT": "development"}, ""),
    ("unset", {"ENVIRONMENT": None}, INVALID),
]


@pytest.mark.parametrize(("more", "code"), [row[1:] for row in HS256], ids=[row[0] for row in HS256])
async def test_shared_key(more: Any, code: str, issuer: Any, clock: Any, make_service: Any) -> None:
    """A31: HS256 needs its opt-in where production rules apply; without it, its tokens are not believed."""
    values = {name: value for name, value in issuer.settings("ES256", "HS256", **more).items() if value is not None}
    if code:  # a file without the shared key, which would be refused as a whole
        values["IAM_PUBLIC_KEYS_FILE"].write_text(json.dumps(issuer.jwks("ES256")))
    service = make_service(options={"clock": clock}, **values)
    answer = await service.call([("Authorization", f"Bearer {issuer.token('HS256')}")])

    assert code == answer.code


JWT_PROOF: list[tuple[str, Any, list[tuple[str, str | bytes]], int, str]] = [
    ("token alone", lambda i: i.token(), [], 200, ""),
    ("same id", lambda i: i.token(), [("X-User-Id", ID)], 200, ""),
    ("same id in capitals", lambda i: i.token(), [("X-User-Id", ID.upper())], 200, ""),
    ("A22 other id", lambda i: i.token(), [("X-User-Id", OTHER)], 401, "IDENTITY_MISMATCH"),
    ("A01 no token", lambda i: None, [("X-User-Id", ID)], 401, "GATEWAY_PROOF_MISSING"),
    ("A09 id twice", lambda i: i.token(), [("X-User-Id", ID)] * 2, 400, "GATEWAY_HEADER_MALFORMED"),
    ("A09 id twice, bad token", lambda i: "a.b.c", [("X-User-Id", ID)] * 2, 401, "GATEWAY_PROOF_INVALID"),
    ("A09 id twice, no token", lambda i: None, [("X-User-Id", ID)] * 2, 401, "GATEWAY_PROOF_INVALID"),
    ("A12 id of another form", lambda i: i.token(), [("X-User-Id", "x")], 400, "GATEWAY_HEADER_MALFORMED"),
    ("two tokens", lambda i: i.token(), [("Authorization", "Bearer x")], 401, "GATEWAY_PROOF_INVALID"),
    ("anonymous", lambda i: i.token(), [("X-Anonymous-Consumer", "true")], 401, "AUTH_REQUIRED"),
    ("inactive", lambda i: i.token(active=False), [], 403, "USER_INACTIVE"),
    ("nothing", lambda i: None, [], 401, "AUTH_REQUIRED"),
    ("other scheme", lambda i: None, [("Authorization", "Basic YTpi")], 401, "AUTH_REQUIRED"),
    ("empty token", lambda i: "", [], 401, "TOKEN_INVALID"),
]


@pytest.mark.parametrize(
    ("make", "headers", "status", "code"), [row[1:] for row in JWT_PROOF], ids=[row[0] for row in JWT_PROOF]
)
@pytest.mark.parametrize("known", [False, True], ids=["new", "cached"])
async def test_jwt_proof(
    make: Any, headers: Any, status: int, code: str, known: bool, issuer: Any, clock: Any, make_service: Any
) -> None:
    """The token decides who is calling, and headers beside it may not say anything else; known tokens no less."""
    service = make_service(options={"clock": clock}, **issuer.settings())
    token = make(issuer)
    bearer = [] if token is None else [("Authorization", f"bearer  {token}")]
    if known:
        await service.call(bearer)
    answer = await service.call([*bearer, *headers])

    assert (status, code) == (answer.status, answer.code)


@pytest.mark.parametrize("known", [False, True], ids=["new", "cached"])
async def test_claims_win(known: bool, issuer: Any, clock: Any, make_service: Any) -> None:
    """What the headers say beside a token does not count, and no handler can read it."""
    service = make_service(options={"clock": clock}, **issuer.settings())
    headers = [("Authorization", f"Bearer {issuer.token()}"), ("X-User-Id", ID), ("X-User-Superuser", "true")]
    if known:
        await service.call(headers)
    answer = await service.call(headers)

    assert not answer.user.is_superuser
    assert answer.evidence == AuthEvidence("token", "jwt", "k-ES256")
    assert set(answer.seen_headers) == {b"authorization"}
    assert answer.context_user == answer.user


async def test_cached_token_expires(issuer: Any, clock: Any, make_service: Any) -> None:
    """B05: a token that the service knows already ends when it ends."""
    service = make_service(options={"clock": clock}, **issuer.settings())
    headers = [("Authorization", f"Bearer {issuer.token(exp=NOW + 5)}")]
    codes = []
    for later in (0, 34, 35):
        clock.now = NOW + later
        codes.append((await service.call(headers)).code)

    assert codes == ["", "", EXPIRED]


@pytest.mark.parametrize("query", [b"access_token=", b"jwt="])
async def test_query_is_never_read(query: bytes, issuer: Any, clock: Any, make_service: Any) -> None:
    """B18: a token in the address is no token."""
    service = make_service(options={"clock": clock}, **issuer.settings())
    answer = await service.call(query_string=query + issuer.token().encode())

    assert answer.code == "AUTH_REQUIRED"


async def test_public_path(issuer: Any, clock: Any, make_service: Any) -> None:
    """On a public path a good token names the caller, and a bad one names nobody."""
    service = make_service(options={"clock": clock, "public_paths": ["/open"]}, **issuer.settings())
    good = await service.call([("Authorization", f"Bearer {issuer.token()}")], "/open")
    bad = await service.call([("Authorization", "Bearer a.b.c"), ("X-User-Id", ID)], "/open")

    assert good.user.id == ID
    assert (bad.user, bad.evidence, set(bad.seen_headers)) == (None, None, {b"authorization"})


async def test_hmac_before_token(issuer: Any, clock: Any, gateway: Any, make_service: Any) -> None:
    """Where the gateway signs, the token beside the signature is not asked, and a bad signature is not made good."""
    key = "a-gateway-key-of-this-test-suite-only"
    service = make_service(options={"clock": clock}, **issuer.settings(), GATEWAY_HMAC_KEYS=key)
    bearer = [("Authorization", f"Bearer {issuer.token()}")]
    signed = await service.call([*gateway.sign({"X-User-Id": OTHER}), *bearer])
    forged = await service.call([*gateway.sign({"X-User-Id": OTHER}, key="x" * 32), *bearer])
    alone = await service.call(bearer)

    assert (signed.user.id, signed.evidence.proof) == (OTHER, "hmac")
    assert forged.code == "GATEWAY_PROOF_INVALID"
    assert (alone.user.id, alone.evidence.proof) == (ID, "jwt")


def test_classes() -> None:
    """Access and service tokens have types of their own."""
    assert (ACCESS.typ, SERVICE.typ) == ("at+jwt", "service+jwt")
    assert "sid" in ACCESS.required
    assert "sid" not in SERVICE.required


def service_token(issuer: Any, algorithm: str = "ES256", typ: str = "service+jwt", **changed: Any) -> str:
    claims = {"iss": "orders", "sub": "orders", "aud": "market", "iat": NOW, "exp": NOW + 60, "jti": "j", **changed}
    given = {name: value for name, value in claims.items() if value is not None}
    return str(issuer.raw_token(json.dumps(given).encode(), algorithm, {"typ": typ}))


SERVICE_TOKENS: list[tuple[str, Any, str]] = [
    ("good", lambda i: service_token(i), ""),
    ("expired", lambda i: service_token(i, iat=NOW - 91, exp=NOW - 31), EXPIRED),
    ("early", lambda i: service_token(i, iat=NOW + 31, exp=NOW + 61), EARLY),
    ("lives too long", lambda i: service_token(i, exp=NOW + 61), INVALID),
    ("for somebody else", lambda i: service_token(i, aud="billing"), INVALID),
    ("aud list", lambda i: service_token(i, aud=["market"]), INVALID),
    ("speaks for another", lambda i: service_token(i, sub="billing"), INVALID),
    ("unknown service", lambda i: service_token(i, iss="evil", sub="evil"), INVALID),
    ("key of another service", lambda i: service_token(i, iss="billing", sub="billing"), INVALID),
    ("key of another service, its kid", lambda i: service_token(i, "RS256"), INVALID),
    ("access token", lambda i: i.token(), INVALID),
    ("access type", lambda i: service_token(i, typ="at+jwt"), WRONG_TYPE),
    ("no jti", lambda i: service_token(i, jti=None), INVALID),
    ("no iss", lambda i: service_token(i, iss=None), INVALID),
    ("iss list", lambda i: service_token(i, iss=["orders"]), INVALID),
    ("no object", lambda i: i.raw_token(b"[]", header={"typ": "service+jwt"}), INVALID),
]


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in SERVICE_TOKENS], ids=[row[0] for row in SERVICE_TOKENS])
async def test_service_tokens(make: Any, code: str, issuer: Any, clock: Any) -> None:
    """A service token is believed for a minute, here, and of the service alone that has signed it."""
    keys = {
        name: KeySet.from_jwks(issuer.jwks(algorithm), ALGORITHMS)
        for name, algorithm in (("orders", "ES256"), ("billing", "RS256"))
    }
    verifier = ServiceTokenVerifier(keys=keys, algorithms=ALGORITHMS, audience="market", clock=clock)
    if not code:
        assert (await verifier.verify(make(issuer))).service == "orders"
        return
    with pytest.raises(UnauthenticatedError, match="token") as caught:
        await verifier.verify(make(issuer))

    assert code == caught.value.reason


KEY = ECKey.import_key(
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    }
)  # source: RFC 7515, appendix A.3
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = "iss aud sub iat nbf exp jti sid client_id auth_time amr email email_verified active su roles"
claim_names = st.sampled_from(re.findall(r"\w+", CLAIMS))
header_names = st.sampled_from(["typ", "alg", "kid", "crit", "b64", "jku", "jwk", "x5c", "zip", "cty"])
GOOD = {"iss": ISSUER, "aud": "mysingle", "sub": ID, "iat": NOW, "exp": NOW + 900, "jti": "j", "sid": "s"}
REASONS = {INVALID, EXPIRED, EARLY, WRONG_TYPE}


async def outcome(token: bytes | str) -> str:
    keys = KeySet([VerificationKey("k", "ES256", KEY)])
    verifier = TokenVerifier(
        keys=keys, algorithms=ALGORITHMS, issuer=ISSUER, audience="mysingle", clock=lambda: NOW, cache_size=0
    )
    try:
        claims = await verifier.verify(token)
    except UnauthenticatedError as error:
        return error.reason
    assert (claims.to_user().id, claims.session_id) == (ID, "s")
    return ""


@given(token=st.binary(max_size=200) | st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
async def test_any_bytes(token: bytes | str) -> None:
    """Whatever somebody sends as a token, the answer is TOKEN_INVALID."""
    assert await outcome(token) == INVALID


@given(
    header=st.dictionaries(header_names, json_values, max_size=3),
    claims=st.dictionaries(claim_names, json_values, max_size=4),
)
async def test_any_signed_token(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """Whatever a token says that our own key has signed, it is good for the user it names or has a documented end."""
    first = json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": "k", **header}).encode()
    message = f"{segment(first)}.{segment(json.dumps({**GOOD, **claims}).encode())}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(message.encode(), KEY)

    assert await outcome(f"{message}.{segment(signature)}") in REASONS | {""}


@given(place=st.integers(0, 2), at=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_.="))
async def test_any_changed_letter(place: int, at: int, letter: str) -> None:
    """A good token with one letter changed is not believed."""
    first = segment(json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": "k"}).encode())
    message = f"{first}.{segment(json.dumps(GOOD).encode())}"
    token = f"{message}.{segment(jws.JWSRegistry.algorithms['ES256'].sign(message.encode(), KEY))}"
    pieces = token.split(".")
    at %= len(pieces[place])
    changed = pieces[place][:at] + letter + pieces[place][at + 1 :]
    if changed == pieces[place]:
        return
    pieces[place] = changed

    assert await outcome(".".join(pieces)) == INVALID
