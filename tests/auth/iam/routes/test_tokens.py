"""Access tokens at the IAM service: which one is believed, and until when."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from mysingle.auth.iam._documents import AuthSession
from mysingle.auth.iam._values import instant

API = "/api/v1"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forge:
    """Makes tokens like the service's own, with one thing changed."""

    def __init__(self, service: Any, member: Any) -> None:
        self.key = service.iam.tools.keys.current()
        token = member.tokens["access_token"]
        header, claims, self.signature = token.split(".")
        self.token = token
        self.header = json.loads(base64.urlsafe_b64decode(header + "=="))
        self.claims = json.loads(base64.urlsafe_b64decode(claims + "=="))

    def sign(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign with the real key; a claim that is `...` is left out."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not ...}
        message = f"{part({**self.header, **(header or {})})}.{part(claims)}"
        return f"{message}.{part(self.key.sign(message.encode()))}"

    def with_key(self, algorithm: str, key: Any, **header: Any) -> str:
        given = {"typ": "at+jwt", "kid": self.header["kid"], **header, "alg": algorithm}
        return jws.serialize_compact(given, json.dumps(self.claims), key, algorithms=[algorithm])

    def unsigned(self, algorithm: str) -> str:
        return f"{part({**self.header, 'alg': algorithm})}.{part(self.claims)}."

    def mac(self, secret: bytes) -> str:
        message = f"{part({**self.header, 'alg': 'HS256'})}.{part(self.claims)}"
        return f"{message}.{part(hmac.digest(secret, message.encode(), hashlib.sha256))}"


@pytest.fixture
async def member(service: Any) -> Any:
    return await service.member()


@pytest.fixture
def forge(service: Any, member: Any) -> Forge:
    return Forge(service, member)


async def answer_to(service: Any, token: str | bytes) -> tuple[int, str]:
    raw = token if isinstance(token, bytes) else token.encode()
    answer = await service("GET", "/auth/token/verify", headers={"Authorization": b"Bearer " + raw})
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith('Bearer realm="mysingle"')
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json().get("code", "")


NOW = int(time.time())
INVALID, EXPIRED = (401, "TOKEN_INVALID"), (401, "TOKEN_EXPIRED")
FORGERIES: dict[str, tuple[Any, tuple[int, str]]] = {
    "untouched": (lambda forge: forge.token, (200, "")),
    "signed-again": (lambda forge: forge.sign(), (200, "")),
    "B02-none": (lambda forge: forge.unsigned("none"), INVALID),
    "B02-None": (lambda forge: forge.unsigned("None"), INVALID),
    "B02-nOnE": (lambda forge: forge.unsigned("nOnE"), INVALID),
    "B02-stripped": (lambda forge: forge.token.rpartition(".")[0] + ".", INVALID),
    "B02-two-parts": (lambda forge: forge.token.rpartition(".")[0], INVALID),
    "B03-pem": (lambda forge: forge.mac(forge.key.key.as_pem(private=False)), INVALID),
    "B03-der": (lambda forge: forge.mac(forge.key.key.as_der(private=False)), INVALID),
    "B03-jwk": (lambda forge: forge.mac(json.dumps(forge.key.jwk).encode()), INVALID),
    "B04-as-rs256": (lambda forge: forge.sign({"alg": "RS256"}), INVALID),
    "B04-as-eddsa": (lambda forge: forge.sign({"alg": "EdDSA"}), INVALID),
    "B04-as-es384": (lambda forge: forge.sign({"alg": "ES384"}), INVALID),
    "B04-other-key": (lambda forge: forge.with_key("ES256", ECKey.generate_key("P-256")), INVALID),
    "B04-p384": (lambda forge: forge.with_key("ES384", ECKey.generate_key("P-384")), INVALID),
    "B04-rsa": (lambda forge: forge.with_key("RS256", RSAKey.generate_key(2048)), INVALID),
    "B04-ed25519": (lambda forge: forge.with_key("Ed25519", OKPKey.generate_key("Ed25519")), INVALID),
    "B04-ed448": (lambda forge: forge.with_key("Ed448", OKPKey.generate_key("Ed448")), INVALID),
    "B04-hs256": (lambda forge: forge.with_key("HS256", OctKey.generate_key(256)), INVALID),
    "B05-31s": (lambda forge: forge.sign(exp=int(time.time()) - 31), EXPIRED),
    "B05-30s": (lambda forge: forge.sign(exp=int(time.time()) - 30), EXPIRED),
    "B05-in-leeway": (lambda forge: forge.sign(exp=int(time.time()) - 15), (200, "")),
    **{
        f"B06-{claim}": (lambda forge, claim=claim: forge.sign(**{claim: ...}), INVALID)
        for claim in ("exp", "iat", "jti", "sub", "iss", "aud", "sid")
    },
    "B06-exp-text": (lambda forge: forge.sign(exp=str(NOW + 900)), INVALID),
    "B06-exp-float": (lambda forge: forge.sign(exp=NOW + 900.5), INVALID),
    "B06-exp-true": (lambda forge: forge.sign(exp=True), INVALID),
    "B06-exp-infinite": (lambda forge: forge.sign(exp=float("inf")), INVALID),
    "B06-sub-number": (lambda forge: forge.sign(sub=1), INVALID),
    "B06-sub-injection": (lambda forge: forge.sign(sub={"$ne": ""}), INVALID),
    "B07-nbf": (lambda forge: forge.sign(nbf=int(time.time()) + 45), (401, "TOKEN_NOT_YET_VALID")),
    "B07-iat": (lambda forge: forge.sign(iat=int(time.time()) + 45), (401, "TOKEN_NOT_YET_VALID")),
    "B07-in-leeway": (lambda forge: forge.sign(nbf=int(time.time()) + 15), (200, "")),
    "B09-aud": (lambda forge: forge.sign(aud="other"), INVALID),
    "B09-aud-list": (lambda forge: forge.sign(aud=["mysingle"]), INVALID),
    "B09-aud-list-of-two": (lambda forge: forge.sign(aud=["mysingle", "other"]), INVALID),
    "B09-iss": (lambda forge: forge.sign(iss="https://evil.example"), INVALID),
    "B09-iss-prefix": (lambda forge: forge.sign(iss="https://iam.example.co"), INVALID),
    "B09-iss-longer": (lambda forge: forge.sign(iss="https://iam.example.com.evil"), INVALID),
    **{
        f"B10-{name}": (lambda forge, name=name: forge.sign({"typ": name}), (401, "TOKEN_WRONG_TYPE"))
        for name in ("JWT", "refresh+jwt", "verify", "reset", "service+jwt", "id_token", "AT+JWT", "", None)
    },
    **{
        f"B11-kid-{number}": (lambda forge, kid=kid: forge.sign({"kid": kid}), INVALID)
        for number, kid in enumerate(
            ("unknown", "../../dev/null", "' OR 1=1 --", "x" * 5000, ["a"], {"$ne": 1}, 1, None, "\x00")
        )
    },
    "B13-crit": (lambda forge: forge.sign({"crit": ["b64"]}), INVALID),
    "B13-b64": (lambda forge: forge.sign({"b64": False}), INVALID),
    "B13-jwk": (lambda forge: forge.sign({"jwk": forge.key.jwk}), INVALID),
    "B13-jku": (lambda forge: forge.sign({"jku": "https://evil.example"}), INVALID),
    "B13-jwe": (lambda forge: encrypted(forge), INVALID),
    "B13-json": (lambda forge: json.dumps({"payload": part(forge.claims), "signatures": []}), INVALID),
    "B14-9k": (lambda forge: forge.sign(padding="x" * 9000), INVALID),
    "B14-deep": (lambda forge: f"{part(b'[' * 4000)}.{part(forge.claims)}.x", INVALID),
    "B15-duplicate": (lambda forge: duplicated(forge), INVALID),
    "padding": (lambda forge: forge.token + "=", INVALID),
    "space": (lambda forge: forge.token.replace(".", " .", 1), INVALID),
    "newline": (lambda forge: forge.token.replace(".", "%0a.", 1), INVALID),
    "latin": (lambda forge: b"\xe9" + forge.token.encode(), INVALID),
    "empty": (lambda forge: "", INVALID),
    "refresh-token": (lambda forge: "rt1.0123456789abcdef0123456789abcdef.0.x.y", INVALID),
}


def encrypted(forge: Forge) -> str:
    key = ECKey.generate_key("P-256")
    return jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A128GCM", "kid": forge.header["kid"]}, b"{}", key)


def duplicated(forge: Forge) -> str:
    claims = json.dumps(forge.claims)
    raw = claims[:-1] + ', "sub": "000000000000000000000000"}'
    message = f"{part(forge.header)}.{part(raw.encode())}"
    return f"{message}.{part(forge.key.sign(message.encode()))}"


@pytest.mark.parametrize("case", FORGERIES)
async def test_forgery(service: Any, forge: Forge, case: str) -> None:
    """Only a token of this service, for this audience, of this class, at this time is believed."""
    make, expected = FORGERIES[case]

    assert expected == await answer_to(service, make(forge))


async def test_huge_token(service: Any, forge: Forge) -> None:
    """B14: a token of a megabyte is refused before anybody reads it."""
    answer = await service(
        "GET", "/auth/token/verify", headers={"Authorization": "Bearer " + forge.sign(padding="x" * 1_000_000)}
    )

    assert answer.status_code in (401, 431)


@pytest.mark.parametrize("scheme", ["Basic", "bearer", "BEARER", "Token"])
async def test_scheme(service: Any, member: Any, scheme: str) -> None:
    """The scheme is bearer, in any case, and no other."""
    headers = {"Authorization": f"{scheme} {member.tokens['access_token']}"}
    expected = 200 if scheme.lower() == "bearer" else 401

    assert expected == (await service("GET", "/users/me", headers=headers)).status_code


async def test_two_headers(service: Any, member: Any) -> None:
    """Of two tokens nobody can say which one is meant."""
    pair = ("Authorization", f"Bearer {member.tokens['access_token']}")
    answer = await service("GET", "/users/me", headers=[pair, pair])

    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")


@pytest.mark.parametrize("name", ["access_token", "jwt", "token"])
async def test_query(service: Any, member: Any, name: str) -> None:
    """B18: a token in the address is not read."""
    answer = await service("GET", "/users/me", params={name: member.tokens["access_token"]})

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")


GATEWAY = {
    "X-User-Id": "a11ce0000000000000000001",
    "X-User-Superuser": "true",
    "X-User-Verified": "true",
    "X-Gateway-Secret": "s" * 40,
}


@pytest.mark.parametrize("settings", [{}, {"GATEWAY_SHARED_SECRETS": "s" * 40}], ids=["no-proof", "valid-proof"])
async def test_gateway_headers(start: Any, settings: dict[str, str]) -> None:
    """B01: headers of a gateway say nothing here, even with a proof; and beside a token they change nothing."""
    async with start(**settings) as service:
        member = await service.member()
        nobody = await service("GET", "/users/me", headers=GATEWAY)
        somebody = await service("GET", "/users/me", headers=GATEWAY | member.bearer)

        assert (nobody.status_code, nobody.json()["code"]) == (401, "AUTH_REQUIRED")
        assert member.id == somebody.json()["id"]
        assert not somebody.json()["is_superuser"]


async def test_token_info(service: Any, member: Any) -> None:
    """The route tells whose token it is, of which session, and until when."""
    body = (await service.as_(member, "GET", "/auth/token/verify")).json()

    assert body | {"session_id": "", "expires_at": ""} == {
        "valid": True,
        "user_id": member.id,
        "email": member.email,
        "is_verified": True,
        "is_superuser": False,
        "is_active": True,
        "session_id": "",
        "expires_at": "",
    }


class TestUserChanges:
    """B19: what happens to a user counts at once, whatever the token says."""

    async def test_deleted(self, service: Any, member: Any) -> None:
        """Who was deleted is nobody."""
        admin = await service.admin()
        await service.as_(member, "GET", "/users/me")
        assert (await service.as_(admin, "DELETE", f"/users/{member.id}")).status_code == 204

        assert (await service.as_(member, "GET", "/users/me")).status_code == 401

    async def test_deactivated(self, service: Any, member: Any) -> None:
        """Who was deactivated has no session any more, and gets no new one."""
        admin = await service.admin()
        answer = await service.as_(admin, "PATCH", f"/users/{member.id}", json={"is_active": False})
        refused = await service.as_(member, "GET", "/users/me")

        assert (answer.status_code, answer.json()["is_active"]) == (200, False)
        assert (refused.status_code, refused.json()["code"]) == (401, "SESSION_REVOKED")
        assert (await service.login(member)).status_code == 401
        refresh = await service.post("/auth/refresh", {"refresh_token": member.tokens["refresh_token"]})
        assert (refresh.status_code, refresh.json()["code"]) == (401, "REFRESH_TOKEN_INVALID")

    async def test_demoted_and_promoted(self, service: Any, member: Any) -> None:
        """New rights hold from the next request on, with the same token."""
        admin = await service.admin()
        statuses = [(await service.as_(member, "GET", "/users")).status_code]
        for is_superuser in (True, False):
            body = {"is_superuser": is_superuser}
            await service.as_(admin, "PATCH", f"/users/{member.id}", json=body)
            statuses.append((await service.as_(member, "GET", "/users")).status_code)

        assert statuses == [403, 200, 403]


class TestSessionEnds:
    """B20, B21: a session that is over is over everywhere."""

    async def test_password_change(self, service: Any, member: Any) -> None:
        """A new password ends every other session, and keeps this one."""
        other = await service.sign_in(type(member)(member.email, member.password))
        body = {"current_password": member.password, "new_password": "another horse battery 3"}
        assert (await service.as_(other, "POST", "/auth/change-password", json=body)).status_code == 204
        ended = await service.as_(member, "GET", "/users/me")

        assert (ended.status_code, ended.json()["code"]) == (401, "SESSION_REVOKED")
        assert (await service.as_(other, "GET", "/users/me")).status_code == 200

    async def test_everywhere(self, service: Any, member: Any) -> None:
        """`all` ends every session."""
        other = await service.sign_in(type(member)(member.email, member.password))
        assert (await service.as_(other, "POST", "/auth/logout", json={"all": True})).status_code == 204

        assert [(await service.as_(who, "GET", "/users/me")).status_code for who in (member, other)] == [401, 401]

    @pytest.mark.parametrize("way", ["bearer", "refresh-header"])
    async def test_logout(self, service: Any, member: Any, way: str) -> None:
        """After a logout neither token works."""
        refresh = member.tokens["refresh_token"]
        headers = member.bearer if way == "bearer" else {"X-Refresh-Token": refresh}
        assert (await service("POST", "/auth/logout", headers=headers)).status_code == 204
        access = await service.as_(member, "GET", "/users/me")
        again = await service.post("/auth/refresh", {"refresh_token": refresh})

        assert (access.status_code, access.json()["code"]) == (401, "SESSION_REVOKED")
        assert (again.status_code, again.json()["code"]) == (401, "REFRESH_TOKEN_INVALID")

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"X-Refresh-Token": "rt1.x"}])
    async def test_logout_of_nobody(self, service: Any, headers: dict[str, str]) -> None:
        """A logout without a token that counts is over already."""
        assert (await service("POST", "/auth/logout", headers=headers)).status_code == 204


class TestRefresh:
    """C01 to C05: one refresh token is good once."""

    async def refresh(self, service: Any, token: str) -> tuple[int, str, Any]:
        answer = await service.post("/auth/refresh", {"refresh_token": token})
        return answer.status_code, answer.json().get("code", ""), answer

    @pytest.mark.parametrize("generations", [1, 2, 3])
    async def test_replay(self, service: Any, member: Any, generations: int) -> None:
        """C01, C02: a token of any earlier generation ends the session, is noted, and the owner hears of it."""
        first = member.tokens["refresh_token"]
        token = first
        for _ in range(generations):
            _, _, answer = await self.refresh(service, token)
            token = answer.json()["refresh_token"]
        if generations == 1:
            await self.leave_grace(service)
        status, code, _ = await self.refresh(service, first)

        assert (status, code) == (401, "REFRESH_TOKEN_REUSED")
        assert (await self.refresh(service, token))[:2] == (401, "REFRESH_TOKEN_INVALID")
        assert (await service.as_(member, "GET", "/users/me")).status_code == 401
        await service.outbox.wait(member.email, "was ended")
        events = await service.iam.tools.events.recent(member.id, 10)
        assert "refresh.reused" in {event.kind for event in events}

    async def leave_grace(self, service: Any) -> None:
        """Let the ten seconds in which two tabs may refresh at once be over."""
        earlier = instant() - timedelta(seconds=11)
        await AuthSession.get_pymongo_collection().update_many({}, {"$set": {"rotated_at": earlier}})

    async def test_grace(self, service: Any, member: Any) -> None:
        """Two tabs that refresh at once do not end the session."""
        first = member.tokens["refresh_token"]
        _, _, answer = await self.refresh(service, first)
        status, code, again = await self.refresh(service, first)

        assert (status, code) == (409, "REFRESH_IN_PROGRESS")
        assert (await self.refresh(service, answer.json()["refresh_token"]))[0] == 200
        assert int(again.headers["retry-after"]) >= 1

    @pytest.mark.parametrize(
        "token", ["", "x", "rt1.a.b.c.d", "rt1." + "0" * 32 + ".0." + "A" * 43 + "." + "A" * 22, "\x00", "é"]
    )
    async def test_garbage(self, service: Any, token: str) -> None:
        """Garbage is refused and revokes nothing."""
        status, code, _ = await self.refresh(service, token)

        assert (status, code) in [(401, "REFRESH_TOKEN_INVALID"), (422, "VALIDATION_FAILED")]
        assert bool(token) == (status == 401)

    async def test_access_token(self, service: Any, member: Any) -> None:
        """C05: an access token is no refresh token."""
        token = member.tokens["access_token"]
        header = await service("POST", "/auth/refresh", headers={"X-Refresh-Token": token})
        body = await service.post("/auth/refresh", {"refresh_token": token})

        for answer in (header, body):
            assert (answer.status_code, answer.json()["code"]) == (401, "REFRESH_TOKEN_INVALID")

    async def test_inactive_user(self, service: Any, member: Any) -> None:
        """C05: who is not active any more gets no tokens, though nobody ended the session."""
        await service.iam.tools.change(member.id, is_active=False)

        assert (await self.refresh(service, member.tokens["refresh_token"]))[:2] == (401, "REFRESH_TOKEN_INVALID")

    async def test_absolute_life(self, start: Any) -> None:
        """C05: no refreshing makes a session live longer than it may."""
        async with start(AUTH_REFRESH_ABSOLUTE_SECONDS=1) as service:
            member = await service.member()
            await asyncio.sleep(1.2)

            assert (await self.refresh(service, member.tokens["refresh_token"]))[:2] == (401, "REFRESH_TOKEN_EXPIRED")

    @pytest.mark.parametrize("way", ["json", "header"])
    async def test_ways(self, service: Any, member: Any, way: str) -> None:
        """The token comes in the body or in a header, and the next one comes back in the body."""
        token = member.tokens["refresh_token"]
        options: dict[str, Any] = (
            {"json": {"refresh_token": token}} if way == "json" else {"headers": {"X-Refresh-Token": token}}
        )
        answer = await service("POST", "/auth/refresh", **options)

        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert token != answer.json()["refresh_token"]
        assert member.id == answer.json()["user_info"]["_id"]

    async def test_nothing(self, service: Any) -> None:
        """Without any token there is nothing to refresh."""
        answer = await service("POST", "/auth/refresh")

        assert (answer.status_code, answer.json()["code"]) == (401, "REFRESH_TOKEN_INVALID")
