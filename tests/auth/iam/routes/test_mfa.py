"""A login in two steps: with a code of an authenticator, or a recovery code."""

import asyncio
import base64
import time
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from mysingle.auth.iam._totp import code_at

PASSWORD = "correct horse battery 9"


class Authenticator:
    """Knows the secret; `code` gives one that was not used before, twice within thirty seconds."""

    def __init__(self, secret: str) -> None:
        self.secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.step = 0

    def code(self) -> str:
        self.step = max(self.step + 1, int(time.time()) // 30)
        return code_at(self.secret, self.step)


@pytest.fixture
async def member(service: Any) -> Any:
    return await service.member()


@pytest.fixture
async def protected(service: Any, member: Any) -> tuple[Any, Authenticator, list[str]]:
    """Give somebody whose logins need a code, with the authenticator and the recovery codes."""
    answer = await service.as_(member, "POST", "/auth/mfa/setup", json={"current_password": PASSWORD})
    assert answer.status_code == 200, answer.text
    authenticator = Authenticator(answer.json()["secret"])
    answer = await service.as_(member, "POST", "/auth/mfa/enable", json={"code": authenticator.code()})
    assert answer.status_code == 200, answer.text
    return member, authenticator, answer.json()["recovery_codes"]


async def first_step(service: Any, account: Any) -> str:
    answer = await service.login(account)
    assert (answer.status_code, answer.json()["code"]) == (403, "MFA_REQUIRED")
    return str(answer.json()["mfa_token"])


async def second_step(service: Any, token: str, code: str, **options: Any) -> tuple[int, str | None]:
    answer = await service.post("/auth/mfa/verify", {"mfa_token": token, "code": code}, **options)
    return answer.status_code, answer.json().get("code")


async def test_login(service: Any, protected: Any) -> None:
    """The password alone gives no token; with a code there is a session that says how it was proved."""
    member, authenticator, _ = protected
    refused = await service.login(member)
    assert refused.headers["content-type"] == "application/problem+json"
    assert {"access_token", "refresh_token"}.isdisjoint(refused.json())

    token = refused.json()["mfa_token"]
    answer = await service.post("/auth/mfa/verify", {"mfa_token": token, "code": authenticator.code()})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    claims = await service.iam.backend.verifier.verify(answer.json()["access_token"])
    assert claims.amr == ("pwd", "otp", "mfa")
    member.tokens = answer.json()
    assert (await service.as_(member, "GET", "/users/me")).status_code == 200


async def test_each_code_counts_once(service: Any, protected: Any) -> None:
    """A code that was used is refused, also with a new first step (ASVS 6.5.1)."""
    member, authenticator, _ = protected
    code = authenticator.code()
    assert (await second_step(service, await first_step(service, member), code))[0] == 200
    assert await second_step(service, await first_step(service, member), code) == (401, "MFA_INVALID")


async def test_of_many_at_once_one_succeeds(service: Any, protected: Any) -> None:
    """The same token and code five times at once are one login."""
    member, authenticator, _ = protected
    token, code = await first_step(service, member), authenticator.code()
    answers = await asyncio.gather(*(second_step(service, token, code) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 401, 401, 401]


async def test_recovery_codes(service: Any, protected: Any) -> None:
    """Each recovery code counts once, however it is typed, and only for its owner."""
    member, _, codes = protected
    assert len(set(codes)) == 10
    typed = codes[0].upper().replace("-", " ")
    assert (await second_step(service, await first_step(service, member), typed))[0] == 200
    assert await second_step(service, await first_step(service, member), codes[0]) == (401, "MFA_INVALID")
    assert (await second_step(service, await first_step(service, member), codes[1]))[0] == 200


async def test_wrong_codes_are_limited(service: Any, protected: Any) -> None:
    """After five wrong codes the right one has to wait as well, also with a new first step."""
    member, authenticator, _ = protected
    token = await first_step(service, member)
    for code in ("000000", "", "x" * 64, "123456", "١٢٣٤٥٦", "abcd-efgh-ijkl-mnop"):
        answer = await second_step(service, token, code)
        assert answer in [(401, "MFA_INVALID"), (422, "VALIDATION_FAILED")]
    code = authenticator.code()
    assert await second_step(service, token, code) == (429, "RATE_LIMITED")
    assert await second_step(service, await first_step(service, member), code) == (429, "RATE_LIMITED")


@pytest.mark.parametrize("kind", ["none", "garbage", "access", "reset", "used", "former", "new password", "inactive"])
async def test_bad_tokens(service: Any, protected: Any, kind: str) -> None:
    """Only the token of the last right password ends a login, and none outlives that password."""
    member, authenticator, codes = protected
    token = await first_step(service, member)
    match kind:
        case "none" | "garbage":
            token = "x" if kind == "none" else "é" * 40
        case "access":
            token = member.tokens["access_token"][:500]
        case "reset":
            await service.post("/auth/forgot-password", {"email": member.email})
            token = await service.outbox.token(member.email, "choose")
        case "used":
            assert (await second_step(service, token, authenticator.code()))[0] == 200
        case "former":
            await first_step(service, member)
        case "new password":
            body = {"current_password": PASSWORD, "new_password": "another staple of horses"}
            assert (await service.as_(member, "POST", "/auth/change-password", json=body)).status_code == 204
        case "inactive":
            await service.iam.tools.change(member.id, is_active=False)
    assert await second_step(service, token, codes[0]) == (401, "MFA_INVALID")


async def test_the_token_opens_nothing_else(service: Any, protected: Any) -> None:
    """What a first step answers is no access, refresh, verification or reset token."""
    member, _, _ = protected
    token = await first_step(service, member)
    me = await service("GET", "/users/me", headers={"Authorization": f"Bearer {token}"})
    verify = await service.post("/auth/verify", {"token": token})
    reset = await service.post("/auth/reset-password", {"token": token, "password": "a new one of horses"})
    refresh = await service.post("/auth/refresh", {"refresh_token": token})
    assert [each.status_code for each in (me, verify, reset, refresh)] == [401, 400, 400, 401]


async def test_cookies(service: Any, protected: Any) -> None:
    """A browser gets cookies, and a page of somebody else signs nobody in."""
    member, authenticator, codes = protected
    token, params = await first_step(service, member), {"transport": "cookie"}
    foreign = {"Origin": "https://evil.example"}
    answer = await second_step(service, token, authenticator.code(), params=params, headers=foreign)
    assert answer == (403, "CSRF_FAILED")
    body = {"mfa_token": token, "code": codes[0]}
    good = await service.post("/auth/mfa/verify", body, params=params, headers={"Origin": "http://test"})
    assert (good.status_code, good.json()["access_token"]) == (200, None)
    assert len(good.headers.get_list("set-cookie")) == 3


async def test_setting_up(service: Any, member: Any) -> None:
    """Setting up needs the password and a code, and until then the password alone signs in."""
    setup = await service.as_(member, "POST", "/auth/mfa/setup", json={"current_password": "wrong"})
    assert (setup.status_code, setup.json()["code"]) == (403, "REAUTH_FAILED")
    early = await service.as_(member, "POST", "/auth/mfa/enable", json={"code": "000000"})
    assert (early.status_code, early.json()["code"]) == (401, "MFA_INVALID")
    setup = await service.as_(member, "POST", "/auth/mfa/setup", json={"current_password": PASSWORD})
    assert setup.json()["secret"] in setup.json()["otpauth_url"]
    assert (await service.login(member)).status_code == 200
    wrong = await service.as_(member, "POST", "/auth/mfa/enable", json={"code": "000000"})
    assert wrong.status_code == 401
    code = Authenticator(setup.json()["secret"]).code()
    assert (await service.as_(member, "POST", "/auth/mfa/enable", json={"code": code})).status_code == 200
    await service.outbox.wait(member.email, "second step")
    for path, body in (("setup", {"current_password": PASSWORD}), ("enable", {"code": code})):
        again = await service.as_(member, "POST", f"/auth/mfa/{path}", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "MFA_ALREADY_ENABLED")


async def test_giving_up(service: Any, protected: Any) -> None:
    """Both steps are needed to give the second one up; then the password alone signs in, and no code counts."""
    member, authenticator, codes = protected
    for password, code, expected in (("wrong", authenticator.code(), 403), (PASSWORD, "000000", 401)):
        body = {"current_password": password, "code": code}
        assert (await service.as_(member, "POST", "/auth/mfa/disable", json=body)).status_code == expected
    token = await first_step(service, member)
    body = {"current_password": PASSWORD, "code": codes[3]}
    assert (await service.as_(member, "POST", "/auth/mfa/disable", json=body)).status_code == 204
    assert (await service.login(member)).status_code == 200
    assert await second_step(service, token, codes[4]) == (401, "MFA_INVALID")


async def test_an_administrator_helps(service: Any, protected: Any) -> None:
    """Only an administrator lets somebody in who has lost everything, and it is on record."""
    member, _, _ = protected
    assert (await service.as_(member, "DELETE", f"/users/{member.id}/mfa")).status_code == 403
    admin = await service.admin()
    assert (await service.as_(admin, "DELETE", f"/users/{member.id}/mfa")).status_code == 204
    assert (await service.as_(admin, "DELETE", "/users/nobody/mfa")).status_code == 404
    assert (await service.login(member)).status_code == 200
    events = await service.iam.tools.events.recent(member.id, 20)
    assert [event.actor_id for event in events if event.kind == "mfa.disabled"] == [admin.id]


async def test_a_reset_password_does_not_skip_the_second_step(service: Any, protected: Any) -> None:
    """Who reads the mails has one step of two."""
    member, _, _ = protected
    await service.post("/auth/forgot-password", {"email": member.email})
    token = await service.outbox.token(member.email, "choose")
    member.password = "another staple of horses"
    reset = await service.post("/auth/reset-password", {"token": token, "password": member.password})
    assert reset.status_code == 204
    await first_step(service, member)


async def test_what_the_database_has_is_useless(service: Any, protected: Any) -> None:
    """Neither the secret nor a recovery code can be read there, and everything goes with the account."""
    member, authenticator, codes = protected
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(service.iam.settings.mongodb_url)
    async with client:
        factors = client[service.database_name]["auth_second_factors"]
        text = str(await factors.find_one({"_id": member.id}))
        secret = base64.b32encode(authenticator.secret).decode()
        assert not any(word in text for word in (secret, authenticator.secret.hex(), *codes))
        body = {"current_password": PASSWORD}
        assert (await service.as_(member, "DELETE", "/users/me", json=body)).status_code == 204
        assert await factors.count_documents({}) == 0


@pytest.mark.parametrize("style", ["fastapi-users", "legacy"])
async def test_older_clients_get_the_token(start: Any, style: str) -> None:
    """In every style of errors the answer of a first step holds what the second one needs."""
    async with start(AUTH_ERROR_STYLE=style) as service:
        member = await service.member()
        setup = await service.as_(member, "POST", "/auth/mfa/setup", json={"current_password": PASSWORD})
        code = Authenticator(setup.json()["secret"])
        await service.as_(member, "POST", "/auth/mfa/enable", json={"code": code.code()})
        answer = (await service.login(member)).json()
        token = answer["detail"]["mfa_token"] if style == "fastapi-users" else answer["error"]["details"]["mfa_token"]
        assert (await second_step(service, token, code.code()))[0] == 200
