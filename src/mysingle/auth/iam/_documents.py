"""The collections of the IAM service. Only `User` and `OAuthAccount` are for others to read."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, TypeVar

from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError, PyMongoError

from mysingle._kernel.errors import translate
from mysingle.auth.iam._values import UserView, instant
from mysingle.database.documents import BaseDocument, BaseTimeDocument

__all__ = [
    "IAM_DOCUMENTS",
    "AuthEvent",
    "AuthSession",
    "OAuthAccount",
    "OAuthState",
    "OneTimeToken",
    "SecondFactor",
    "SigningKey",
    "User",
    "insert_new",
    "insert_rows",
    "stored",
]

T = TypeVar("T")

_DAY_SECONDS = 86_400
_EVENT_SECONDS = 400 * _DAY_SECONDS


class User(BaseTimeDocument):
    """
    An account. `email` is what the person wrote, `email_key` what is compared.

    Write it through the repository only: `version` rises with every change, and the caches live by that.
    """

    email: str
    email_key: str
    hashed_password: str | None = None
    full_name: str | None = None
    avatar_url: str | None = None
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = False
    mfa_enabled: bool = False
    roles: list[str] = Field(default_factory=list)
    version: int = 1
    last_login_at: datetime | None = None
    login_count: int = 0
    password_changed_at: datetime | None = None
    leaving: dict[str, Any] | None = None  # somebody is taking the rights of a superuser away

    class Settings:
        name = "users"
        indexes = (
            IndexModel([("email_key", ASCENDING)], name="email_key", unique=True),
            IndexModel([("is_superuser", ASCENDING)], name="is_superuser"),
        )

    def view(self) -> UserView:
        """Return the value that may be cached and handed around; it has no password hash."""
        return UserView(
            id=str(self.id),
            email=self.email,
            email_key=self.email_key,
            full_name=self.full_name,
            avatar_url=self.avatar_url,
            is_active=self.is_active,
            is_superuser=self.is_superuser,
            is_verified=self.is_verified,
            has_password=self.hashed_password is not None,
            roles=tuple(self.roles),
            version=self.version,
            created_at=self.created_at,
            updated_at=self.updated_at,
            last_login_at=self.last_login_at,
            login_count=self.login_count,
            password_changed_at=self.password_changed_at,
        )


class OAuthAccount(BaseTimeDocument):
    """A sign-in with another provider, linked to one user. `tokens` are encrypted, and empty unless asked for."""

    user_id: str
    provider: str
    account_id: str
    account_email: str | None = None
    tokens: str | None = None
    leaving: dict[str, Any] | None = None  # somebody is unlinking it

    class Settings:
        name = "oauth_accounts"
        indexes = (
            IndexModel([("provider", ASCENDING), ("account_id", ASCENDING)], name="account", unique=True),
            IndexModel([("user_id", ASCENDING)], name="user_id"),
        )


class AuthSession(BaseDocument):
    """One signed-in device, and the family of its refresh tokens. MongoDB removes it a day after both its ends."""

    id: str  # type: ignore[assignment]  # our own random text instead of an ObjectId
    user_id: str
    client_id: str
    amr: list[str]
    generation: int
    current_hash: str
    previous_hash: str | None = None
    auth_time: datetime
    created_at: datetime
    last_used_at: datetime
    rotated_at: datetime | None = None
    expires_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None
    revoked_because: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    class Settings:
        name = "auth_sessions"
        indexes = (
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)], name="user"),
            IndexModel([("expires_at", ASCENDING)], name="idle", expireAfterSeconds=_DAY_SECONDS),
        )


class OneTimeToken(BaseDocument):
    """
    A token that was mailed: its hash, what it is for, and whom and which address it is bound to.

    The id is made of user and purpose, so that there is never more than one.
    """

    id: str  # type: ignore[assignment]  # our own text instead of an ObjectId
    token_hash: str
    purpose: str
    user_id: str
    email: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    class Settings:
        name = "auth_one_time_tokens"
        indexes = (
            IndexModel([("token_hash", ASCENDING)], name="token_hash"),
            IndexModel([("user_id", ASCENDING)], name="owner"),
            IndexModel([("expires_at", ASCENDING)], name="end", expireAfterSeconds=0),
        )


class SecondFactor(BaseDocument):
    """The authenticator of a user, whose id is the id: its encrypted secret, and hashes of the recovery codes."""

    id: str  # type: ignore[assignment]  # the id of the user instead of an ObjectId
    sealed: str
    is_confirmed: bool = False
    last_step: int = 0
    recovery_hashes: list[str] = Field(default_factory=list)

    class Settings:
        name = "auth_second_factors"


class SigningKey(BaseDocument):
    """A key that signs access tokens, encrypted. `sequence` is unique, so processes that start together agree."""

    id: str  # type: ignore[assignment]  # the key id of RFC 7517 instead of an ObjectId
    sequence: int
    algorithm: str
    sealed: str
    created_at: datetime
    activates_at: datetime
    expires_at: datetime | None = None

    class Settings:
        name = "auth_signing_keys"
        indexes = (
            IndexModel([("sequence", ASCENDING)], name="sequence", unique=True),
            IndexModel([("expires_at", ASCENDING)], name="end", expireAfterSeconds=_DAY_SECONDS),
        )


class OAuthState(BaseDocument):
    """A sign-in that has begun at another provider: the hash of its state as id, and what only we know about it."""

    id: str  # type: ignore[assignment]  # the hash of the state instead of an ObjectId
    provider: str
    browser_hash: str
    code_verifier: str
    nonce: str
    redirect_url: str | None = None
    link_user_id: str | None = None
    link_session_id: str | None = None
    expires_at: datetime

    class Settings:
        name = "auth_oauth_states"
        indexes = (IndexModel([("expires_at", ASCENDING)], name="end", expireAfterSeconds=0),)


class AuthEvent(BaseDocument):
    """One line of the audit trail of accounts: what happened to whom, when, from where. Never a secret."""

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)  # made with the event, which may be written later
    kind: str
    user_id: str | None = None
    actor_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    detail: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=instant)

    class Settings:
        name = "auth_events"
        indexes = (
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)], name="user"),
            IndexModel([("created_at", ASCENDING)], name="age", expireAfterSeconds=_EVENT_SECONDS),
        )


IAM_DOCUMENTS: tuple[type[Document], ...] = (
    User,
    OAuthAccount,
    AuthSession,
    OneTimeToken,
    SecondFactor,
    OAuthState,
    SigningKey,
    AuthEvent,
)
"""Every collection of the IAM service, for `init_mongo`."""


async def stored(operation: Awaitable[T]) -> T:
    """
    Return what an operation of MongoDB returns.

    Raises:
        MySingleError: the database is away (503), or refuses the operation.
    """
    try:
        return await operation
    except PyMongoError as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error


async def insert_rows(*documents: Document) -> None:
    """
    Insert documents of plain values that have an id, all of one collection and in one command.

    Beanie's own insert costs as much again as the command does, for hooks and references that these have not.

    Raises:
        MySingleError: the database is away (503), or refuses them.
    """
    collection = documents[0].get_pymongo_collection()
    rows = [{"_id": document.id, **document.model_dump(exclude={"id"})} for document in documents]
    await stored(collection.insert_one(rows[0]) if len(rows) == 1 else collection.insert_many(rows, ordered=False))


async def insert_new(document: Document) -> bool:
    """Insert a document; tell whether it was new: False when a unique index has its key already."""
    try:
        await document.insert()
    except DuplicateKeyError:
        return False
    except PyMongoError as error:
        raise translate(error) or error from error
    return True
