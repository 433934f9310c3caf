import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from mysingle._kernel.errors import MySingleError
from mysingle.auth.iam._documents import OAuthAccount, User
from mysingle.auth.iam._repository import OAuthAccountRepository, UserRepository
from mysingle.auth.iam._values import UserView, instant

NOBODY = "000000000000000000000009"


@pytest.fixture
def users(database: Any) -> UserRepository:
    return UserRepository()


@pytest.fixture
def linked(database: Any) -> OAuthAccountRepository:
    return OAuthAccountRepository()


async def reason(work: Any) -> str:
    with pytest.raises(MySingleError) as caught:
        await work
    return str(caught.value.reason)


async def test_insert_and_find(users: UserRepository, new_user: Any) -> None:
    """A user is found by its id and by the key of its address."""
    view = await new_user("Alice@Example.com", full_name="Alice")
    found = await users.by_id(view.id)

    assert found is not None
    assert found.view() == view
    assert (await users.by_email_key("alice@example.com")) == found
    assert (
        found.email,
        found.is_active,
        found.is_superuser,
        found.is_verified,
        view.has_password,
    ) == ("Alice@example.com", True, False, False, False)


@pytest.mark.parametrize("user_id", [NOBODY, "", "x", "zz" * 12, "a" * 12, "a" * 25, "$ne", "\u0661" * 24])
async def test_unknown_id(users: UserRepository, user_id: str) -> None:
    """An id that nobody has, or that cannot be one, is nobody."""
    assert await users.by_id(user_id) is None
    assert await users.update(user_id, {"full_name": "x"}) is None
    assert await users.delete(user_id) is False


async def read_user(users: UserRepository, view: UserView | None) -> User:
    assert view is not None
    user = await users.by_id(view.id)
    assert user is not None
    return user


async def test_same_address(new_user: Any) -> None:
    """D09: two spellings of one address are one account."""
    await new_user("a@x.com")

    assert await reason(new_user("A@X.com")) == "REGISTER_USER_ALREADY_EXISTS"


async def test_registrations_at_once(new_user: Any) -> None:
    """Of ten registrations at once one succeeds, and the others are told why."""
    results = await asyncio.gather(*(new_user("a@x.com") for _ in range(10)), return_exceptions=True)
    refused = [result.reason for result in results if isinstance(result, MySingleError)]

    assert refused == ["REGISTER_USER_ALREADY_EXISTS"] * 9
    assert await User.count() == 1


async def test_update(users: UserRepository, new_user: Any) -> None:
    """A change sets fields, raises the version and leaves everything else, the date of birth of the row included."""
    view = await new_user(full_name="Alice", hashed_password="hash")
    changed = await users.update(view.id, {"full_name": "Alice Liddell", "roles": ["trader"]})

    assert changed is not None
    assert ("Alice Liddell", ["trader"], 2, "hash", view.created_at) == (
        changed.full_name,
        changed.roles,
        changed.version,
        changed.hashed_password,
        changed.created_at,
    )
    assert changed.updated_at >= view.updated_at
    assert changed.password_changed_at is None


async def test_changes_at_once(users: UserRepository, new_user: Any) -> None:
    """Every change raises the version by one, also when many come at once."""
    view = await new_user()
    await asyncio.gather(*(users.update(view.id, {"full_name": str(number)}) for number in range(20)))
    user = await users.by_id(view.id)

    assert user is not None
    assert user.version == 21


async def test_if_version(users: UserRepository, new_user: Any) -> None:
    """A change of what somebody has changed meanwhile is refused."""
    view = await new_user()
    await users.update(view.id, {"full_name": "first"}, if_version=1)

    assert await reason(users.update(view.id, {"full_name": "second"}, if_version=1)) == "USER_CHANGED"
    assert await users.update(NOBODY, {"full_name": "second"}, if_version=1) is None


@pytest.mark.parametrize("field", ["_id", "id", "version", "created_at", "login_count", "$set", "email.x", "unknown"])
async def test_fields(users: UserRepository, new_user: Any, field: str) -> None:
    """What an account may not change is refused by name."""
    view = await new_user()
    with pytest.raises(ValueError, match="not to be changed"):
        await users.update(view.id, {field: 1})


async def test_taken_address(users: UserRepository, new_user: Any) -> None:
    """A change to somebody else's address is refused."""
    await new_user("bob@example.com")
    view = await new_user()
    work = users.update(view.id, {"email": "Bob@example.com", "email_key": "bob@example.com"})

    assert await reason(work) == "UPDATE_USER_EMAIL_ALREADY_EXISTS"


async def test_new_password(users: UserRepository, new_user: Any) -> None:
    """A new password notes when it was set."""
    view = await new_user()
    changed = await users.update(view.id, {"hashed_password": "new"})

    assert changed is not None
    assert changed.password_changed_at is not None
    assert changed.view().has_password


async def test_login(users: UserRepository, new_user: Any) -> None:
    """A login is counted, replaces the hash by a better one of the same password, and leaves the version."""
    read = await read_user(users, await new_user(hashed_password="old"))
    at = instant()
    told = await users.record_login(read, at=at, new_hash="new")
    user = await read_user(users, told)

    assert (at, 1, "new", 1, None) == (
        user.last_login_at,
        user.login_count,
        user.hashed_password,
        user.version,
        user.password_changed_at,
    )
    assert told == user.view()


async def test_rehash_loses_to_a_new_password(users: UserRepository, new_user: Any) -> None:
    """A password that was changed while somebody logged in is not overwritten."""
    read = await read_user(users, await new_user(hashed_password="old"))
    await users.update(str(read.id), {"hashed_password": "changed"})
    told = await users.record_login(read, at=instant(), new_hash="rehashed old")
    user = await read_user(users, told)

    assert (user.hashed_password, user.login_count) == ("changed", 1)
    assert told == user.view()


async def test_login_of_a_user_who_is_gone(users: UserRepository, new_user: Any) -> None:
    """Somebody whose account is deleted while they log in is nobody."""
    read = await read_user(users, await new_user())
    await users.delete(str(read.id))

    assert await users.record_login(read, at=instant()) is None


@pytest.mark.parametrize("changes", [{"is_superuser": False}, {"is_active": False}])
async def test_last_superuser(users: UserRepository, new_user: Any, changes: dict[str, bool]) -> None:
    """D15: the last active superuser stays one; with another one it may go."""
    root = await new_user("root@example.com", is_superuser=True)
    await new_user("off@example.com", is_superuser=True, is_active=False)

    assert await reason(users.update(root.id, changes)) == "LAST_SUPERUSER"
    assert await reason(users.delete(root.id)) == "LAST_SUPERUSER"
    assert (await users.count_superusers(), await users.count_superusers(except_id=root.id)) == (1, 0)

    await new_user("second@example.com", is_superuser=True)
    assert await users.update(root.id, changes)
    assert await users.count_superusers() == 1


async def fewest(users: UserRepository, *work: Any) -> int:
    """Return the fewest active superusers that were ever seen while some work was done."""
    seen = [await users.count_superusers()]
    doing = asyncio.gather(*work, return_exceptions=True)
    while not doing.done():
        seen.append(await users.count_superusers())
    await doing
    return min(*seen, await users.count_superusers())


async def test_never_without_a_superuser(users: UserRepository, new_user: Any) -> None:
    """D15: not for a moment is there no superuser, so that nobody who dies meanwhile leaves it so."""
    for number in range(5):
        root = [await new_user(f"root{number}.{each}@example.com", is_superuser=True) for each in range(3)]
        left = await fewest(
            users,
            users.update(root[0].id, {"is_superuser": False}),
            users.update(root[1].id, {"is_active": False}),
            users.delete(root[2].id),
        )
        remaining = await User.find(User.is_superuser == True, User.is_active == True).to_list()  # noqa: E712

        assert left >= 1
        assert all(user.leaving is None for user in remaining)
        for user in remaining[1:]:
            await users.delete(str(user.id))


async def mark(user: UserView, seconds_ago: float) -> None:
    """Leave behind what a process leaves that dies while it takes the rights of a superuser away."""
    value = {"by": "somebody who died", "at": instant() - timedelta(seconds=seconds_ago)}
    await User.get_pymongo_collection().update_one({"_id": ObjectId(user.id)}, {"$set": {"leaving": value}})


async def test_superuser_whose_demotion_died(users: UserRepository, new_user: Any) -> None:
    """D15: who is just being demoted does not count as the one who stays; after a minute they do."""
    one, two = [await new_user(f"{name}@example.com", is_superuser=True) for name in ("one", "two")]
    await mark(one, 1)
    assert await reason(users.update(two.id, {"is_superuser": False})) == "LAST_SUPERUSER"
    assert await users.update(one.id, {"is_superuser": True, "full_name": "One"})

    await mark(one, 61)
    assert await users.update(two.id, {"is_superuser": False})
    assert await reason(users.update(one.id, {"is_superuser": False})) == "LAST_SUPERUSER"


async def test_demotion_of_an_old_version(users: UserRepository, new_user: Any) -> None:
    """A demotion that is refused because the user has changed leaves no mark: somebody else may go at once."""
    one, two = [await new_user(f"{name}@example.com", is_superuser=True) for name in ("one", "two")]

    assert await reason(users.update(one.id, {"is_superuser": False}, if_version=7)) == "USER_CHANGED"
    assert await users.update(two.id, {"is_superuser": False}, if_version=1)


async def test_the_same_demotion_at_once(users: UserRepository, new_user: Any) -> None:
    """D15: one superuser demoted by ten requests at once is demoted, and the other one stays."""
    one, two = [await new_user(f"{name}@example.com", is_superuser=True) for name in ("one", "two")]
    await asyncio.gather(*(users.update(one.id, {"is_superuser": False}) for _ in range(10)), return_exceptions=True)
    left = await User.find(User.is_superuser == True).to_list()  # noqa: E712

    assert [str(user.id) for user in left] == [two.id]


@pytest.mark.parametrize("number", range(5))
async def test_unlinking_all_at_once(linked: OAuthAccountRepository, number: int, database: Any) -> None:
    """E07: of several links that are removed at once, one stays, or all."""
    owner = "a11ce0000000000000000001"
    for name in ("google", "kakao", "naver")[: 2 + number % 2]:
        await linked.link(OAuthAccount(user_id=owner, provider=name, account_id="1"))
    there = await linked.of_user(owner)
    await asyncio.gather(*(linked.unlink_but_one(owner, each.provider, "1") for each in there), return_exceptions=True)
    left = await linked.of_user(owner)

    assert left
    assert all(each.leaving is None for each in left)
    assert all([await linked.unlink_but_one(owner, each.provider, "1") for each in left[1:]])
    assert await reason(linked.unlink_but_one(owner, left[0].provider, "1")) == "LAST_LOGIN_METHOD"


async def test_unlinking_what_is_not_there(linked: OAuthAccountRepository, database: Any) -> None:
    """A link that is not there, or is somebody else's, is not removed, and nothing is marked for it."""
    mine, theirs = "a11ce0000000000000000001", "b0b000000000000000000002"
    for number, owner in enumerate([mine, mine, theirs]):
        await linked.link(OAuthAccount(user_id=owner, provider="google", account_id=str(number)))

    assert [await linked.unlink_but_one(mine, "google", each) for each in ("2", "7", "0")] == [False, False, True]
    assert [each.leaving for each in (*await linked.of_user(mine), *await linked.of_user(theirs))] == [None, None]


async def test_superusers_that_demote_each_other(users: UserRepository, new_user: Any) -> None:
    """D15: however two superusers remove each other at once, one of them is left."""
    for number in range(5):
        one = await new_user(f"one{number}@example.com", is_superuser=True)
        two = await new_user(f"two{number}@example.com", is_superuser=True)
        await asyncio.gather(
            users.delete(one.id), users.update(two.id, {"is_superuser": False}), return_exceptions=True
        )

        assert await users.count_superusers() >= 1
        await User.get_pymongo_collection().delete_many({})


async def test_delete(users: UserRepository, linked: OAuthAccountRepository, new_user: Any) -> None:
    """A deleted user is gone with its links."""
    view = await new_user()
    await linked.link(OAuthAccount(user_id=view.id, provider="google", account_id="1"))

    assert await users.delete(view.id)
    assert not await users.delete(view.id)
    assert await users.by_id(view.id) is None
    assert await linked.find("google", "1") is None


async def test_page(users: UserRepository, new_user: Any) -> None:
    """Pages follow each other without gap or repetition, and the last one says so."""
    made = [(await new_user(f"user{number}@example.com", is_active=number % 2 == 0)).id for number in range(7)]
    found: list[str] = []
    cursor = None
    for _ in range(3):
        page = await users.page(limit=3, cursor=cursor)
        found += [str(user.id) for user in page.items]
        cursor = page.next_cursor

    assert (made, None) == (found, cursor)
    assert len((await users.page(is_active=True)).items) == 4
    assert len((await users.page(limit=1000)).items) == 7
    assert len((await users.page(limit=0)).items) == 1
    assert len((await users.page(cursor="no cursor")).items) == 7


@pytest.mark.parametrize(
    ("text", "count"), [("ALICE", 2), ("liddell", 1), (".*", 0), ("a.b", 1), ("(", 0), ("", 3), ("x" * 5000, 0)]
)
async def test_search(users: UserRepository, new_user: Any, text: str, count: int) -> None:
    """Text is looked for as it stands in address and name, in any case; it is no pattern."""
    await new_user("alice@example.com", full_name="Liddell")
    await new_user("a.b@example.com", full_name="alice")
    await new_user("bob@example.com")

    assert count == len((await users.page(text=text)).items)


async def test_link(linked: OAuthAccountRepository) -> None:
    """E06: an account of a provider belongs to one user; linking it again is nothing."""
    first = await linked.link(OAuthAccount(user_id="1" * 24, provider="google", account_id="42"))
    again = await linked.link(OAuthAccount(user_id="1" * 24, provider="google", account_id="42"))

    assert first.id == again.id
    work = linked.link(OAuthAccount(user_id="2" * 24, provider="google", account_id="42"))
    assert await reason(work) == "OAUTH_ALREADY_LINKED"
    assert [first.id] == [item.id for item in await linked.of_user("1" * 24)]
    assert await linked.of_user("2" * 24) == ()


async def test_unlink(linked: OAuthAccountRepository) -> None:
    """A link is removed by its owner only."""
    await linked.link(OAuthAccount(user_id="1" * 24, provider="google", account_id="42"))

    assert not await linked.unlink("2" * 24, "google", "42")
    assert await linked.unlink("1" * 24, "google", "42")
    assert not await linked.unlink("1" * 24, "google", "42")


async def test_database_away(own_database: Any) -> None:
    """B22: without the database every look is a 503."""
    users = UserRepository()
    own_database.kill()

    assert await reason(users.by_id(NOBODY)) == "MONGODB_UNAVAILABLE"
    assert await reason(users.insert(User(email="a@x.com", email_key="a@x.com"))) == "MONGODB_UNAVAILABLE"


async def test_caller(new_user: Any) -> None:
    """The caller that a user is carries its rights and the evidence of a token."""
    view = await new_user(roles=["trader"], is_superuser=True)
    caller = view.authenticated(session_id="s1", authenticated_at=instant(0))

    assert (view.id, frozenset({"trader"}), True, "s1", "token") == (
        caller.id,
        caller.roles,
        caller.is_superuser,
        caller.session_id,
        caller.auth_method,
    )


async def test_logins_that_are_counted_together(users: UserRepository, new_user: Any) -> None:
    """Of several at once each user counts once, and of one who was changed meanwhile the newest is told."""
    views = [await new_user(f"person{number}@example.com") for number in range(4)]
    read = [await read_user(users, view) for view in views]
    await users.update(views[2].id, {"is_active": False})

    told = await asyncio.gather(*(users.record_login(user, at=instant()) for user in read))

    assert [view is not None and (view.id, view.login_count, view.is_active) for view in told] == [
        (view.id, 1, number != 2) for number, view in enumerate(views)
    ]
    assert [(await read_user(users, view)).login_count for view in views] == [1] * 4


async def test_users_that_are_looked_for_together(users: UserRepository, new_user: Any) -> None:
    """Each of several at once gets its own user, twice the same one, and nobody for nobody."""
    views = [await new_user(f"person{number}@example.com") for number in range(3)]
    keys = ["person2@example.com", "nobody@example.com", "person0@example.com", "person2@example.com"]

    found = await asyncio.gather(*map(users.by_email_key, keys))

    assert [user and str(user.id) for user in found] == [views[2].id, None, views[0].id, views[2].id]
