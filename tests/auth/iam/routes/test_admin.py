"""What administrators do with the accounts of others."""

import asyncio
from typing import Any

import pytest

from mysingle.auth.iam._documents import OAuthAccount, User
from mysingle.auth.iam._users import account_key

ID = "0" * 24


@pytest.fixture
async def admin(service: Any) -> Any:
    return await service.admin()


ROUTES = [
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", f"/users/{ID}"),
    ("PATCH", f"/users/{ID}"),
    ("DELETE", f"/users/{ID}"),
    ("GET", f"/users/{ID}/activity"),
    ("GET", f"/users/{ID}/oauth-accounts"),
    ("DELETE", f"/users/{ID}/sessions"),
    ("POST", f"/users/{ID}/password-reset"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_for_administrators(service: Any, method: str, path: str) -> None:
    """Everybody else is refused, before anything is looked at."""
    member = await service.member()
    answer = await service.as_(member, method, path, json={"email": "x@example.com"} if method != "GET" else None)

    assert (answer.status_code, answer.json()["code"]) == (403, "AUTHORIZATION_FAILED")


@pytest.mark.parametrize("user_id", [ID, "x", "1", "f" * 25, "$ne", "%00", "\N{SNOWMAN}"])
async def test_no_such_user(service: Any, admin: Any, user_id: str) -> None:
    """An id that nobody has, or that cannot be one, is not found on every route."""
    answers = [
        await service.as_(admin, method, path.replace(ID, user_id), json={} if method == "PATCH" else None)
        for method, path in ROUTES[2:]
    ]

    assert {(404, "USER_NOT_FOUND")} == {(answer.status_code, answer.json()["code"]) for answer in answers}


async def test_pages(service: Any, admin: Any) -> None:
    """All users come once, a page at a time, and can be searched."""
    accounts = [await service.register(full_name=f"Person {number}") for number in range(5)]
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await service.as_(admin, "GET", "/users", params=params)).json()
        seen += [item["email"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    found = (await service.as_(admin, "GET", "/users", params={"q": accounts[3].email[:12]})).json()
    by_name = (await service.as_(admin, "GET", "/users", params={"q": "person 1"})).json()

    assert sorted([admin.email, *(account.email for account in accounts)]) == sorted(seen)
    assert accounts[3].email in {item["email"] for item in found["items"]}
    assert [item["full_name"] for item in by_name["items"]] == ["Person 1"]


async def queries(service: Any, admin: Any) -> int:
    """Return how many queries the database gets for a list of all users."""
    client = User.get_pymongo_collection().database.client

    async def count() -> int:
        return int((await client.admin.command("serverStatus"))["opcounters"]["query"])

    await service.settle()
    await service.as_(admin, "GET", "/users")  # who asks is known from now on
    before = await count()
    await service.as_(admin, "GET", "/users", params={"limit": 100})
    return await count() - before


async def test_list_of_linked_accounts(service: Any, admin: Any) -> None:
    """Everybody is listed with the accounts of their own, and with more users there are no more queries."""
    few = await queries(service, admin)
    accounts = [await service.register() for _ in range(6)]
    ids = {}
    for account in accounts[:4]:
        user = await service.iam.tools.users.by_email_key(account_key(account.email))
        ids[account.email] = str(user.id)
    for number, email in enumerate([accounts[0].email, accounts[1].email, accounts[0].email]):
        made = OAuthAccount(user_id=ids[email], provider="google", account_id=str(number))
        await service.iam.tools.linked.link(made)
    items = (await service.as_(admin, "GET", "/users", params={"limit": 100})).json()["items"]
    listed = {item["email"]: [each["account_id"] for each in item["oauth_accounts"]] for item in items}

    expected = {accounts[0].email: ["0", "2"], accounts[1].email: ["1"]}
    assert listed == {item["email"]: expected.get(item["email"], []) for item in items}
    assert len(listed) == 7
    assert await queries(service, admin) == few == 2


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"cursor": "x"},
        {"cursor": "$ne"},
        {"is_active": "x"},
        {"q": "x" * 101},
    ],
    ids=lambda params: next(f"{name}={value}"[:20] for name, value in params.items()),
)
async def test_bad_query(service: Any, admin: Any, params: dict[str, Any]) -> None:
    """What makes no sense in the address is a 422."""
    assert (await service.as_(admin, "GET", "/users", params=params)).status_code == 422


@pytest.mark.parametrize("q", [".*", "(", "[", "\\", "$where", "\x00"])
async def test_search_is_text(service: Any, admin: Any, q: str) -> None:
    """What is searched is text, and no pattern."""
    answer = await service.as_(admin, "GET", "/users", params={"q": q})

    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_active_filter(service: Any, admin: Any) -> None:
    """Inactive accounts can be listed alone."""
    member = await service.member()
    await service.as_(admin, "PATCH", f"/users/{member.id}", json={"is_active": False})
    listed = (await service.as_(admin, "GET", "/users", params={"is_active": "false"})).json()

    assert [member.email] == [item["email"] for item in listed["items"]]


async def test_create_and_invite(service: Any, admin: Any) -> None:
    """An administrator opens an account; only its owner chooses the password, and that verifies the address."""
    body = {"email": service.address(), "full_name": "Grace", "roles": ["trader", "trader"]}
    created = await service.as_(admin, "POST", "/users", json=body)
    token = await service.outbox.token(body["email"], "invited")
    reset = await service.post("/auth/reset-password", {"token": token, "password": "a fine horse battery 6"})
    login = await service.post("/auth/login", {"email": body["email"], "password": "a fine horse battery 6"})

    assert (
        created.status_code,
        created.json()["is_verified"],
        created.json()["roles"],
    ) == (201, False, ["trader"])
    assert [reset.status_code, login.status_code] == [204, 200]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"email": "x@example.com", "password": "correct horse battery"}, 422),
        ({"email": "x@example.com", "roles": ["Not A Role"]}, 422),
        ({"email": "x@example.com", "roles": ["r"] * 65}, 422),
    ],
)
async def test_bad_account(service: Any, admin: Any, body: dict[str, Any], status: int) -> None:
    """An administrator sets no password, and no roles that are none."""
    assert status == (await service.as_(admin, "POST", "/users", json=body)).status_code


async def test_known_address(service: Any, admin: Any) -> None:
    """An address that has an account gets no second one."""
    answer = await service.as_(admin, "POST", "/users", json={"email": admin.email})

    assert (answer.status_code, answer.json()["code"]) == (400, "REGISTER_USER_ALREADY_EXISTS")


async def test_update(service: Any, admin: Any) -> None:
    """Rights are changed, null clears a name and changes no right, and the event tells who did it."""
    member = await service.member()
    body = {"full_name": "Ada", "roles": ["trader"], "is_verified": False, "is_active": None}
    answer = await service.as_(admin, "PATCH", f"/users/{member.id}", json=body)
    cleared = await service.as_(admin, "PATCH", f"/users/{member.id}", json={"full_name": None})
    events = (await service.as_(admin, "GET", f"/users/{member.id}/activity")).json()["items"]

    assert tuple(answer.json()[name] for name in ("full_name", "roles", "is_verified", "is_active")) == (
        "Ada",
        ["trader"],
        False,
        True,
    )
    assert cleared.json()["full_name"] is None
    assert [event["kind"] for event in events[:2]] == ["user.changed", "rights.changed"]


@pytest.mark.parametrize("field", ["email", "password", "hashed_password", "id", "version", "oauth_accounts"])
async def test_update_forbids(service: Any, admin: Any, field: str) -> None:
    """An administrator changes neither addresses nor passwords."""
    answer = await service.as_(admin, "PATCH", f"/users/{admin.id}", json={field: "x"})

    assert answer.status_code == 422


@pytest.mark.parametrize("body", [{"is_superuser": False}, {"is_active": False}])
async def test_last_superuser(service: Any, admin: Any, body: dict[str, bool]) -> None:
    """D15: the last superuser stays one."""
    patched = await service.as_(admin, "PATCH", f"/users/{admin.id}", json=body)
    deleted = await service.as_(admin, "DELETE", f"/users/{admin.id}")

    assert [(answer.status_code, answer.json()["code"]) for answer in (patched, deleted)] == [
        (409, "LAST_SUPERUSER")
    ] * 2
    assert (await service.as_(admin, "GET", "/users")).status_code == 200


async def test_two_superusers_demote_each_other(service: Any, admin: Any) -> None:
    """Whatever two superusers do to each other at once, one is left."""
    other = await service.admin()
    await asyncio.gather(
        service.as_(admin, "PATCH", f"/users/{other.id}", json={"is_superuser": False}),
        service.as_(other, "PATCH", f"/users/{admin.id}", json={"is_superuser": False}),
    )

    assert await service.iam.tools.users.count_superusers() >= 1


async def test_end_sessions(service: Any, admin: Any) -> None:
    """An administrator signs somebody out everywhere."""
    member = await service.member()
    answer = await service.as_(admin, "DELETE", f"/users/{member.id}/sessions")
    over = await service.as_(member, "GET", "/users/me")

    assert (answer.status_code, over.status_code, over.json()["code"]) == (204, 401, "SESSION_REVOKED")


async def test_offer_reset(service: Any, admin: Any) -> None:
    """An administrator has a link mailed, and never sees it."""
    member = await service.member()
    answer = await service.as_(admin, "POST", f"/users/{member.id}/password-reset")
    token = await service.outbox.token(member.email, "choose")

    assert (answer.status_code, answer.json()) == (202, {})
    assert (
        await service.post("/auth/reset-password", {"token": token, "password": "a new horse battery 1"})
    ).status_code == 204


async def test_delete(service: Any, admin: Any) -> None:
    """A deleted user is gone, and cannot be deleted twice."""
    member = await service.member()
    statuses = [(await service.as_(admin, "DELETE", f"/users/{member.id}")).status_code for _ in range(2)]

    assert statuses == [204, 404]
    assert (await service.as_(admin, "GET", f"/users/{member.id}")).status_code == 404


async def test_last_superuser_stays_as_it_was(service: Any, admin: Any) -> None:
    """Of a change that is refused nothing is left, whatever else it was to change."""
    before = (await service.as_(admin, "GET", "/users/me")).json()
    body = {"is_superuser": False, "is_verified": False, "roles": ["x"], "full_name": "x"}
    answer = await service.as_(admin, "PATCH", f"/users/{admin.id}", json=body)
    after = (await service.as_(admin, "GET", "/users/me")).json()

    assert answer.status_code == 409
    assert after | {"updated_at": before["updated_at"]} == before
