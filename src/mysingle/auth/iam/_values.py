"""The values of the IAM service: a user, a device, without any database behind them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from mysingle._kernel.identity import AuthenticatedUser

__all__ = ["Clock", "Device", "UserView", "instant"]

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch, as `time.time`."""

_MAX_USER_AGENT = 256


def instant(seconds: float | None = None) -> datetime:
    """Return a time in UTC as MongoDB stores it, in milliseconds; now when none is given."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a request comes from, as far as a person recognises it in the list of sessions."""

    ip: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        if self.user_agent is not None:
            readable = "".join(character for character in self.user_agent if character.isprintable())
            object.__setattr__(self, "user_agent", readable[:_MAX_USER_AGENT])


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """A user as the service reads it: what the cache holds. It has no password hash, and is never saved back."""

    id: str
    email: str
    email_key: str
    full_name: str | None = None
    avatar_url: str | None = None
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = False
    has_password: bool = True
    roles: tuple[str, ...] = ()
    version: int = 1
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None = None
    login_count: int = 0
    password_changed_at: datetime | None = None

    def authenticated(self, *, session_id: str | None, authenticated_at: datetime | None = None) -> AuthenticatedUser:
        """Return the caller that this user is, with the evidence of a token."""
        return AuthenticatedUser(
            id=self.id,
            email=self.email,
            full_name=self.full_name,
            is_active=self.is_active,
            is_verified=self.is_verified,
            is_superuser=self.is_superuser,
            roles=frozenset(self.roles),
            session_id=session_id,
            auth_method="token",
            authenticated_at=authenticated_at,
        )
