"""What the use cases are made of, and the small steps that several of them share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mysingle._kernel.errors import InvalidArgumentError, NotFoundError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._background import Background
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._errors import IamReason, not_found
from mysingle.auth.iam._events import EventKind, Events
from mysingle.auth.iam._issuer import TokenIssuer
from mysingle.auth.iam._mail import Mailer, MailKind
from mysingle.auth.iam._one_time import OneTimeTokens
from mysingle.auth.iam._password_policy import violations
from mysingle.auth.iam._passwords import PasswordHasher
from mysingle.auth.iam._repository import OAuthAccountRepository, UserRepository
from mysingle.auth.iam._second_factors import SecondFactors
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._sessions import Sessions
from mysingle.auth.iam._signing_keys import SigningKeys
from mysingle.auth.iam._throttle import Limit, Throttle
from mysingle.auth.iam._users_cache import UserCache
from mysingle.auth.iam._values import Device, UserView

__all__ = ["Primitives", "Purpose", "make_primitives"]


class Purpose(StrEnum):
    """What a token that is used once is for: those that are mailed, and `MFA`, which a login answers."""

    VERIFY = "verify"
    CHANGE_EMAIL = "change-email"
    RESET = "reset"
    INVITE = "invite"
    MFA = "mfa"


_HOUR = 3600.0
_COMPANY_SECONDS = 0.04  # while many sign in, those who are let in are written down together
_LIFE_SECONDS: Mapping[Purpose, float] = {
    Purpose.VERIFY: 24 * _HOUR,
    Purpose.CHANGE_EMAIL: 24 * _HOUR,
    Purpose.RESET: _HOUR,
    Purpose.INVITE: 7 * 24 * _HOUR,
    Purpose.MFA: 300.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitives:
    """The parts of IAM; the use cases hold no state of their own."""

    settings: CommonSettings
    secret: MasterSecret
    users: UserRepository
    linked: OAuthAccountRepository
    passwords: PasswordHasher
    sessions: Sessions
    tokens: OneTimeTokens
    factors: SecondFactors
    keys: SigningKeys
    issuer: TokenIssuer
    throttle: Throttle
    events: Events
    cache: UserCache
    mailer: Mailer
    background: Background

    @property
    def refresh_key(self) -> bytes:
        """The key of the tags of refresh tokens."""
        return self.secret.derive("refresh-token")

    async def find(self, user_id: str) -> UserView | None:
        """Return a user from the nearest place that has it; None when there is none."""
        cached = await self.cache.get(user_id)
        if cached is not None:
            return cached
        user = await self.users.by_id(user_id)
        if user is None:
            return None
        view = user.view()
        await self.cache.put(view)
        return view

    async def require(self, user_id: str) -> User:
        """
        Return a user.

        Raises:
            MySingleError: USER_NOT_FOUND.
        """
        user = await self.users.by_id(user_id)
        if user is None:
            raise _no_user()
        return user

    async def change(self, user_id: str, **changes: Any) -> UserView:
        """
        Change a user, in the database and in every cache.

        Raises:
            MySingleError: USER_NOT_FOUND, LAST_SUPERUSER, UPDATE_USER_EMAIL_ALREADY_EXISTS.
        """
        user = await self.users.update(user_id, changes)
        if user is None:
            raise _no_user()
        view = user.view()
        await self.cache.replace(view)
        return view

    async def remove(self, user_id: str, device: Device, *, actor_id: str | None = None) -> None:
        """
        Delete a user with its sessions and tokens.

        Raises:
            MySingleError: LAST_SUPERUSER.
        """
        await self.users.delete(user_id)
        await self.sessions.revoke_all(user_id, because="deleted")
        await self.tokens.revoke(user_id)
        await self.factors.remove(user_id)
        await self.cache.drop(user_id)
        await self.events.record(EventKind.USER_DELETED, user_id=user_id, actor_id=actor_id, device=device)

    def check_password(self, password: str, reason: IamReason, *, email: str, names: Iterable[str | None] = ()) -> None:
        """
        Refuse a password that an attacker would try first.

        Raises:
            MySingleError: the reason, a 400 that lists what is wrong.
        """
        known = (self.settings.PROJECT_NAME, *(name for name in names if name))
        found = violations(password, email=email, names=known, min_length=self.settings.AUTH_PASSWORD_MIN_LENGTH)
        if found:
            reasons = [item.message for item in found]
            message = "This password cannot be used. " + " ".join(reasons)
            raise InvalidArgumentError(message, reason=reason, violations=found, extensions={"reasons": reasons})

    async def may_mail(self, account_key: str) -> bool:
        """Count a mail that anybody can ask for; tell whether it may be sent."""
        return await self.throttle.allow(Limit.MAIL, account_key)

    async def issue_token(self, purpose: Purpose, user_id: str, email: str) -> str:
        """Return a new token; former ones for the same purpose stop working."""
        return await self.tokens.issue(purpose, user_id, email=email, ttl=_LIFE_SECONDS[purpose])

    async def mail_token(self, purpose: Purpose, kind: MailKind, user_id: str, to: str) -> None:
        """Mail a new token; former ones for the same purpose stop working."""
        token = await self.issue_token(purpose, user_id, to)
        self.mailer.send(kind, to, {"token": token})

    @staticmethod
    def mail_values(device: Device, **more: str) -> dict[str, str]:
        """Return the values of a mail that tells where something came from."""
        return {"ip": device.ip or "", "user_agent": device.user_agent or "", **more}


def _no_user() -> NotFoundError:
    return not_found(IamReason.USER_NOT_FOUND, "There is no such user.")


def make_primitives(settings: CommonSettings, mailer: Mailer) -> Primitives:
    """Make the parts; nothing is connected."""
    secret = MasterSecret.from_settings(settings)
    keys = SigningKeys(settings, secret)
    passwords = PasswordHasher()
    return Primitives(
        settings=settings,
        secret=secret,
        users=UserRepository(),
        linked=OAuthAccountRepository(),
        passwords=passwords,
        sessions=Sessions(settings, secret),
        tokens=OneTimeTokens(),
        factors=SecondFactors(secret),
        keys=keys,
        issuer=TokenIssuer(settings, keys),
        throttle=Throttle(settings, secret, pause=lambda: _COMPANY_SECONDS if passwords.is_crowded else 0.0),
        events=Events(),
        cache=UserCache(settings, secret),
        mailer=mailer,
        background=Background(),
    )
