"""Accounts begin: registration, verification, and what may not be decided by who registers."""

import asyncio
import re
from typing import Any

import pytest

from mysingle.auth.iam._users import account_key

BATTERY = "correct horse battery 9"


async def test_answer(service: Any) -> None:
    """Who registers gets the account back, with both names of its id, and nothing that is secret."""
    answer = await service.post(
        "/auth/register",
        {"email": "Ada@Example.com", "password": BATTERY, "full_name": "Ada", "avatar_url": "https://x.example/a.png"},
    )
    body = answer.json()

    assert answer.status_code == 201
    assert body["id"] == body["_id"]
    assert body | {"id": None, "_id": None, "created_at": None, "updated_at": None} == {
        "id": None,
        "_id": None,
        "email": "Ada@example.com",
        "full_name": "Ada",
        "avatar_url": "https://x.example/a.png",
        "is_active": True,
        "is_superuser": False,
        "is_verified": False,
        "roles": [],
        "oauth_accounts": [],
        "created_at": None,
        "updated_at": None,
        "last_login_at": None,
        "login_count": 0,
    }


FORGED: list[dict[str, Any]] = [
    {"is_superuser": True},
    {"is_active": False},
    {"is_verified": True},
    {"roles": ["admin"]},
    {"_id": "0" * 24},
    {"hashed_password": "x"},
    {"nonsense": 1},
]


@pytest.mark.parametrize("more", FORGED, ids=lambda more: next(iter(more)))
async def test_mass_assignment(service: Any, more: dict[str, Any]) -> None:
    """D07: a field that nobody may decide about themselves is refused."""
    answer = await service.post("/auth/register", {"email": service.address(), "password": BATTERY, **more})

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")


async def test_mass_assignment_by_older_clients(start: Any) -> None:
    """D07: for older clients such a field is ignored, and never honoured."""
    async with start(AUTH_COMPAT=True) as service:
        for more in FORGED:
            answer = await service.post("/auth/register", {"email": service.address(), "password": BATTERY, **more})
            body = answer.json()

            assert answer.status_code == 201
            assert tuple(body[name] for name in ("is_superuser", "is_active", "is_verified", "roles")) == (
                False,
                True,
                False,
                [],
            )


@pytest.mark.parametrize("style", ["standard", "older-clients"])
async def test_known_address(start: Any, style: str) -> None:
    """A known address is a 400, and a 409 for older clients."""
    async with start(AUTH_COMPAT=style != "standard") as service:
        account = await service.register()
        again = await service.post("/auth/register", {"email": account.email, "password": BATTERY})

        assert (409 if style != "standard" else 400) == again.status_code
        assert again.json()["code"] == "REGISTER_USER_ALREADY_EXISTS"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("A@X-mail.com", "a@x-mail.com", id="case"),
        pytest.param("b@x-mail.com", "\N{FULLWIDTH LATIN SMALL LETTER B}@x-mail.com", id="full-width"),
        pytest.param("c@xn--e1afmkfd.com", "c@\u043f\u0440\u0438\u043c\u0435\u0440.com", id="cyrillic-domain"),
    ],
)
async def test_one_account(service: Any, first: str, second: str) -> None:
    """D09: two spellings of one address are one account, which signs in with either."""
    account = await service.register(first)
    user = await service.iam.tools.users.by_email_key(account_key(first))
    await service.iam.tools.change(str(user.id), is_verified=True)
    again = await service.post("/auth/register", {"email": second, "password": BATTERY})
    account.email = second

    assert again.json()["code"] == "REGISTER_USER_ALREADY_EXISTS"
    assert (await service.login(account)).status_code == 200


@pytest.mark.parametrize("email", ["Name <a@x-mail.com>", "a@x", "a", "a@x-mail.com, b@x-mail.com", "a@@x-mail.com"])
async def test_no_address(service: Any, email: str) -> None:
    """D09: what is more or less than an address is refused."""
    answer = await service.post("/auth/register", {"email": email, "password": BATTERY})

    assert answer.status_code == 422


@pytest.mark.parametrize("password", ["password1!", "grace-hopper", "mysingle2026", "short", "x" * 129])
async def test_weak_password(service: Any, password: str) -> None:
    """D10: a password that is tried first is refused, with the reasons."""
    answer = await service.post("/auth/register", {"email": "grace-hopper@example.com", "password": password})
    body = answer.json()

    assert (answer.status_code, body["code"]) == (400, "REGISTER_INVALID_PASSWORD")
    assert body["reasons"] == [item["message"] for item in body["errors"]] != []
    assert {"password"} == {item["field"] for item in body["errors"]}


async def test_at_once(service: Any) -> None:
    """Of several registrations of one address at the same time one succeeds, and none fails without a reason."""
    body = {"email": service.address(), "password": BATTERY}
    answers = await asyncio.gather(*(service.post("/auth/register", body) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]


async def test_strict(start: Any) -> None:
    """Where registration must not tell, a new and a known address get the same answer, and the owner a mail."""
    async with start(AUTH_REGISTER_ENUMERATION="strict") as service:
        body = {"email": service.address(), "password": BATTERY}
        first, second = [await service.post("/auth/register", body) for _ in range(2)]

        assert (first.status_code, second.status_code, first.json()) == (202, 202, {})
        assert first.content == second.content
        await service.outbox.wait(body["email"], "confirm")
        await service.outbox.wait(body["email"], "already")


async def test_closed(start: Any) -> None:
    """Registration can be closed."""
    async with start(AUTH_REGISTRATION_ENABLED=False) as service:
        answer = await service.post("/auth/register", {"email": service.address(), "password": BATTERY})

        assert (answer.status_code, answer.json()["code"]) == (403, "REGISTRATION_DISABLED")


async def test_many_from_one_address(service: Any) -> None:
    """Registrations from one place are limited, and the refusal says when to come back."""
    for _ in range(30):
        answer = await service.post("/auth/register", {"email": service.address(), "password": BATTERY})
        if answer.status_code == 429:
            break

    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) > 0


async def test_verify_twice(service: Any) -> None:
    """The same token answers the same once more, because people click twice; it is no key to anything else."""
    account = await service.register()
    token = await service.outbox.token(account.email, "confirm")
    first, second = [await service.post("/auth/verify", {"token": token}) for _ in range(2)]

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.json()["id"] == second.json()["id"]
    assert (await reset(service, token)).json()["code"] == "RESET_PASSWORD_BAD_TOKEN"


async def reset(service: Any, token: str, password: str = "a new horse battery 5") -> Any:
    return await service.post("/auth/reset-password", {"token": token, "password": password})


async def test_verify_again_by_mail(service: Any) -> None:
    """A link can be asked for again, and then the former one is worth nothing."""
    account = await service.register()
    former = await service.outbox.token(account.email, "confirm")
    answer = await service.post("/auth/request-verify-token", {"email": account.email})
    token = await service.outbox.token(account.email, "confirm", count=2)

    assert (answer.status_code, answer.json()) == (202, {})
    assert (await service.post("/auth/verify", {"token": former})).json()["code"] == "VERIFY_USER_BAD_TOKEN"
    assert (await service.post("/auth/verify", {"token": token})).status_code == 200


@pytest.mark.parametrize("path", ["/auth/forgot-password", "/auth/request-verify-token"])
async def test_nobody_learns_who_has_an_account(service: Any, path: str) -> None:
    """D12: known, unknown and inactive addresses get the same answer, and only the known one a mail."""
    known = await service.register()
    inactive = await service.member(is_active=True)
    await service.iam.tools.change(inactive.id, is_active=False)
    before = len(service.outbox.to(inactive.email))
    answers = [await service.post(path, {"email": email}) for email in (known.email, service.address(), inactive.email)]
    await service.settle()

    assert [answer.status_code for answer in answers] == [202] * 3
    assert {b"{}"} == {answer.content for answer in answers}
    await service.outbox.wait(known.email, count=2)
    assert before == len(service.outbox.to(inactive.email))


async def test_three_mails_an_hour(service: Any) -> None:
    """D12: nobody can fill a mailbox: the fourth link within the hour is not sent, and the answer does not say so."""
    account = await service.member()
    for _ in range(5):
        answer = await service.post("/auth/forgot-password", {"email": account.email})
        assert answer.status_code == 202
        await service.settle()
    await service.outbox.wait(account.email, "choose", count=3)
    await asyncio.sleep(0.1)

    assert sum("Choose" in mail["Subject"] for mail in service.outbox.to(account.email)) == 3


async def test_links_ignore_the_host(service: Any) -> None:
    """The link in a mail begins with the configured address, whatever the request says its host is."""
    account = await service.member()
    await service.post("/auth/forgot-password", {"email": account.email}, headers={"Host": "evil.example"})
    mail = await service.outbox.wait(account.email, "choose")
    body = mail.get_body(("plain",)).get_content()

    assert "evil" not in body
    assert "http://test/" in body


BAD_TOKENS = ["", "x", "x" * 600, "\x00", "é" * 43, "A" * 43]


@pytest.mark.parametrize("token", BAD_TOKENS, ids=range(len(BAD_TOKENS)))
@pytest.mark.parametrize(
    ("path", "code", "more"),
    [
        ("/auth/verify", "VERIFY_USER_BAD_TOKEN", {}),
        ("/auth/reset-password", "RESET_PASSWORD_BAD_TOKEN", {"password": BATTERY}),
    ],
)
async def test_no_token(service: Any, path: str, code: str, more: dict[str, str], token: str) -> None:
    """What is no token is refused, and never an error of ours."""
    answer = await service.post(path, {"token": token, **more})
    is_form = token and len(token) <= 512

    assert (400, code) if is_form else (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")


async def forgot(service: Any, account: Any, count: int = 1) -> str:
    await service.post("/auth/forgot-password", {"email": account.email})
    token: str = await service.outbox.token(account.email, "choose", count)
    return token


class TestResetToken:
    """D11: a token is good once, for one account, and for what it was issued for."""

    async def test_twice(self, service: Any) -> None:
        """A token that was used is worth nothing."""
        token = await forgot(service, await service.member())

        assert [(await reset(service, token)).status_code for _ in range(2)] == [204, 400]

    async def test_bit(self, service: Any) -> None:
        """A token with one bit changed is worth nothing, and the real one still works."""
        token = await forgot(service, await service.member())
        changed = token[:-2] + chr(ord(token[-2]) ^ 1) + token[-1]

        assert [(await reset(service, given)).status_code for given in (changed, token)] == [400, 204]

    async def test_refused_password(self, service: Any) -> None:
        """A password that is refused does not use the token up."""
        token = await forgot(service, await service.member())
        refused = await reset(service, token, "password1!")

        assert (refused.status_code, refused.json()["code"]) == (400, "RESET_PASSWORD_INVALID_PASSWORD")
        assert (await reset(service, token)).status_code == 204

    async def test_other_kind(self, service: Any) -> None:
        """A token to choose a password verifies no address."""
        token = await forgot(service, await service.member())
        answer = await service.post("/auth/verify", {"token": token})

        assert answer.json()["code"] == "VERIFY_USER_BAD_TOKEN"

    async def test_after_password_change(self, service: Any) -> None:
        """Whoever has changed the password meanwhile has made the token worthless."""
        account = await service.member()
        token = await forgot(service, account)
        body = {"current_password": account.password, "new_password": "another horse battery 4"}
        assert (await service.as_(account, "POST", "/auth/change-password", json=body)).status_code == 204

        assert (await reset(service, token)).json()["code"] == "RESET_PASSWORD_BAD_TOKEN"

    async def test_after_address_change(self, service: Any) -> None:
        """A token that went to the former address is worth nothing."""
        account = await service.member()
        token = await forgot(service, account)
        new = service.address()
        body = {"email": new, "current_password": account.password}
        assert (await service.as_(account, "PATCH", "/users/me", json=body)).status_code == 200
        confirmed = await service.post("/auth/verify", {"token": await service.outbox.token(new, "confirm")})

        assert new == confirmed.json()["email"]
        assert (await reset(service, token)).json()["code"] == "RESET_PASSWORD_BAD_TOKEN"

    async def test_expired(self, service: Any) -> None:
        """A token that is too old is worth nothing."""
        account = await service.member()
        token = await service.iam.tools.tokens.issue("reset", account.id, email=account.email, ttl=-1)

        assert (await reset(service, token)).json()["code"] == "RESET_PASSWORD_BAD_TOKEN"

    async def test_inactive(self, service: Any) -> None:
        """Whose account is no longer active cannot open it with an old link."""
        account = await service.member()
        token = await forgot(service, account)
        await service.iam.tools.change(account.id, is_active=False)

        assert (await reset(service, token)).json()["code"] == "RESET_PASSWORD_BAD_TOKEN"

    async def test_owner_is_told(self, service: Any) -> None:
        """The owner hears of a new password."""
        account = await service.member()
        await reset(service, await forgot(service, account))

        await service.outbox.wait(account.email, "was changed")


@pytest.mark.parametrize("kind", ["verify", "reset"])
async def test_opening_a_link_uses_nothing_up(service: Any, kind: str) -> None:
    """The page behind a link is the front end's: what only looks at it, as scanners of mail do, uses no token up."""
    account = await service.register()
    subject = "confirm"
    if kind == "reset":
        await service.post("/auth/forgot-password", {"email": account.email})
        subject = "choose"
    mail = await service.outbox.wait(account.email, subject)
    (link,) = re.findall(r"https?://\S+", mail.get_body(("plain",)).get_content())
    opened = [await service.http.request(method, link) for method in ("GET", "HEAD", "GET")]
    token = await service.outbox.token(account.email, subject)
    body = {"token": token, "password": "another horse battery 2"} if kind == "reset" else {"token": token}
    used = await service.post("/auth/reset-password" if kind == "reset" else "/auth/verify", body)

    assert all(answer.status_code in (401, 404, 405) for answer in opened)
    assert used.status_code in (200, 204)
