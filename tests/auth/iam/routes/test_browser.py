"""Sessions in cookies: what the browser keeps, and that only pages of ours may use it."""

from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.websockets import WebSocket


def cookies_of(answer: Any) -> dict[str, Any]:
    lines = answer.headers.get_list("set-cookie")
    return {name: morsel for line in lines for name, morsel in SimpleCookie(line).items()}


@pytest.mark.parametrize(
    ("settings", "access", "refresh", "csrf"),
    [
        ({"PUBLIC_BASE_URL": "https://test"}, "__Host-access", "__Host-refresh", "__Host-csrf"),
        ({}, "access", "refresh", "csrf"),
        ({"AUTH_COMPAT": True, "PUBLIC_BASE_URL": "https://test"}, "access_token", "refresh_token", "csrf"),
    ],
    ids=["https", "development-over-http", "older-clients"],
)
async def test_cookies(start: Any, settings: dict[str, Any], access: str, refresh: str, csrf: str) -> None:
    """The tokens are in cookies that no script reads, and in the body there are none."""
    async with start(**settings) as service:
        member = await service.member()
        async with service.browser(member) as browser:
            body, cookies = browser.login.json(), cookies_of(browser.login)
            is_secure = "PUBLIC_BASE_URL" in settings

            assert (None, None, member.id) == (body["access_token"], body["refresh_token"], body["user_info"]["id"])
            assert {access, refresh, csrf} == set(cookies)
            assert (cookies[access]["samesite"], cookies[refresh]["samesite"]) == ("Lax", "Strict")
            assert [cookies[name]["httponly"] for name in (access, refresh, csrf)] == [True, True, ""]
            assert {True if is_secure else ""} == {morsel["secure"] for morsel in cookies.values()}
            assert {"/"} == {morsel["path"] for morsel in cookies.values()}
            assert {""} == {morsel["domain"] for morsel in cookies.values()}
            assert [cookies[name]["max-age"] for name in (access, refresh, csrf)] == ["900", "2592000", "2592000"]


async def test_life_in_a_browser(service: Any) -> None:
    """A page reads, writes, refreshes and signs out with cookies alone."""
    member = await service.member()
    async with service.browser(member) as browser:
        read = await browser("GET", "/users/me")
        written = await browser("PATCH", "/users/me", json={"full_name": "Ada"}, headers=browser.page)
        refreshed = await browser("POST", "/auth/refresh", headers=browser.page)
        read_again = await browser("GET", "/users/me")
        left = await browser("POST", "/auth/logout", headers=browser.page)
        after = await browser("GET", "/users/me")

    assert [answer.status_code for answer in (read, written, refreshed, read_again, left, after)] == [
        200,
        200,
        200,
        200,
        204,
        401,
    ]
    assert refreshed.json()["access_token"] is None
    assert {"access", "refresh", "csrf"} == set(cookies_of(refreshed))
    assert {"0"} == {morsel["max-age"] for morsel in cookies_of(left).values()}


STRANGERS: dict[str, dict[str, Any]] = {
    "no-origin": {"Origin": ...},
    "null-origin": {"Origin": "null"},
    "foreign-origin": {"Origin": "https://evil.example"},
    "longer-origin": {"Origin": "http://test.evil.example"},
    "other-port": {"Origin": "http://test:8080"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "no-token": {"X-CSRF-Token": ...},
    "empty-token": {"X-CSRF-Token": ""},
    "wrong-token": {"X-CSRF-Token": "A" * 32},
    "latin-token": {"X-CSRF-Token": b"\xe9" * 32},
}


@pytest.mark.parametrize("case", STRANGERS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/auth/refresh"), ("POST", "/auth/logout"), ("PATCH", "/users/me"), ("DELETE", "/auth/sessions")],
)
async def test_strangers(service: Any, case: str, method: str, path: str) -> None:
    """C06: a page of somebody else's cannot use the cookies, and the session goes on."""
    member = await service.member()
    async with service.browser(member) as browser:
        headers = {name: value for name, value in (browser.page | STRANGERS[case]).items() if value is not ...}
        answer = await browser(method, path, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
        assert (await browser("GET", "/users/me")).status_code == 200
        assert (await browser("POST", "/auth/refresh", headers=browser.page)).status_code == 200


async def test_token_of_another_session(service: Any) -> None:
    """The value that a page repeats belongs to one session: that of another does not fit, though the cookie agrees."""
    victim, thief = await service.member(), await service.member()
    async with service.browser(victim) as browser, service.browser(thief) as other:
        foreign = other.http.cookies["csrf"]
        headers = {
            "Origin": browser.origin,
            "X-CSRF-Token": foreign,
            "Cookie": f"access={browser.http.cookies['access']}; csrf={foreign}",
        }
        answer = await service("PATCH", "/users/me", json={"full_name": "x"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")


@pytest.mark.parametrize("site", ["same-site", "same-origin"])
async def test_listed_origin(start: Any, site: str) -> None:
    """A page of an origin that is listed may use the cookies, from the same site only."""
    async with start(CORS_ORIGINS="https://app.example.com") as service:
        member = await service.member()
        async with service.browser(member) as browser:
            headers = browser.page | {"Origin": "https://app.example.com", "Sec-Fetch-Site": site}

            assert (await browser("POST", "/auth/refresh", headers=headers)).status_code == 200


async def test_every_origin_is_none(start: Any) -> None:
    """`*` in the list of origins lets nobody use cookies."""
    async with start(CORS_ORIGINS="*") as service, service.browser(await service.member()) as browser:
        headers = browser.page | {"Origin": "https://evil.example"}

        assert (await browser("POST", "/auth/refresh", headers=headers)).status_code == 403


async def test_refresh_cookie_elsewhere(service: Any) -> None:
    """The refresh cookie alone opens nothing but refresh and logout."""
    async with service.browser(await service.member()) as browser:
        cookie = {"Cookie": f"refresh={browser.http.cookies['refresh']}"}
        browser.http.cookies.clear()

        assert (await browser("GET", "/users/me", headers=cookie)).status_code == 401


async def test_header_wins(service: Any) -> None:
    """With a bearer token the cookie does not count, so no page can make it count."""
    member, other = await service.member(), await service.member()
    async with service.browser(member) as browser:
        answer = await browser("PATCH", "/users/me", json={"full_name": "x"}, headers=other.bearer)

    assert (200, other.id) == (answer.status_code, answer.json()["id"])


async def test_cookie_twice(service: Any) -> None:
    """A neighbour on the domain may set a second cookie of the same name; then none of them counts."""
    member = await service.member()
    token = member.tokens["access_token"]
    once = await service("GET", "/users/me", headers={"Cookie": f"access={token}"})
    twice = await service("GET", "/users/me", headers={"Cookie": f"access={token}; access={token}"})

    assert [once.status_code, twice.status_code] == [200, 401]


@pytest.mark.parametrize("origin", [..., "http://test", "https://evil.example"])
async def test_websocket(service: Any, origin: Any) -> None:
    """A WebSocket with cookies comes from a page of ours, or is refused before it begins."""
    member = await service.member()
    headers = [(b"cookie", f"access={member.tokens['access_token']}".encode()), (b"host", b"test")]
    if origin is not ...:
        headers.append((b"origin", origin.encode()))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    service.app.router.add_websocket_route("/ws", talk)
    scope = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "root_path": "",
        "query_string": b"",
        "scheme": "ws",
        "headers": headers,
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await service.app(scope, receive, send)

    assert ("websocket.accept" if origin == "http://test" else "websocket.close") == sent[0]["type"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://test"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_sign_in_from_a_foreign_page(service: Any, headers: dict[str, str], status: int) -> None:
    """No foreign page can put its own session into a browser; without cookies there is nothing to put."""
    member = await service.member()
    cookie = await service.login(member, params={"transport": "cookie"}, headers=headers)
    bearer = await service.login(member, headers=headers)

    assert [cookie.status_code, bearer.status_code] == [status, 200]
