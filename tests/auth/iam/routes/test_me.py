"""What people do with their own account."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from mysingle._kernel.errors import UnauthenticatedError
from mysingle.auth.iam._documents import AuthSession, OAuthAccount, OneTimeToken, User
from mysingle.auth.iam._values import Device, instant

BATTERY = "another horse battery 2"


@pytest.fixture
async def member(service: Any) -> Any:
    return await service.member()


async def patch(service: Any, member: Any, **body: Any) -> Any:
    return await service.as_(member, "PATCH", "/users/me", json=body)


@pytest.mark.parametrize("more", [{"is_superuser": True}, {"is_verified": True}, {"roles": ["x"]}, {"id": "x"}])
async def test_mass_assignment(service: Any, member: Any, more: dict[str, Any]) -> None:
    """D14: rights are not for oneself to change."""
    answer = await patch(service, member, full_name="x", **more)

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert (await service.as_(member, "GET", "/users/me")).json()["full_name"] is None


@pytest.mark.parametrize("more", [{"email": "new@example.com"}, {"password": BATTERY}])
@pytest.mark.parametrize(
    ("current", "code"), [({}, "REAUTH_REQUIRED"), ({"current_password": "wrong horse"}, "REAUTH_FAILED")]
)
async def test_needs_the_password(
    service: Any, member: Any, more: dict[str, str], current: dict[str, str], code: str
) -> None:
    """D14: a new address or password needs the current password, even right after a login."""
    answer = await patch(service, member, **more, **current)

    assert (403, code) == (answer.status_code, answer.json()["code"])


async def test_names(service: Any, member: Any) -> None:
    """Names are changed and taken away; what is not sent stays."""
    both = await patch(service, member, full_name="Ada", avatar_url="https://x.example/a.png")
    one = await patch(service, member, full_name=None)

    assert (both.json()["full_name"], both.json()["avatar_url"]) == ("Ada", "https://x.example/a.png")
    assert (one.json()["full_name"], one.json()["avatar_url"]) == (None, "https://x.example/a.png")


@pytest.mark.parametrize(
    "body",
    [
        {"avatar_url": "javascript:alert(1)"},
        {"avatar_url": "x"},
        {"avatar_url": "https://x.example/a\n"},
        {"avatar_url": 'https://x.example/"onerror=1'},
        {"full_name": "a\x00b"},
        {"full_name": "x" * 201},
    ],
)
async def test_invalid_names(service: Any, member: Any, body: dict[str, str]) -> None:
    """A name is printable, and a picture is a web address."""
    assert (await patch(service, member, **body)).status_code == 422


async def test_new_address(service: Any, member: Any) -> None:
    """A new address takes effect when somebody who reads its mail says so, and the former one is told."""
    new = service.address()
    pending = await patch(service, member, email=new, current_password=member.password)
    token = await service.outbox.token(new, "confirm")
    confirmed = await service.post("/auth/verify", {"token": token})
    again = await service.post("/auth/verify", {"token": token})

    assert (200, member.email) == (pending.status_code, pending.json()["email"])
    assert (200, new) == (confirmed.status_code, confirmed.json()["email"])
    assert (200, new) == (again.status_code, again.json()["email"])
    await service.outbox.wait(member.email, "was changed")
    former, member.email = await service.login(member), new
    assert [former.status_code, (await service.login(member)).status_code] == [401, 200]


async def test_taken_address(service: Any, member: Any) -> None:
    """An address of somebody else is refused."""
    other = await service.register()
    answer = await patch(service, member, email=other.email, current_password=member.password)

    assert (answer.status_code, answer.json()["code"]) == (400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")


async def test_address_taken_meanwhile(service: Any, member: Any) -> None:
    """Who confirms too late, because somebody has the address by now, changes nothing."""
    new = service.address()
    await patch(service, member, email=new, current_password=member.password)
    token = await service.outbox.token(new, "confirm")
    await service.register(new)
    answer = await service.post("/auth/verify", {"token": token})

    assert (answer.status_code, answer.json()["code"]) == (400, "VERIFY_USER_BAD_TOKEN")


async def test_password_by_patch(service: Any, member: Any) -> None:
    """A password can be changed with the account, and a weak one is refused."""
    weak = await patch(service, member, password="password1!", current_password=member.password)
    good = await patch(service, member, password=BATTERY, current_password=member.password)
    member.password = BATTERY

    assert (weak.status_code, weak.json()["code"]) == (400, "UPDATE_USER_INVALID_PASSWORD")
    assert weak.json()["reasons"]
    assert [good.status_code, (await service.login(member)).status_code] == [200, 200]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "password1!"}, "UPDATE_USER_INVALID_PASSWORD"),
        ({"email": "taken@example.com", "password": BATTERY}, "UPDATE_USER_EMAIL_ALREADY_EXISTS"),
    ],
)
async def test_all_or_nothing(service: Any, member: Any, changes: dict[str, str], code: str) -> None:
    """Where one of several changes is refused, none is made: no mail, no name, no password, and no session ends."""
    await service.register("taken@example.com")
    other, new = await service.sign_in(type(member)(member.email)), service.address()
    await service.settle()
    before = [await model.find_all().to_list() for model in (User, OneTimeToken, AuthSession)]
    answer = await patch(
        service, member, **({"email": new, "full_name": "X", "current_password": member.password} | changes)
    )
    await service.settle()
    after = [await model.find_all().to_list() for model in (User, OneTimeToken, AuthSession)]

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert before == after
    assert not service.outbox.to(new)
    assert (await service.as_(other, "GET", "/users/me")).status_code == 200


async def test_address_and_password_at_once(service: Any, member: Any) -> None:
    """With a new password and a new address in one request, the link that was mailed works."""
    new = service.address()
    answer = await patch(
        service, member, email=new, password=BATTERY, full_name="Ada", current_password=member.password
    )
    confirmed = await service.post("/auth/verify", {"token": await service.outbox.token(new, "confirm")})
    member.email, member.password = new, BATTERY

    assert [answer.status_code, answer.json()["full_name"]] == [200, "Ada"]
    assert (confirmed.status_code, confirmed.json()["email"]) == (200, new)
    assert (await service.login(member)).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "expected"),
    [
        ("wrong horse", BATTERY, (403, "REAUTH_FAILED")),
        (None, "password1!", (400, "UPDATE_USER_INVALID_PASSWORD")),
        (None, "x" * 1025, (422, "VALIDATION_FAILED")),
    ],
)
async def test_change_password_refused(
    service: Any, member: Any, current: str | None, new: str, expected: tuple[int, str]
) -> None:
    """The current password has to be right, and the new one good."""
    body = {"current_password": current or member.password, "new_password": new}
    answer = await service.as_(member, "POST", "/auth/change-password", json=body)

    assert expected == (answer.status_code, answer.json()["code"])


async def test_guessing_the_current_password(service: Any, member: Any) -> None:
    """Whoever has a stolen session cannot guess the password with it."""
    body = {"current_password": "wrong", "new_password": BATTERY}
    statuses = [(await service.as_(member, "POST", "/auth/change-password", json=body)).status_code for _ in range(7)]

    assert statuses[0] == 403
    assert statuses[-1] == 429
    assert (await service.login(member)).status_code == 200


class TestSessions:
    """Where somebody is signed in."""

    async def test_list_and_end(self, service: Any, member: Any) -> None:
        """The list shows each session once and which one asks; ending one ends that one."""
        phone = await service.sign_in(type(member)(member.email, member.password))
        listed = (await service.as_(member, "GET", "/auth/sessions")).json()
        other = next(item for item in listed["items"] if not item["is_current"])
        ended = await service.as_(member, "DELETE", f"/auth/sessions/{other['id']}")

        assert (listed["total"], sum(item["is_current"] for item in listed["items"])) == (2, 1)
        assert {"id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "is_current"} == set(other)
        assert ended.status_code == 204
        assert [(await service.as_(who, "GET", "/users/me")).status_code for who in (member, phone)] == [200, 401]

    @pytest.mark.parametrize("sid", ["x", "0" * 32, "$ne", "..", "%00", "é"])
    async def test_unknown(self, service: Any, member: Any, sid: str) -> None:
        """What is no session of the caller's is not found."""
        answer = await service.as_(member, "DELETE", f"/auth/sessions/{sid}")

        assert answer.status_code == 404 or sid == ".."

    async def test_of_somebody_else(self, service: Any, member: Any) -> None:
        """Somebody else's session is not found, and goes on."""
        other = await service.member()
        sid = (await service.as_(other, "GET", "/auth/sessions")).json()["items"][0]["id"]
        answer = await service.as_(member, "DELETE", f"/auth/sessions/{sid}")

        assert (answer.status_code, answer.json()["code"]) == (404, "SESSION_NOT_FOUND")
        assert (await service.as_(other, "GET", "/users/me")).status_code == 200

    async def test_others(self, service: Any, member: Any) -> None:
        """Every session but this one ends."""
        phone = await service.sign_in(type(member)(member.email, member.password))
        answer = await service.as_(phone, "DELETE", "/auth/sessions")

        assert answer.status_code == 204
        assert [(await service.as_(who, "GET", "/users/me")).status_code for who in (member, phone)] == [401, 200]


class TestLeaving:
    """An account is closed by its owner."""

    async def old_session(self, service: Any, member: Any) -> None:
        """Let the login be eleven minutes ago: a refreshed token says so."""
        earlier = instant() - timedelta(minutes=11)
        await AuthSession.get_pymongo_collection().update_many({"user_id": member.id}, {"$set": {"auth_time": earlier}})
        body = {"refresh_token": member.tokens["refresh_token"]}
        member.tokens = (await service.post("/auth/refresh", body)).json()

    @pytest.mark.parametrize(
        ("body", "expected"),
        [(None, 403), ({}, 403), ({"current_password": "wrong horse"}, 403), ("right", 204)],
    )
    async def test_long_after_the_login(self, service: Any, member: Any, body: Any, expected: int) -> None:
        """Long after the login the current password is needed."""
        await self.old_session(service, member)
        given = {"current_password": member.password} if body == "right" else body
        answer = await service.as_(member, "DELETE", "/users/me", json=given)

        assert expected == answer.status_code

    async def test_everything_goes(self, service: Any, member: Any) -> None:
        """Nothing of the account is left, and its address is free again."""
        answer = await service.as_(member, "DELETE", "/users/me")
        again = await service.post("/auth/register", {"email": member.email, "password": member.password})

        assert [answer.status_code, again.status_code] == [204, 201]

    async def test_last_superuser(self, service: Any) -> None:
        """D15: the last superuser cannot leave."""
        admin = await service.admin()
        answer = await service.as_(admin, "DELETE", "/users/me")

        assert (answer.status_code, answer.json()["code"]) == (409, "LAST_SUPERUSER")
        assert (await service.as_(admin, "GET", "/users")).status_code == 200


class TestLinkedAccounts:
    """Accounts at other providers, as their owner sees them."""

    async def link(self, service: Any, member: Any, *names: str) -> None:
        for name in names:
            account = OAuthAccount(
                user_id=member.id,
                provider=name,
                account_id=f"{name}-{member.id}",
                account_email=member.email,
                tokens="t",
            )
            await service.iam.tools.linked.link(account)

    async def test_list(self, service: Any, member: Any) -> None:
        """They are listed without the provider's tokens, here and in the account."""
        await self.link(service, member, "google", "kakao")
        listed = (await service.as_(member, "GET", "/users/me/oauth-accounts")).json()
        me = (await service.as_(member, "GET", "/users/me")).json()

        assert listed["total_count"] == 2
        assert listed["oauth_accounts"] == me["oauth_accounts"]
        assert {"oauth_name", "account_id", "account_email"} == set(me["oauth_accounts"][0])

    async def test_unlink(self, service: Any, member: Any) -> None:
        """One is unlinked; one that is not there is not found, and so is somebody else's."""
        await self.link(service, member, "google")
        other = await service.member()
        path = f"/users/me/oauth-accounts/google/google-{member.id}"
        answers = [await service.as_(who, "DELETE", path) for who in (other, member, member)]

        assert [answer.status_code for answer in answers] == [404, 204, 404]
        assert answers[0].json()["code"] == "OAUTH_ACCOUNT_NOT_FOUND"

    async def test_only_way_in(self, service: Any, member: Any) -> None:
        """Without a password the last one stays."""
        await self.link(service, member, "google", "naver")
        await service.iam.tools.change(member.id, hashed_password=None)
        paths = [f"/users/me/oauth-accounts/{name}/{name}-{member.id}" for name in ("google", "naver")]
        answers = [await service.as_(member, "DELETE", path) for path in paths]

        assert [answer.status_code for answer in answers] == [204, 409]
        assert answers[1].json()["code"] == "LAST_LOGIN_METHOD"


async def test_unverified_caller(service: Any, member: Any) -> None:
    """Whose address is no longer verified may read the account, and not change it."""
    await service.iam.tools.change(member.id, is_verified=False)
    read, written = await service.as_(member, "GET", "/users/me"), await patch(service, member, full_name="x")

    assert (read.status_code, written.status_code, written.json()["code"]) == (200, 403, "EMAIL_NOT_VERIFIED")


async def test_many_changes_at_once(service: Any, member: Any) -> None:
    """Changes at the same time all succeed, and the account is one of them."""
    answers = await asyncio.gather(*(patch(service, member, full_name=f"n{number}") for number in range(10)))

    assert {200} == {answer.status_code for answer in answers}
    assert (await service.as_(member, "GET", "/users/me")).json()["full_name"] in {f"n{number}" for number in range(10)}


async def test_login_under_way_does_not_outlive_the_password(service: Any, member: Any) -> None:
    """A login whose password was right when it began, and is not any more when it ends, opens no session."""
    tools, users = service.iam.tools, service.iam.users
    as_it_was = await tools.require(member.id)
    changed = await service.as_(
        member,
        "POST",
        "/auth/change-password",
        json={"current_password": member.password, "new_password": BATTERY},
    )
    with pytest.raises(UnauthenticatedError) as refused:
        await users.sign_in(as_it_was, Device(), amr=("pwd",))

    assert changed.status_code == 204
    assert refused.value.reason == "LOGIN_BAD_CREDENTIALS"
    assert len(await tools.sessions.list(member.id)) == 1


async def test_logins_beside_a_reset(service: Any, member: Any) -> None:
    """Of logins with the old password while it is reset, no session lives on."""
    token = await service.iam.tools.tokens.issue("reset", member.id, email=member.email, ttl=60)
    body = {"token": token, "password": BATTERY}
    logins = asyncio.gather(*(service.login(member) for _ in range(4)))
    reset, answers = await asyncio.gather(service.post("/auth/reset-password", body), logins)
    opened = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    after = [await service("GET", "/users/me", headers={"Authorization": f"Bearer {token}"}) for token in opened]

    assert reset.status_code == 204
    assert [answer.status_code for answer in after] == [401] * len(opened)
    assert await service.iam.tools.sessions.list(member.id) == ()


async def test_new_address_tells_nothing(start: Any) -> None:
    """Where registration does not tell which addresses are known, a change of the address does not either."""
    async with start(AUTH_REGISTER_ENUMERATION="strict") as service:
        members = []
        for _ in range(2):
            account = type("Account", (), {"email": service.address(), "password": BATTERY})()
            await service.post("/auth/register", {"email": account.email, "password": BATTERY})
            token = await service.outbox.token(account.email, "confirm")
            await service.post("/auth/verify", {"token": token})
            members.append(account)
        owner, curious = members
        tokens = (await service.login(curious)).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        known, unknown = [
            await service("PATCH", "/users/me", headers=headers, json={"email": address, "current_password": BATTERY})
            for address in (owner.email, service.address())
        ]
        told = await service.outbox.wait(owner.email, "already have an account")

        assert (known.status_code, unknown.status_code) == (200, 200)
        assert known.json() == unknown.json()
        assert "token=" not in told.get_body(("plain",)).get_content()


async def test_test_user_of_the_bypass(start: Any) -> None:
    """The test user of the development bypass is shown as it is, and told that it has no account to change."""
    values = {"ENVIRONMENT": "development", "MYSINGLE_AUTH_BYPASS": True, "TEST_USER_EMAIL": "dev@example.com"}
    async with start(**values) as service:
        me = await service("GET", "/users/me")
        refused = [
            await service("PATCH", "/users/me", json={"full_name": "X"}),
            await service("DELETE", "/users/me", json={"current_password": "x"}),
            await service.post("/auth/change-password", {"current_password": "x", "new_password": BATTERY}),
        ]
        member = await service.member()
        real = await service.as_(member, "GET", "/users/me")

    assert (me.status_code, me.json()["id"], me.json()["email"]) == (200, f"{1:024}", "dev@example.com")
    assert (me.json()["is_verified"], me.json()["is_superuser"], me.json()["login_count"]) == (True, False, 0)
    assert {(404, "USER_NOT_FOUND")} == {(answer.status_code, answer.json()["code"]) for answer in refused}
    assert all("has no account" in answer.json()["detail"] for answer in refused)
    assert real.json()["email"] == member.email
