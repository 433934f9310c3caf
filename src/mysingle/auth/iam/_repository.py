"""Users and their linked accounts in MongoDB: every write is atomic, and raises the version that the caches live by."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import ReturnDocument, UpdateOne

from mysingle._kernel.errors import AlreadyExistsError, MySingleError
from mysingle.auth.iam._documents import OAuthAccount, User, insert_new, stored
from mysingle.auth.iam._errors import IamReason, bad_request, conflict
from mysingle.auth.iam._last_one import LEAVING, LastOneError, release, reserve
from mysingle.auth.iam._together import Together
from mysingle.auth.iam._values import UserView, instant

__all__ = ["OAuthAccountRepository", "UserPage", "UserRepository"]

_CHANGEABLE = frozenset(
    {
        "email",
        "email_key",
        "hashed_password",
        "full_name",
        "avatar_url",
        "is_active",
        "is_superuser",
        "is_verified",
        "mfa_enabled",
        "roles",
        "password_changed_at",
    }
)
_MAX_PAGE = 100
_ATTEMPTS = 5
_ACTIVE_SUPERUSER = {"is_superuser": True, "is_active": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """Some users in the order of their ids; `next_cursor` asks for those that follow, None at the end."""

    items: tuple[User, ...]
    next_cursor: str | None


class UserRepository:
    """
    The users.

    What it returns is a document for reading: changes go through `update`, which sets single fields. All methods
    raise `MySingleError` with 503 while the database is away.
    """

    def __init__(self) -> None:
        self._finding: Together[str, User | None] = Together(_by_email_keys)
        self._counting: Together[_Login, bool] = Together(_count_logins)

    async def by_id(self, user_id: str) -> User | None:
        """Return a user; None for an id that nobody has, or that cannot be one."""
        found = _object_id(user_id)
        return None if found is None else await self._one({"_id": found})

    async def by_email_key(self, email_key: str) -> User | None:
        """Return the user of a normalized address."""
        return await self._finding.do(email_key)

    async def insert(self, user: User) -> User:
        """
        Store a new user.

        Raises:
            AlreadyExistsError: REGISTER_USER_ALREADY_EXISTS, somebody has the address.
        """
        if not await insert_new(user):
            raise conflict(IamReason.REGISTER_USER_ALREADY_EXISTS, "There is an account with this e-mail address")
        return user

    async def update(self, user_id: str, changes: Mapping[str, Any], *, if_version: int | None = None) -> User | None:
        """
        Set fields of a user and raise the version; return the user as it is now, None when there is none.

        A new `hashed_password` sets `password_changed_at` too. The last active superuser stays one.

        Args:
            user_id: whom to change.
            changes: field → value; only those that an account may change.
            if_version: change nothing unless this is still the version.

        Raises:
            ValueError: a field that is not to be changed.
            InvalidArgumentError: UPDATE_USER_EMAIL_ALREADY_EXISTS.
            AlreadyExistsError: LAST_SUPERUSER, or USER_CHANGED meanwhile.
        """
        found, checked = _object_id(user_id), _checked(changes)
        if found is None:
            return None
        if changes.get("is_superuser") is False or changes.get("is_active") is False:
            return await self._step_down(found, checked, if_version)
        after = await self._set({"_id": found}, checked, if_version)
        if after is None:
            await self._refuse_if_there(found, if_version)
        return after

    async def record_login(self, user: User, *, at: datetime, new_hash: str | None = None) -> UserView | None:
        """
        Count a login of a user who has been read before; return the user as it is now, None when there is none.

        `new_hash` is another hash of the same password; one that was changed meanwhile is not overwritten. The
        version stays, because nothing changes that a cache must know.
        """
        # Every change raises the version, so the one that still has it is known in full: nothing comes back.
        if await self._counting.do(_Login(user.id, user.version, at, new_hash)):
            return replace(user.view(), last_login_at=at, login_count=user.login_count + 1)
        raw = await stored(
            User.get_pymongo_collection().find_one_and_update(
                {"_id": user.id},
                {"$set": {"last_login_at": at}, "$inc": {"login_count": 1}},
                return_document=ReturnDocument.AFTER,
            )
        )
        return None if raw is None else User.model_validate(raw).view()

    async def rehash(self, user: User, new_hash: str) -> None:
        """Replace the hash of a password by another one of the same; one that was changed meanwhile stays."""
        unchanged = {"_id": user.id, "version": user.version}
        users = User.get_pymongo_collection()
        await stored(users.update_one(unchanged, {"$set": {"hashed_password": new_hash}}))

    async def page(
        self,
        *,
        text: str | None = None,
        is_active: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> UserPage:
        """
        Return up to `limit` (at most 100) users; `text` is looked for in address and name, `cursor` is the last page's.

        A cursor that is none begins at the start.
        """
        query: dict[str, Any] = {} if is_active is None else {"is_active": is_active}
        if text:
            pattern = {"$regex": re.escape(text[:_MAX_PAGE]), "$options": "i"}
            query["$or"] = [{"email": pattern}, {"full_name": pattern}]
        after = _object_id(cursor or "")
        if after is not None:
            query["_id"] = {"$gt": after}
        limit = max(1, min(limit, _MAX_PAGE))
        users = User.get_pymongo_collection()
        raw = await stored(users.find(query).sort("_id", 1).limit(limit + 1).to_list())
        items = tuple(User.model_validate(row) for row in raw[:limit])
        return UserPage(items=items, next_cursor=str(items[-1].id) if len(raw) > limit else None)

    async def delete(self, user_id: str) -> bool:
        """
        Delete a user with its linked accounts; tell whether there was one.

        Raises:
            AlreadyExistsError: LAST_SUPERUSER.
        """
        # First no superuser any more: two superusers that delete each other must not both succeed.
        user = await self.update(user_id, {"is_active": False, "is_superuser": False})
        if user is None:
            return False
        await stored(OAuthAccount.get_pymongo_collection().delete_many({"user_id": str(user.id)}))
        result = await stored(User.get_pymongo_collection().delete_one({"_id": user.id}))
        return bool(result.deleted_count)

    async def count_superusers(self, *, except_id: str | None = None) -> int:
        """Return how many active superusers there are, not counting one of them."""
        query: dict[str, Any] = dict(_ACTIVE_SUPERUSER)
        if except_id is not None:
            query["_id"] = {"$ne": _object_id(except_id)}
        return await stored(User.get_pymongo_collection().count_documents(query))

    async def _one(self, query: Mapping[str, Any]) -> User | None:
        raw = await stored(User.get_pymongo_collection().find_one(dict(query)))
        return None if raw is None else User.model_validate(raw)

    async def _set(self, chosen: Mapping[str, Any], changes: Mapping[str, Any], if_version: int | None) -> User | None:
        """Return the user as it is after the change; None when no user was chosen."""
        chosen = dict(chosen) if if_version is None else {**chosen, "version": if_version}
        change = {"$set": {**changes, "updated_at": instant()}, "$inc": {"version": 1}}
        try:
            raw = await stored(
                User.get_pymongo_collection().find_one_and_update(chosen, change, return_document=ReturnDocument.AFTER)
            )
        except AlreadyExistsError as error:
            raise bad_request(
                IamReason.UPDATE_USER_EMAIL_ALREADY_EXISTS, "There is another account with this e-mail address"
            ) from error
        return None if raw is None else User.model_validate(raw)

    async def _refuse_if_there(self, user_id: ObjectId, if_version: int | None) -> None:
        if if_version is not None and await self._one({"_id": user_id}) is not None:
            raise _changed_meanwhile()

    async def _step_down(self, user_id: ObjectId, changes: Mapping[str, Any], if_version: int | None) -> User | None:
        """Change a user who is no active superuser afterwards; somebody else has to be one."""
        for _ in range(_ATTEMPTS):
            try:
                reserved = await reserve(User, {"_id": user_id}, _ACTIVE_SUPERUSER)
            except LastOneError as error:
                message = "This is the last active superuser: make another one first"
                raise conflict(IamReason.LAST_SUPERUSER, message) from error
            chosen = reserved or {"_id": user_id, "$nor": [_ACTIVE_SUPERUSER]}
            try:
                after = await self._set(chosen, {**changes, LEAVING: None}, if_version)
            except MySingleError:
                await _let_stay(reserved)
                raise
            if after is not None:
                return after
            await _let_stay(reserved)
            if await self._one({"_id": user_id}) is None:
                return None
            await self._refuse_if_there(user_id, if_version)
        raise _changed_meanwhile()


class _Login(NamedTuple):
    """A login of a user who was read with this version."""

    user_id: Any  # a Beanie document may lack its id, a stored one never does
    version: int
    at: datetime
    new_hash: str | None

    @property
    def change(self) -> UpdateOne:
        hashed = {} if self.new_hash is None else {"hashed_password": self.new_hash}
        unchanged = {"_id": self.user_id, "version": self.version}
        return UpdateOne(unchanged, {"$set": {"last_login_at": self.at, **hashed}, "$inc": {"login_count": 1}})


async def _by_email_keys(keys: Sequence[str]) -> Sequence[User | None]:
    """Return the user of each address."""
    users = User.get_pymongo_collection()
    if len(keys) == 1:
        raw = await stored(users.find_one({"email_key": keys[0]}))
        return [None if raw is None else User.model_validate(raw)]
    rows = await stored(users.find({"email_key": {"$in": list(keys)}}).to_list())
    found = {row["email_key"]: row for row in rows}
    return [User.model_validate(found[key]) if key in found else None for key in keys]


async def _count_logins(logins: Sequence[_Login]) -> Sequence[bool]:
    """Count the logins of users who still are what they were; tell of each whether it was counted."""
    users = User.get_pymongo_collection()
    result = await stored(users.bulk_write([login.change for login in logins], ordered=False))
    if result.matched_count == len(logins):
        return [True] * len(logins)
    if len(logins) == 1:
        return [False]
    # Which ones were not? A version only rises: who still has it had it when the logins were counted.
    rows = await stored(users.find({"_id": {"$in": [login.user_id for login in logins]}}, {"version": 1}).to_list())
    versions = {row["_id"]: row["version"] for row in rows}
    return [versions.get(login.user_id) == login.version for login in logins]


async def _let_stay(reserved: Mapping[str, object] | None) -> None:
    if reserved is not None:
        await release(User, reserved)


def _changed_meanwhile() -> MySingleError:
    return conflict(IamReason.USER_CHANGED, "Somebody has changed this user meanwhile. Read it again.")


class OAuthAccountRepository:
    """The accounts of other providers; one of them belongs to at most one user."""

    async def find(self, provider: str, account_id: str) -> OAuthAccount | None:
        """Return the account that a provider knows under an id."""
        return await self._one({"provider": provider, "account_id": account_id})

    async def of_user(self, user_id: str) -> tuple[OAuthAccount, ...]:
        """Return what is linked to a user, oldest first."""
        accounts = OAuthAccount.get_pymongo_collection()
        raw = await stored(accounts.find({"user_id": user_id}).sort("_id", 1).to_list())
        return tuple(OAuthAccount.model_validate(row) for row in raw)

    async def of_users(self, user_ids: Sequence[str]) -> Mapping[str, tuple[OAuthAccount, ...]]:
        """Return what is linked to each of some users, in one look; nobody is missing."""
        accounts = OAuthAccount.get_pymongo_collection()
        raw = await stored(accounts.find({"user_id": {"$in": list(user_ids)}}).sort("_id", 1).to_list())
        found = [OAuthAccount.model_validate(row) for row in raw]
        return {each: tuple(account for account in found if account.user_id == each) for each in user_ids}

    async def link(self, account: OAuthAccount) -> OAuthAccount:
        """
        Store a link; a link that is there already stays.

        Raises:
            AlreadyExistsError: OAUTH_ALREADY_LINKED, to another user.
        """
        if await insert_new(account):
            return account
        existing = await self.find(account.provider, account.account_id)
        if existing is None or existing.user_id != account.user_id:
            raise conflict(IamReason.OAUTH_ALREADY_LINKED, "This account is linked to another user")
        return existing

    async def unlink(self, user_id: str, provider: str, account_id: str) -> bool:
        """Remove a link of a user; tell whether there was one."""
        chosen = {"user_id": user_id, "provider": provider, "account_id": account_id}
        result = await stored(OAuthAccount.get_pymongo_collection().delete_one(chosen))
        return bool(result.deleted_count)

    async def unlink_but_one(self, user_id: str, provider: str, account_id: str) -> bool:
        """
        Remove a link of a user whom another link must be left; tell whether there was one.

        Raises:
            AlreadyExistsError: LAST_LOGIN_METHOD.
        """
        chosen = {"provider": provider, "account_id": account_id}
        try:
            reserved = await reserve(OAuthAccount, chosen, {"user_id": user_id})
        except LastOneError as error:
            message = "Nobody could sign in without it: set a password first."
            raise conflict(IamReason.LAST_LOGIN_METHOD, message) from error
        if reserved is None:
            return False
        result = await stored(OAuthAccount.get_pymongo_collection().delete_one(reserved))
        return bool(result.deleted_count)

    async def _one(self, query: Mapping[str, Any]) -> OAuthAccount | None:
        raw = await stored(OAuthAccount.get_pymongo_collection().find_one(dict(query)))
        return None if raw is None else OAuthAccount.model_validate(raw)


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    foreign = sorted(set(changes) - _CHANGEABLE)
    if foreign:
        raise ValueError(f"These fields of a user are not to be changed: {', '.join(foreign)}")
    checked = dict(changes)
    if "hashed_password" in checked:
        checked.setdefault("password_changed_at", instant())
    return checked


def _object_id(text: str) -> ObjectId | None:
    return ObjectId(text) if len(text) == 24 and ObjectId.is_valid(text) else None
