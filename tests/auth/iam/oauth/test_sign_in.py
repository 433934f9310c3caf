"""The way to a provider and back: what is sent, what is kept, and where the browser ends."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mysingle.auth.iam._documents import OAuthAccount, OAuthState, User
from mysingle.auth.iam._oauth.tokens import TokenVault
from mysingle.auth.iam._oauth.values import Capabilities
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.core import get_settings

ADA = "ada@example.com"


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def state_cookies(answer: Any) -> list[str]:
    return [line for line in answer.headers.get_list("set-cookie") if "oauth-" in line]


@pytest.mark.parametrize("name", ["google", "kakao", "oidc"])
async def test_first_sign_in(name: str, service: Any, provider: Any) -> None:
    """The first sign-in with a verified address opens a verified account without a password, and a session."""
    answer = await service.browser.sign_in(name)
    body = answer.json()
    me = await service.browser.client.get("/api/v1/users/me", headers=service.browser.as_user(body["access_token"]))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (body["token_type"], body["user_info"]["email"], body["user_info"]["is_verified"]) == ("bearer", ADA, True)
    assert me.json()["full_name"] == "Ada"
    assert me.json()["oauth_accounts"] == [{"oauth_name": name, "account_id": "42", "account_email": ADA}]
    assert (await User.find_one({"email_key": ADA})).hashed_password is None
    assert (await OAuthAccount.find_one({"provider": name})).tokens is None


async def test_second_sign_in(service: Any, provider: Any) -> None:
    """The account at the provider decides who signs in, whatever its address has become."""
    first = (await service.browser.sign_in()).json()["user_info"]["id"]
    provider.sign_in_as("42", email="other@example.com", email_verified=False)
    again = await service.new_browser().sign_in()
    provider.sign_in_as("42")
    without = await service.new_browser().sign_in()

    assert [first, first] == [again.json()["user_info"]["id"], without.json()["user_info"]["id"]]
    assert await User.count() == 1


@pytest.mark.parametrize(
    ("name", "scopes", "knows_nonce"),
    [
        ("google", "openid email profile", True),
        ("kakao", "openid profile_nickname account_email", True),
        ("naver", "profile email", False),
        ("oidc", "openid email profile", True),
    ],
)
async def test_what_is_asked(name: str, scopes: str, knows_nonce: bool, service: Any, provider: Any) -> None:
    """Every provider gets state, an S256 challenge, its own callback and the scopes; nonce where there is one."""
    answer = await service.browser.authorize(name, params={"scopes": ["openid", "extra"]} if name == "oidc" else {})
    sent = asked(answer.json()["authorization_url"])

    assert sent == sent | {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": f"https://iam.example.com/api/v1/oauth2/{name}/callback",
        "scope": scopes + (" extra" if name == "oidc" else ""),
        "code_challenge_method": "S256",
    }
    assert len(base64.urlsafe_b64decode(sent["state"] + "=")) == 32
    assert ("nonce" in sent) == knows_nonce
    assert "secret" not in answer.text


async def test_what_is_kept(service: Any, provider: Any) -> None:
    """The database knows the state and the browser by their hashes only, and the verifier never leaves the server."""
    answer = await service.browser.authorize("oidc")
    sent = asked(answer.json()["authorization_url"])
    (kept,) = await OAuthState.find_all().to_list()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(kept.code_verifier.encode()).digest()).rstrip(b"=").decode()

    assert sent["code_challenge"] == challenge
    assert kept.id == hashlib.sha256(sent["state"].encode()).hexdigest()
    assert sent["state"] not in kept.model_dump_json()
    assert all(secret not in answer.text for secret in (kept.code_verifier, kept.browser_hash))


async def test_cookie(service: Any, provider: Any) -> None:
    """The cookie of a sign-in belongs to this host alone, is out of reach for scripts, and ends with the sign-in."""
    started = await service.browser.authorize("oidc")
    (line,) = state_cookies(started)
    ended = await service.browser.come_back("oidc", await service.browser.visit(started.json()["authorization_url"]))
    (gone,) = state_cookies(ended)

    assert line.startswith("__Host-oauth-")
    assert {"Path=/", "Max-Age=600", "Secure", "HttpOnly", "SameSite=Lax"} <= set(line.split("; "))
    assert "domain" not in line.lower()
    assert gone.split("=")[0] == line.split("=")[0]
    assert "Max-Age=0" in gone


async def test_cookie_of_development(start_service: Any, provider: Any) -> None:
    """Over plain http, which only development has, the cookie has its name without the prefix."""
    service = await start_service(PUBLIC_BASE_URL="http://localhost:8000", ENVIRONMENT="development")
    started = await service.browser.authorize("oidc")
    (line,) = state_cookies(started)
    ended = await service.browser.come_back("oidc", await service.browser.visit(started.json()["authorization_url"]))

    assert line.startswith("oauth-")
    assert "Secure" not in line
    assert ended.status_code == 200


async def test_two_at_once(service: Any, provider: Any) -> None:
    """Two sign-ins that begin in one browser both come to their end."""
    browser = service.browser
    urls = [(await browser.authorize("oidc")).json()["authorization_url"] for _ in range(2)]
    answers = [await browser.come_back("oidc", await browser.visit(url)) for url in urls]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_page_is_sent_at_once(service: Any, provider: Any) -> None:
    """A browser that opens the address as a page goes to the provider with a 302, and has its cookie."""
    answer = await service.browser.authorize("oidc", headers={"Accept": "text/html,*/*"})

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(provider.url)
    assert len(state_cookies(answer)) == 1


async def test_older_clients(start_service: Any, provider: Any) -> None:
    """With AUTH_COMPAT the address is a bare JSON string."""
    service = await start_service(AUTH_COMPAT=True)
    answer = await service.browser.authorize("oidc")

    assert str(json.loads(answer.text)).startswith(provider.url)


@pytest.mark.parametrize("kind", ["json", "data"])
async def test_posted_back(kind: str, service: Any, provider: Any) -> None:
    """A page at the front may post what it received, as JSON or as a form; cookies are there for the asking."""
    browser = service.browser
    back = await browser.visit((await browser.authorize("oidc")).json()["authorization_url"])
    answer = await browser.client.post(
        "/api/v1/oauth2/oidc/callback", params={"transport": "cookie"}, **{kind: back | {"session_state": "ignored"}}
    )

    assert answer.status_code == 200
    assert answer.json()["access_token"] is None
    assert browser.client.cookies["__Host-access"]
    assert (await browser.client.get("/api/v1/users/me")).json()["email"] == ADA


async def test_redirect(start_service: Any, provider: Any) -> None:
    """With a redirect the browser ends there with a 303, its tokens in cookies and never in the address."""
    target = "https://app.example.com/welcome?from=login"
    service = await start_service(OAUTH_REDIRECT_URLS=(target,))
    answer = await service.browser.sign_in(params={"redirect_url": target})

    assert (answer.status_code, answer.headers["location"]) == (303, target)
    assert service.browser.client.cookies["__Host-access"]
    assert (await service.browser.client.get("/api/v1/users/me")).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/welcome/",
        "https://app.example.com/welcome?x=1",
        "https://app.example.com/Welcome",
        "https://app.example.com",
        "https://app.example.com.evil.test/welcome",
        "https://app.example.com@evil.test/welcome",
        "//evil.test",
        "javascript:alert(1)",
        "",
    ],
)
async def test_redirect_is_exact(url: str, start_service: Any) -> None:
    """Only an address of OAUTH_REDIRECT_URLS, character by character, is one to be sent to."""
    service = await start_service(OAUTH_REDIRECT_URLS=("https://app.example.com/welcome",))
    answer = await service.browser.authorize("oidc", params={"redirect_url": url})

    assert (answer.status_code, answer.json()["code"]) == (400, "OAUTH_INVALID_REDIRECT")


async def test_failure_at_a_browser(start_service: Any, provider: Any) -> None:
    """A person at a browser is sent to the redirect also after a failure, with its reason; a client gets the error."""
    target = "https://app.example.com/welcome?from=login"
    service = await start_service(OAUTH_REDIRECT_URLS=(target,))
    answers = []
    for accept in ("text/html", "application/json"):
        started = await service.browser.authorize("oidc", params={"redirect_url": target})
        state = asked(started.json()["authorization_url"])["state"]
        back = {"state": state, "error": "access_denied"}
        answers.append(await service.browser.come_back("oidc", back, headers={"Accept": accept}))
    page, client = answers

    assert (page.status_code, page.headers["location"]) == (303, f"{target}&error=OAUTH_PROVIDER_ERROR")
    assert (client.status_code, client.json()["code"]) == (502, "OAUTH_PROVIDER_ERROR")


@pytest.mark.parametrize("path", ["authorize", "callback"])
@pytest.mark.parametrize("name", ["github", "GOOGLE", "oidc%00"])
async def test_unknown_provider(path: str, name: str, service: Any) -> None:
    """A provider that is not on is not found."""
    answer = await service.browser.client.get(f"/api/v1/oauth2/{name}/{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "OAUTH_UNKNOWN_PROVIDER")


async def test_secret_switches_on(start_service: Any) -> None:
    """A provider without its secret is off."""
    service = await start_service(GOOGLE_OAUTH_CLIENT_SECRET=None)

    assert (await service.browser.authorize("google")).status_code == 404
    assert (await service.browser.authorize("kakao")).status_code == 200


async def test_secret_goes_where_the_provider_wants_it(service: Any, provider: Any) -> None:
    """The client's secret is sent as basic authentication or in the form, as the metadata say, and nowhere else."""
    await service.browser.sign_in("oidc")
    (basic,) = provider.calls("/oidc/token")
    provider.behave()
    await service.new_browser().sign_in("google")
    (posted,) = provider.calls("/google/token")

    assert basic["authorization"].startswith("Basic ")
    assert "client_secret" not in basic["form"]
    assert posted["authorization"] == ""
    assert "client_secret" in posted["form"]


async def test_userinfo(service: Any, provider: Any) -> None:
    """An address that is not in the id token is asked for at the userinfo endpoint."""
    provider.behave(email_in_userinfo=True)
    answer = await service.browser.sign_in()

    assert answer.json()["user_info"]["email"] == ADA


async def test_elliptic_key(service: Any, provider: Any) -> None:
    """An id token may be signed with any algorithm of the list that the provider has a key for."""
    provider.behave(signed_by="ec")

    assert (await service.browser.sign_in()).status_code == 200


async def test_naver(service: Any, provider: Any) -> None:
    """Naver gets the state at its token endpoint again, and its address, which nobody has verified, is."""
    answer = await service.browser.sign_in("naver")
    (call,) = provider.calls("/oauth2.0/token")
    text = await service.mailbox.to(ADA, "Confirm your address")
    verified = await service.verify(text)
    again = await service.new_browser().sign_in("naver")

    assert (answer.status_code, answer.json()["code"]) == (403, "LOGIN_USER_NOT_VERIFIED")
    assert call["form"]["state"]
    assert verified.status_code == 200
    assert again.status_code == 200


async def test_tokens_are_kept_encrypted(start_service: Any, provider: Any) -> None:
    """With OAUTH_STORE_TOKENS the provider's tokens are there, sealed, and open for their own account only."""
    service = await start_service(OAUTH_STORE_TOKENS=True)
    await service.browser.sign_in()
    first = await OAuthAccount.find_one({"provider": "oidc"})
    await service.new_browser().sign_in()
    second = await OAuthAccount.find_one({"provider": "oidc"})
    settings = get_settings()
    vault = TokenVault(settings, MasterSecret.from_settings(settings))

    assert "provider-refresh" not in first.tokens
    assert first.tokens != second.tokens
    assert vault.open(second.tokens, "oidc", "42").refresh_token == "provider-refresh"
    assert vault.open(second.tokens, "oidc", "43") is None
    assert vault.open(second.tokens[:-4] + "AAAA", "oidc", "42") is None
    assert (
        TokenVault(settings, MasterSecret(b"another secret of 32 bytes length")).open(second.tokens, "oidc", "42")
        is None
    )


async def test_capabilities(service: Any) -> None:
    """What each provider is known to check is written down."""
    known = {name: item.capabilities for name, item in service.app.state.iam.oauth._providers.items()}

    assert known == {
        "google": Capabilities(pkce=True, nonce=True, id_token=True),
        "kakao": Capabilities(pkce=False, nonce=True, id_token=True),
        "naver": Capabilities(pkce=False, nonce=False, id_token=False),
        "oidc": Capabilities(pkce=True, nonce=True, id_token=True),
    }
