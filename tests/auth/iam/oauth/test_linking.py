"""Whose account it is: the linking policy, and the rows E04, E06 and E07 of the list of attacks."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from mysingle.auth.iam._documents import AuthEvent, AuthSession, OAuthAccount, User

ADA = "ada@example.com"
PASSWORD = "Correct-Horse-9-Battery"
ACCOUNT_EXISTS = (409, "OAUTH_ACCOUNT_EXISTS")
NOT_VERIFIED = (403, "LOGIN_USER_NOT_VERIFIED")
API = "/api/v1"


def verdict(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def logged_in(service: Any, address: str = ADA) -> dict[str, str]:
    """Open a verified account, log in, and return the header of its token."""
    await service.register(address)
    answer = await service.browser.log_in(address, PASSWORD)
    headers: dict[str, str] = service.browser.as_user(answer.json()["access_token"])
    return headers


async def back_from_link(service: Any, headers: dict[str, str], **options: Any) -> dict[str, str]:
    started = await service.browser.authorize("oidc", link=True, headers=headers, **options)
    assert started.status_code == 200, started.text
    back: dict[str, str] = await service.browser.visit(started.json()["authorization_url"])
    return back


async def end_link(service: Any, back: dict[str, str], headers: dict[str, str]) -> Any:
    return await service.browser.client.post(f"{API}/oauth2/oidc/link/callback", json=back, headers=headers)


@pytest.mark.parametrize("verified", [True, False], ids=["verified here", "not verified here"])
@pytest.mark.parametrize("name", ["google", "kakao", "naver", "oidc"])
async def test_e04_unverified_at_the_provider(name: str, verified: bool, start_service: Any, provider: Any) -> None:
    """E04: an address that the provider has not verified never leads to an account of ours."""
    service = await start_service(OAUTH_AUTO_LINK="verified")
    await service.register(ADA, verify=verified)
    provider.sign_in_as("42", email="Ada@EXAMPLE.com", email_verified=False)
    answer = await service.browser.sign_in(name)

    assert verdict(answer) == ACCOUNT_EXISTS
    assert await OAuthAccount.count() == 0
    assert await AuthSession.count() == 0
    assert (await User.find_one({"email_key": ADA})).is_verified == verified


@pytest.mark.parametrize(
    "said",
    [{}, {"email_verified": None}, {"email_verified": "yes"}, {"email_verified": 1}, {"email_verified": "false"}],
    ids=str,
)
async def test_e04_anything_but_true(said: dict[str, Any], service: Any, provider: Any) -> None:
    """E04: what is not a plain yes is none."""
    await service.register(ADA)
    provider.sign_in_as("42", email=ADA, **said)

    assert verdict(await service.browser.sign_in("oidc")) == ACCOUNT_EXISTS


@pytest.mark.parametrize(("valid", "status"), [(True, 200), (False, 403), (None, 403)])
async def test_kakao_address_is_valid_too(valid: bool | None, status: int, service: Any, provider: Any) -> None:
    """At Kakao an address has to be verified and still valid."""
    provider.sign_in_as("42", email=ADA, email_verified=True, is_email_valid=valid)

    assert (await service.browser.sign_in("kakao")).status_code == status


async def test_verified_on_both_sides(service: Any, provider: Any) -> None:
    """By default an account of ours stays apart until its owner links it."""
    await service.register(ADA)

    assert verdict(await service.browser.sign_in()) == ACCOUNT_EXISTS
    assert await OAuthAccount.count() == 0


async def test_auto_link(start_service: Any, provider: Any) -> None:
    """With OAUTH_AUTO_LINK=verified, addresses verified on both sides are one person, who is told by mail."""
    service = await start_service(OAUTH_AUTO_LINK="verified")
    await service.register(ADA)
    answer = await service.browser.sign_in()
    text = await service.mailbox.to(ADA, "A new way to sign in")
    password = await service.new_browser().log_in(ADA, PASSWORD)

    assert answer.status_code == 200
    assert "Oidc" in text
    assert password.status_code == 200


async def test_account_opened_beforehand(service: Any, provider: Any) -> None:
    """Whoever opened an account with somebody else's address has no way in once the owner of the address comes."""
    text = await service.register(ADA, verify=False)
    reset = await service.browser.client.post(f"{API}/auth/forgot-password", json={"email": ADA})
    mailed = await service.mailbox.to(ADA, "Choose a new password")
    provider.sign_in_as("13", email=ADA, email_verified=False)
    naver = await service.new_browser().sign_in("naver")
    provider.sign_in_as("42", email=ADA, email_verified=True, name="Ada")
    owner = await service.new_browser().sign_in("google")
    password = await service.new_browser().log_in(ADA, PASSWORD)
    token = mailed.split("token=")[1].split()[0]
    body = {"token": token, "password": "Another-Horse-8-Battery"}
    old_reset = await service.browser.client.post(f"{API}/auth/reset-password", json=body)
    user = await User.find_one({"email_key": ADA})

    assert (reset.status_code, verdict(naver)) == (202, ACCOUNT_EXISTS)
    assert owner.status_code == 200
    assert verdict(password) == (401, "LOGIN_BAD_CREDENTIALS")
    assert verdict(old_reset) == (400, "RESET_PASSWORD_BAD_TOKEN")
    assert (await service.verify(text)).status_code == 400
    assert (user.hashed_password, user.is_verified, user.full_name) == (None, True, "Ada")


async def test_provider_account_linked_beforehand(service: Any, provider: Any) -> None:
    """Nor has whoever brought the address along from a provider that does not verify it."""
    provider.sign_in_as("13", email=ADA)
    stranger = await service.new_browser().sign_in("naver")
    provider.sign_in_as("42", email=ADA, email_verified=True)
    owner = await service.new_browser().sign_in("google")
    provider.sign_in_as("13", email=ADA)
    again = await service.new_browser().sign_in("naver")
    links = await OAuthAccount.find_all().to_list()

    assert verdict(stranger) == NOT_VERIFIED
    assert owner.status_code == 200
    assert verdict(again) == ACCOUNT_EXISTS
    assert [(link.provider, link.account_id) for link in links] == [("google", "42")]


async def test_provider_verifies_later(service: Any, provider: Any) -> None:
    """An address that the provider verifies later signs in from then on, without a mail of ours."""
    provider.sign_in_as("42", email=ADA, email_verified=False)
    first = await service.browser.sign_in()
    provider.sign_in_as("42", email=ADA, email_verified=True)
    second = await service.new_browser().sign_in()

    assert verdict(first) == NOT_VERIFIED
    assert (second.status_code, await OAuthAccount.count()) == (200, 1)


async def test_unverified_and_free(service: Any, provider: Any) -> None:
    """A free address that nobody has verified makes an account that has to be verified, and is not signed in."""
    provider.sign_in_as("42", email=ADA, email_verified=False, name="Ada")
    answer = await service.browser.sign_in()
    user = await User.find_one({"email_key": ADA})
    verified = await service.verify(await service.mailbox.to(ADA, "Confirm your address"))
    again = await service.new_browser().sign_in()

    assert verdict(answer) == NOT_VERIFIED
    assert (user.is_verified, user.hashed_password) == (False, None)
    assert await AuthSession.count() == 1
    assert (verified.status_code, again.status_code) == (200, 200)


async def test_mails_are_counted(service: Any, provider: Any) -> None:
    """Signing in again and again does not fill somebody's mailbox: three mails an hour, as with every other way."""
    provider.sign_in_as("42", email=ADA, email_verified=False)
    for _ in range(6):
        assert verdict(await service.new_browser().sign_in()) == NOT_VERIFIED
    await service.app.state.iam.tools.background.settle()
    await service.mailbox.to(ADA, "Confirm your address")
    await asyncio.sleep(0.5)

    assert 1 <= len(service.mailbox.mails) <= 3


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "not verified"])
async def test_inactive(verified: bool, start_service: Any, provider: Any) -> None:
    """An account that was switched off stays so: no sign-in, no link, no password dropped."""
    service = await start_service(OAUTH_AUTO_LINK="verified")
    await service.register(ADA, verify=verified)
    await User.find_one({"email_key": ADA}).update({"$set": {"is_active": False}})
    answer = await service.browser.sign_in()
    user = await User.find_one({"email_key": ADA})

    assert verdict(answer) == (401, "LOGIN_BAD_CREDENTIALS")
    assert await OAuthAccount.count() == 0
    assert user.hashed_password is not None


async def test_registration_closed(start_service: Any, provider: Any) -> None:
    """Where registration is closed, a provider opens no account either."""
    service = await start_service(AUTH_REGISTRATION_ENABLED=False)

    assert verdict(await service.browser.sign_in()) == (403, "REGISTRATION_DISABLED")
    assert await User.count() == 0


async def test_user_is_gone(service: Any, provider: Any) -> None:
    """A link whose user is gone counts as none."""
    await service.browser.sign_in()
    await User.find_one({"email_key": ADA}).delete()
    answer = await service.new_browser().sign_in()

    assert answer.status_code == 200
    assert (await User.count(), await OAuthAccount.count()) == (1, 1)


async def test_first_sign_ins_at_once(service: Any, provider: Any) -> None:
    """Many first sign-ins of one account at once make one user with one link, and no error of ours."""
    answers = await asyncio.gather(*(service.new_browser().sign_in() for _ in range(10)))
    verdicts = Counter(verdict(answer) for answer in answers)

    assert verdicts[200, ""] >= 1
    assert set(verdicts) <= {(200, ""), ACCOUNT_EXISTS}
    assert (await User.count(), await OAuthAccount.count()) == (1, 1)
    assert (await service.new_browser().sign_in()).status_code == 200


async def test_link(service: Any, provider: Any) -> None:
    """Somebody signed in links an account, is told by mail, and signs in with it from then on."""
    headers = await logged_in(service)
    provider.sign_in_as("42")
    answer = await end_link(service, await back_from_link(service, headers), headers)
    await service.mailbox.to(ADA, "A new way to sign in")
    signed_in = await service.new_browser().sign_in()

    assert (answer.status_code, answer.json()["oauth_accounts"][0]["account_id"]) == (200, "42")
    assert signed_in.json()["user_info"]["id"] == answer.json()["id"]


async def test_link_again(service: Any, provider: Any) -> None:
    """Linking what is linked already changes nothing."""
    headers = await logged_in(service)
    answers = [await end_link(service, await back_from_link(service, headers), headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert await OAuthAccount.count() == 1
    assert await AuthEvent.find({"kind": "oauth.linked"}).count() == 1


async def test_e06_linked_to_another_user(service: Any, provider: Any) -> None:
    """E06: an account at a provider belongs to one user."""
    provider.sign_in_as("42", email="eve@example.com", email_verified=True)
    await service.new_browser().sign_in()
    headers = await logged_in(service)
    posted = await end_link(service, await back_from_link(service, headers), headers)
    came_back = await service.browser.come_back("oidc", await back_from_link(service, headers))

    assert verdict(posted) == (409, "OAUTH_ALREADY_LINKED")
    assert verdict(came_back) == (409, "OAUTH_ALREADY_LINKED")
    assert await OAuthAccount.count() == 1


async def test_e06_at_once(service: Any, provider: Any) -> None:
    """E06: of two users who link the same account at once one succeeds."""
    everybody = [await logged_in(service, f"user{number}@example.com") for number in range(4)]
    backs = [await back_from_link(service, headers) for headers in everybody]
    pairs = zip(backs, everybody, strict=True)
    answers = await asyncio.gather(*(end_link(service, back, headers) for back, headers in pairs))

    assert sorted(verdict(answer) for answer in answers) == [(200, ""), *[(409, "OAUTH_ALREADY_LINKED")] * 3]


async def test_e07_only_login_method(service: Any, provider: Any) -> None:
    """E07: the only way to sign in stays; with a password there is another one."""
    token = (await service.browser.sign_in()).json()["access_token"]
    path, headers = f"{API}/users/me/oauth-accounts/oidc/42", service.browser.as_user(token)
    only = await service.browser.client.delete(path, headers=headers)
    await User.find_one({"email_key": ADA}).update({"$set": {"hashed_password": "something"}})
    other = await service.browser.client.delete(path, headers=headers)

    assert verdict(only) == (409, "LAST_LOGIN_METHOD")
    assert other.status_code == 204
    assert await OAuthAccount.count() == 0


@pytest.mark.parametrize(("method", "path"), [("GET", "link"), ("POST", "link/callback")])
async def test_link_needs_a_caller(method: str, path: str, service: Any) -> None:
    """Nobody links without being signed in."""
    answer = await service.browser.client.request(method, f"{API}/oauth2/oidc/{path}", json={})

    assert verdict(answer) == (401, "AUTH_REQUIRED")


async def test_link_needs_a_recent_login(service: Any, provider: Any) -> None:
    """A session that began long ago links nothing."""
    await service.register(ADA)
    tokens = (await service.browser.log_in(ADA, PASSWORD)).json()
    session = await AuthSession.find_one({})
    await AuthSession.find_one({}).update({"$set": {"auth_time": session.auth_time - timedelta(minutes=11)}})
    refreshed = await service.browser.client.post(
        f"{API}/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    headers = service.browser.as_user(refreshed.json()["access_token"])
    begun = await service.browser.authorize("oidc", link=True, headers=headers)
    ended = await end_link(service, {"state": "x", "code": "y"}, headers)

    assert [verdict(begun), verdict(ended)] == [(403, "REAUTH_REQUIRED")] * 2


async def test_link_of_another_caller(service: Any, provider: Any) -> None:
    """A linking ends with the caller who has begun it, or not at all."""
    ada, eve = await logged_in(service), await logged_in(service, "eve@example.com")
    answer = await end_link(service, await back_from_link(service, ada), eve)

    assert verdict(answer) == (400, "OAUTH_INVALID_STATE")
    assert await OAuthAccount.count() == 0


async def test_sign_in_is_no_link(service: Any, provider: Any) -> None:
    """What began as a sign-in does not end as a link."""
    headers = await logged_in(service)
    started = await service.browser.authorize("oidc")
    back = await service.browser.visit(started.json()["authorization_url"])

    assert verdict(await end_link(service, back, headers)) == (400, "OAUTH_INVALID_STATE")
    assert await OAuthAccount.count() == 0


async def test_link_ends_at_the_callback(start_service: Any, provider: Any) -> None:
    """A browser that comes back from linking is sent on, without a session of its own."""
    target = "https://app.example.com/settings"
    service = await start_service(OAUTH_REDIRECT_URLS=(target,))
    headers = await logged_in(service)
    back = await back_from_link(service, headers, params={"redirect_url": target})
    answer = await service.browser.come_back("oidc", back)

    assert (answer.status_code, answer.headers["location"]) == (303, target)
    assert "__Host-access" not in service.browser.client.cookies
    assert await OAuthAccount.count() == 1


async def test_link_after_logout(service: Any, provider: Any) -> None:
    """A linking that has begun ends with the session in which it began."""
    headers = await logged_in(service)
    back = await back_from_link(service, headers)
    await service.browser.client.post(f"{API}/auth/logout", json={"all": True}, headers=headers)

    assert verdict(await service.browser.come_back("oidc", back)) == (401, "SESSION_REVOKED")
    assert await OAuthAccount.count() == 0


async def test_events(service: Any, provider: Any) -> None:
    """The trail says that an account was opened, linked and signed in to, with the provider and no secret."""
    await service.browser.sign_in()
    await service.app.state.iam.tools.events.settle()
    events = await AuthEvent.find_all().to_list()
    kinds = {event.kind: event.detail for event in events}

    assert {"user.registered", "oauth.linked", "oauth.signed_in", "login.succeeded"} <= set(kinds)
    assert kinds["oauth.signed_in"] == {"provider": "oidc"}


async def test_reset_unlinks_what_was_there_before_the_proof(service: Any, provider: Any) -> None:
    """Who brought the address along from a provider that does not verify it has no way in after its owner's reset."""
    provider.sign_in_as("13", email=ADA)
    stranger = await service.new_browser().sign_in("naver")
    await service.browser.client.post(f"{API}/auth/forgot-password", json={"email": ADA})
    mailed = await service.mailbox.to(ADA, "Choose a new password")
    token = mailed.split("token=")[1].split()[0]
    body = {"token": token, "password": PASSWORD}
    reset = await service.browser.client.post(f"{API}/auth/reset-password", json=body)
    service.mailbox.mails.clear()
    await service.browser.client.post(f"{API}/auth/request-verify-token", json={"email": ADA})
    verified = await service.verify(await service.mailbox.to(ADA, "Confirm your address"))
    owner = await service.new_browser().log_in(ADA, PASSWORD)
    again = await service.new_browser().sign_in("naver")

    assert (verdict(stranger), reset.status_code, verified.status_code) == (NOT_VERIFIED, 204, 200)
    assert owner.status_code == 200
    assert verdict(again) == ACCOUNT_EXISTS


async def test_reset_keeps_the_links_of_a_verified_user(service: Any, provider: Any) -> None:
    """Who has verified the address keeps the accounts that are linked."""
    provider.sign_in_as("42", email=ADA, email_verified=True)
    await service.browser.sign_in("google")
    await service.browser.client.post(f"{API}/auth/forgot-password", json={"email": ADA})
    mailed = await service.mailbox.to(ADA, "Choose a new password")
    body = {"token": mailed.split("token=")[1].split()[0], "password": PASSWORD}
    reset = await service.browser.client.post(f"{API}/auth/reset-password", json=body)
    again = await service.new_browser().sign_in("google")

    assert (reset.status_code, again.status_code) == (204, 200)


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 302), (None, 302)])
async def test_link_is_begun_on_a_page_of_ours(site: str | None, status: int, service: Any, provider: Any) -> None:
    """Another site cannot open the page that links an account: the browser sends the cookies along."""
    await service.register(ADA, PASSWORD)
    client = service.new_browser().client
    await client.post(f"{API}/auth/login", params={"transport": "cookie"}, json={"email": ADA, "password": PASSWORD})
    headers = {"Accept": "text/html"} | ({"Sec-Fetch-Site": site} if site else {})
    answer = await client.get(f"{API}/oauth2/google/link", headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("look_alike", ["\uff41da@example.com", "ada@\uff45xample.com"])
async def test_look_alike_of_an_address(look_alike: str, start_service: Any, provider: Any) -> None:
    """A mailbox that only looks like the one of a user is none that the provider has verified."""
    service = await start_service(OAUTH_AUTO_LINK="verified")
    await service.register("ada@example.com", PASSWORD)
    provider.sign_in_as("13", email=look_alike, email_verified=True)
    answer = await service.new_browser().sign_in("google")

    assert verdict(answer) == (400, "OAUTH_NOT_AVAILABLE_EMAIL")
