"""The rows E01, E03 and E08 of the list of attacks: states, id tokens and providers that are not as they should be."""

import asyncio
import time
from typing import Any

import pytest

from mysingle.auth.iam._documents import AuthSession, OAuthAccount, OAuthState, User

INVALID_STATE = (400, "OAUTH_INVALID_STATE")
INVALID_TOKEN = (400, "OAUTH_INVALID_ID_TOKEN")
FAILED = (502, "OAUTH_PROVIDER_ERROR")
ENDLESS = ("hang", "drip")
SHORT = {"OAUTH_TIMEOUT_SECONDS": 1.0}


def verdict(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def begun(service: Any, name: str = "oidc") -> dict[str, str]:
    """Go to the provider and return what it sends back with."""
    started = await service.browser.authorize(name)
    back: dict[str, str] = await service.browser.visit(started.json()["authorization_url"])
    return back


async def nothing_happened() -> bool:
    counts = [await model.count() for model in (User, OAuthAccount, AuthSession)]
    return counts == [0, 0, 0]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"state": ""},
        {"state": "A" * 43},
        {"state": "A" * 200},
        {"state": '\u00e4\u0000; x="y"'},
        {"state": None, "code": None},
        {"state": None, "error": "access_denied"},
    ],
    ids=["no state", "empty", "wrong", "long", "odd characters", "nothing", "error without state"],
)
async def test_e01_state(change: dict[str, str | None], method: str, service: Any, provider: Any) -> None:
    """E01: without the state of a sign-in nothing happens, and the provider is not even asked."""
    changed = await begun(service) | change
    back = {name: value for name, value in changed.items() if value is not None}
    options = {"params": back} if method == "GET" else {"json": back}
    answer = await service.browser.client.request(method, "/api/v1/oauth2/oidc/callback", **options)

    assert verdict(answer) == INVALID_STATE
    assert provider.calls("/token") == []
    assert await nothing_happened()


async def test_e01_state_of_another_provider(service: Any, provider: Any) -> None:
    """E01: a state works at the callback of its own provider only, and a try elsewhere does not spoil it."""
    back = await begun(service, "google")
    elsewhere = await service.browser.come_back("oidc", back)
    at_home = await service.browser.come_back("google", back)

    assert verdict(elsewhere) == INVALID_STATE
    assert at_home.status_code == 200


async def test_e01_replayed(service: Any, provider: Any) -> None:
    """E01: a state works once."""
    back = await begun(service)
    cookies = dict(service.browser.client.cookies)
    first = await service.browser.come_back("oidc", back)
    service.browser.client.cookies.update(cookies)
    second = await service.browser.come_back("oidc", back)

    assert first.status_code == 200
    assert verdict(second) == INVALID_STATE


async def test_e01_other_browser(service: Any, provider: Any) -> None:
    """E01: in a browser where the sign-in has not begun a state does nothing, also with a cookie of its own."""
    back = await begun(service)
    other = service.new_browser()
    without_cookie = await other.come_back("oidc", back)
    (name,) = [name for name in service.browser.client.cookies if "oauth-" in name]
    other.client.cookies.set(name, "A" * 43)
    wrong_cookie = await other.come_back("oidc", back)
    own = await service.browser.come_back("oidc", back)

    assert verdict(without_cookie) == INVALID_STATE
    assert verdict(wrong_cookie) == INVALID_STATE
    assert own.status_code == 200


async def test_e01_two_cookies_of_one_name(service: Any, provider: Any) -> None:
    """E01: of two cookies with one name nobody knows which is ours, so none is."""
    back = await begun(service)
    ((name, value),) = [item for item in service.browser.client.cookies.items() if "oauth-" in item[0]]
    answer = await service.new_browser().come_back("oidc", back, headers={"Cookie": f"{name}=x; {name}={value}"})

    assert verdict(answer) == INVALID_STATE


async def test_e01_expired(service: Any, provider: Any) -> None:
    """E01: a state is over after ten minutes, whether MongoDB has removed it or not."""
    back = await begun(service)
    (kept,) = await OAuthState.find_all().to_list()
    left = kept.expires_at.timestamp() - time.time()
    await OAuthState.get_pymongo_collection().update_one(
        {"_id": kept.id},
        {"$set": {"expires_at": kept.expires_at.fromtimestamp(time.time() - 1, kept.expires_at.tzinfo)}},
    )
    answer = await service.browser.come_back("oidc", back)

    assert 500 < left <= 600
    assert verdict(answer) == INVALID_STATE


FORGED: dict[str, dict[str, Any]] = {
    "wrong aud": {"claims": {"aud": "client-2"}},
    "no aud": {"claims": {"aud": None}},
    "aud without us": {"claims": {"aud": ["client-2", "client-3"]}},
    "several aud without azp": {"claims": {"aud": ["client-1", "client-2"]}},
    "wrong azp": {"claims": {"azp": "client-2"}},
    "wrong azp of several": {"claims": {"aud": ["client-1", "client-2"], "azp": "client-2"}},
    "wrong iss": {"claims": {"iss": "https://evil.test"}},
    "iss of Google without its address": {"claims": {"iss": "accounts.google.com"}},
    "no iss": {"claims": {"iss": None}},
    "wrong nonce": {"claims": {"nonce": "A" * 43}},
    "no nonce": {"claims": {"nonce": None}},
    "nonce of another type": {"claims": {"nonce": 1}},
    "expired": {"lifetime": -31},
    "expired long ago": {"lifetime": -3600},
    "no exp": {"claims": {"exp": None}},
    "exp as text": {"claims": {"exp": "9999999999"}},
    "exp is true": {"claims": {"exp": True}},
    "old": {"claims": {"iat": 1_600_000_000}},
    "from the future": {"claims": {"iat": 4_000_000_000}},
    "not yet valid": {"claims": {"nbf": 4_000_000_000}},
    "no iat": {"claims": {"iat": None}},
    "no sub": {"claims": {"sub": None}},
    "empty sub": {"claims": {"sub": ""}},
    "number as sub": {"claims": {"sub": 42}},
    "long sub": {"claims": {"sub": "x" * 256}},
    "alg none": {"signed_by": "none"},
    "alg none with kid": {"signed_by": "none", "header": {"kid": "key-1"}},
    "alg NoNe": {"signed_by": "none", "header": {"alg": "NoNe", "kid": "key-1"}},
    "other key": {"signed_by": "other"},
    "client secret as key": {"signed_by": "secret"},
    "public key as secret": {"signed_by": "public"},
    "unknown kid": {"header": {"kid": "key-2"}},
    "no kid": {"header": {"kid": None}},
    "kid of another algorithm": {"header": {"kid": "key-ec"}},
    "kid is a path": {"header": {"kid": "../../dev/null"}},
    "brings a key along": {"header": {"jku": "https://evil.test/jwks"}},
    "an access token": {"header": {"typ": "at+jwt"}},
}


@pytest.mark.parametrize("switches", FORGED.values(), ids=FORGED)
async def test_e03_id_token(switches: dict[str, Any], service: Any, provider: Any) -> None:
    """E03: an id token that is wrong in any way signs nobody in, and leaves nothing behind."""
    provider.behave(**switches)
    answer = await service.browser.sign_in("oidc")

    assert verdict(answer) == INVALID_TOKEN
    assert await nothing_happened()


@pytest.mark.parametrize("name", ["google", "kakao"])
@pytest.mark.parametrize(
    "case", ["wrong aud", "wrong iss", "wrong nonce", "wrong azp", "alg none", "other key", "expired"]
)
async def test_e03_named_providers(case: str, name: str, service: Any, provider: Any) -> None:
    """E03: Google and Kakao are no exceptions."""
    provider.behave(**FORGED[case])

    assert verdict(await service.browser.sign_in(name)) == INVALID_TOKEN
    assert await nothing_happened()


async def test_e03_key_of_another_provider(service: Any, provider: Any) -> None:
    """E03: a token that another provider has made for this very client is not one of this provider."""
    provider.behave(claims={"iss": f"{provider.url}/google"})

    assert verdict(await service.browser.sign_in("oidc")) == INVALID_TOKEN


async def test_e03_algorithm_of_a_provider(service: Any, provider: Any) -> None:
    """E03: Google and Kakao sign with RS256 alone."""
    provider.behave(signed_by="ec")

    assert verdict(await service.browser.sign_in("google")) == INVALID_TOKEN


@pytest.mark.parametrize(("name", "answer"), [("oidc", {"sub": "43"}), ("kakao", {"id": 43})])
async def test_e03_profile_of_another_account(name: str, answer: dict[str, Any], service: Any, provider: Any) -> None:
    """E03: a profile that belongs to another subject than the id token is refused."""
    provider.behave(email_in_userinfo=True, userinfo=answer)

    assert verdict(await service.browser.sign_in(name)) == INVALID_TOKEN
    assert await nothing_happened()


async def test_several_audiences(service: Any, provider: Any) -> None:
    """Of several audiences we are one, and the token was made for us."""
    provider.behave(claims={"aud": ["client-1", "project"], "azp": "client-1"})

    assert (await service.browser.sign_in("oidc")).status_code == 200


@pytest.mark.parametrize("email", [{}, {"email": ""}, {"email": "no address"}, {"email": "Ada <ada@example.com>"}])
@pytest.mark.parametrize("name", ["google", "kakao", "naver", "oidc"])
async def test_e08_no_email(name: str, email: dict[str, str], service: Any, provider: Any) -> None:
    """E08: without an address of the account no user is made."""
    provider.sign_in_as("42", email_verified=True, **email)

    assert verdict(await service.browser.sign_in(name)) == (400, "OAUTH_NOT_AVAILABLE_EMAIL")
    assert await nothing_happened()


@pytest.mark.parametrize(
    "how", ["500", "hang", "drip", "html", "big", "deep", "list", "empty", "twice", "zip", "redirect"]
)
@pytest.mark.parametrize(
    ("name", "endpoint"), [("oidc", "token"), ("oidc", "jwks"), ("oidc", "userinfo"), ("kakao", "me"), ("naver", "me")]
)
async def test_e08_broken_answers(name: str, endpoint: str, how: str, start_service: Any, provider: Any) -> None:
    """E08: a provider that fails, hangs, or answers something else is a 502 within its time, and nothing is left."""
    service = await start_service(**(SHORT if how in ENDLESS else {}))
    provider.behave(fail={endpoint: how}, email_in_userinfo=True)

    expected = INVALID_TOKEN if (endpoint, how) == ("userinfo", "empty") else FAILED
    assert verdict(await service.browser.sign_in(name)) == expected
    assert await nothing_happened()


@pytest.mark.parametrize("how", ["500", "hang", "html", "big", "empty", "redirect"])
async def test_e08_broken_discovery(how: str, start_service: Any, provider: Any) -> None:
    """E08: a provider whose metadata cannot be read is a 502 at the beginning."""
    service = await start_service(**(SHORT if how in ENDLESS else {}))
    provider.behave(fail={"openid-configuration": how})

    assert verdict(await service.browser.authorize("oidc")) == FAILED


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://provider.example.com/token"},
        {"token_endpoint": "http://user@127.0.0.1/token"},
        {"token_endpoint": "http://["},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": 1},
    ],
)
async def test_metadata_are_checked(metadata: dict[str, Any], service: Any, provider: Any) -> None:
    """Metadata of another issuer, or with an address that anybody on the way could read, are not believed."""
    provider.behave(metadata=metadata)

    assert verdict(await service.browser.authorize("oidc")) == FAILED


async def test_provider_comes_back(service: Any, provider: Any) -> None:
    """A provider that was away is asked again, and soon."""
    provider.behave(fail={"openid-configuration": "500"})
    assert verdict(await service.browser.authorize("oidc")) == FAILED
    provider.behave()
    deadline = time.monotonic() + 20
    while (answer := await service.browser.authorize("oidc")).status_code != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)  # beginning again is limited

    assert answer.status_code == 200


async def test_beginnings_are_limited(service: Any, provider: Any) -> None:
    """A hundred sign-ins in 15 minutes may begin from one address; whoever links is counted as themselves."""
    await service.register("ada@example.com")
    signed_in = await service.browser.log_in("ada@example.com", "Correct-Horse-9-Battery")
    headers = service.browser.as_user(signed_in.json()["access_token"])
    answers = [await service.browser.authorize("oidc") for _ in range(102)]
    linking = await service.browser.authorize("oidc", link=True, headers=headers)
    unknown = await service.browser.authorize("nobody")

    assert [answer.status_code for answer in answers] == [200] * 100 + [429] * 2
    assert verdict(answers[-1]) == (429, "RATE_LIMITED")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900
    assert await OAuthState.count() == 101
    assert (linking.status_code, unknown.status_code) == (200, 404)


@pytest.mark.parametrize("back", [{"error": "access_denied"}, {"error": ""}, {}, {"code": ""}, {"code": "wrong"}])
async def test_no_code(back: dict[str, str], service: Any, provider: Any) -> None:
    """Whoever comes back without a code that is good has not signed in, and has to start again."""
    started = await begun(service)
    first = await service.browser.come_back("oidc", {"state": started["state"], **back})
    second = await service.browser.come_back("oidc", started)

    assert verdict(first) == FAILED
    assert verdict(second) == INVALID_STATE


async def test_answers_tell_nothing(service: Any, provider: Any, logged: list[Any]) -> None:
    """What a provider said, and what was wrong with a token, stays in the log."""
    provider.behave(fail={"token": "html"})
    failed = await service.browser.sign_in("oidc")
    provider.behave(**FORGED["wrong aud"])
    forged = await service.browser.sign_in("oidc")

    assert "Sorry" not in failed.text
    assert "aud" not in forged.json()["detail"]
    assert [entry["problem"] for entry in logged if entry["event"] == "oauth.refused" and "problem" in entry] == ["aud"]
