"""What people do with their own account: change its name, address and password, unlink a provider, close it."""

from datetime import timedelta
from typing import Any

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth.iam._documents import AuthEvent, OAuthAccount, User
from mysingle.auth.iam._email_address import EmailAddress, normalize
from mysingle.auth.iam._errors import IamReason, bad_request, forbidden, not_found
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._one_time import BadTokenError, Redeemed
from mysingle.auth.iam._primitives import Primitives, Purpose
from mysingle.auth.iam._schemas import UserUpdate
from mysingle.auth.iam._sessions import SessionView
from mysingle.auth.iam._throttle import Limit
from mysingle.auth.iam._values import Device, UserView, instant

__all__ = ["Accounts"]

_RECENT = timedelta(minutes=10)
_BAD_TOKEN = "This link is not valid, or has expired. Ask for a new one."  # noqa: S105  # a sentence


class Accounts:
    """The use cases of people and their own account."""

    def __init__(self, primitives: Primitives) -> None:
        self._tools = primitives

    async def view(self, user_id: str) -> UserView:
        """
        Return a user as the database has it.

        Raises:
            MySingleError: USER_NOT_FOUND.
        """
        return (await self._tools.require(user_id)).view()

    async def own(self, caller: AuthenticatedUser) -> UserView:
        """
        Return the account of a caller; the test user of the development bypass has none, and is shown as it is.

        Raises:
            MySingleError: USER_NOT_FOUND.
        """
        return _test_user(caller) if caller.auth_method == "bypass" else await self.view(caller.id)

    async def _account(self, caller: AuthenticatedUser) -> User:
        if caller.auth_method == "bypass":
            message = "The test user of the development bypass has no account: sign in with one of your own."
            raise not_found(IamReason.USER_NOT_FOUND, message)
        return await self._tools.require(caller.id)

    async def forgot_password(self, email: str, device: Device) -> None:
        """Mail a link to choose a new password, if there is an active account; nobody can tell from outside."""
        await self._tools.throttle.require(Limit.TOKEN, device.ip)
        self._tools.background.start(self._offer_reset(normalize(email).key, device))

    async def _offer_reset(self, key: str, device: Device) -> None:
        tools = self._tools
        user = await tools.users.by_email_key(key)
        if user is None or not user.is_active or not await tools.may_mail(key):
            return
        await tools.events.record(EventKind.PASSWORD_RESET_REQUESTED, user_id=str(user.id), device=device)
        await tools.mail_token(Purpose.RESET, MailKind.RESET, str(user.id), user.email)

    async def reset_password(self, token: str, password: str, device: Device) -> None:
        """
        Set a password with a token that came by mail; every session ends.

        Raises:
            MySingleError: RESET_PASSWORD_BAD_TOKEN, RESET_PASSWORD_INVALID_PASSWORD, RATE_LIMITED.
        """
        tools = self._tools
        await tools.throttle.require(Limit.TOKEN, device.ip)
        # A password that is refused must not use the token up.
        purpose, offered = await self._offered(token)
        user = await self._owner(offered)
        tools.check_password(
            password, IamReason.RESET_PASSWORD_INVALID_PASSWORD, email=user.email, names=(user.full_name,)
        )
        hashed = await tools.passwords.hash(password)
        try:
            await tools.tokens.redeem(purpose, token)
        except BadTokenError as error:
            raise _bad_token() from error
        await self._end_access(str(user.id))  # also before, so that nothing lives on if the database goes away here
        if not user.is_verified:
            await self._unlink_strangers(str(user.id))
        verified = {"is_verified": True} if purpose == Purpose.INVITE else {}
        await tools.change(str(user.id), hashed_password=hashed, **verified)
        await self._after_new_password(user, device, EventKind.PASSWORD_RESET)

    async def _offered(self, token: str) -> tuple[str, Redeemed]:
        for purpose in (Purpose.RESET, Purpose.INVITE):
            offered = await self._tools.tokens.peek(purpose, token)
            if offered is not None:
                return purpose, offered
        raise _bad_token()

    async def _owner(self, offered: Redeemed) -> User:
        user = await self._tools.users.by_id(offered.user_id)
        if user is None or not user.is_active or user.email_key != normalize(offered.email).key:
            raise _bad_token()
        return user

    async def _after_new_password(
        self, user: User, device: Device, kind: EventKind, *, keeps: str | None = None
    ) -> None:
        tools, user_id = self._tools, str(user.id)
        await self._end_access(user_id, keeps=keeps)
        await tools.throttle.succeeded(user.email_key, None)
        tools.mailer.send(MailKind.PASSWORD_CHANGED, user.email, tools.mail_values(device))
        await tools.events.record(kind, user_id=user_id, device=device, session_id=keeps)

    async def _end_access(self, user_id: str, *, keeps: str | None = None) -> None:
        """End the sessions, perhaps but one, and the mailed links: they were had with the former password."""
        await self._tools.sessions.revoke_all(user_id, except_sid=keeps, because="new password")
        await self._tools.tokens.revoke(user_id)

    async def _unlink_strangers(self, user_id: str) -> None:
        """
        Unlink what was linked while nobody had proved to read the mails of the address.

        A provider may have said the address without verifying it, so the one who links is perhaps not the one who
        has this mail now.
        """
        for account in await self.linked(user_id):
            await self._tools.linked.unlink(user_id, account.provider, account.account_id)

    async def change_password(self, caller: AuthenticatedUser, current: str, new: str, device: Device) -> None:
        """
        Change the password; all sessions but this one end.

        Raises:
            MySingleError: REAUTH_FAILED, UPDATE_USER_INVALID_PASSWORD, RATE_LIMITED.
        """
        user = await self.reauthenticated(caller, current, device)
        await self._set_password(user, await self._hashed(user, new), caller, device)

    async def _hashed(self, user: User, new: str) -> str:
        """Return the hash of a password that may be the user's next one."""
        names = (user.full_name,)
        self._tools.check_password(new, IamReason.UPDATE_USER_INVALID_PASSWORD, email=user.email, names=names)
        return await self._tools.passwords.hash(new)

    async def _set_password(self, user: User, hashed: str, caller: AuthenticatedUser, device: Device) -> None:
        tools = self._tools
        await self._end_access(str(user.id), keeps=caller.session_id)
        await tools.change(str(user.id), hashed_password=hashed)
        await self._after_new_password(user, device, EventKind.PASSWORD_CHANGED, keeps=caller.session_id)

    async def reauthenticated(self, caller: AuthenticatedUser, password: str, device: Device) -> User:
        """
        Return the account of a caller who has the password.

        Raises:
            MySingleError: REAUTH_FAILED, RATE_LIMITED.
        """
        user = await self._account(caller)
        await self._reauthenticate(user, password, device)
        return user

    async def update_me(self, caller: AuthenticatedUser, body: UserUpdate, device: Device) -> UserView:
        """
        Change what people may change about themselves, or nothing. A new address takes effect when it is verified.

        Raises:
            MySingleError: REAUTH_REQUIRED or REAUTH_FAILED, UPDATE_USER_INVALID_PASSWORD,
                UPDATE_USER_EMAIL_ALREADY_EXISTS unless nobody may learn which addresses are known.
        """
        user = await self._account(caller)
        if body.email is not None or body.password is not None:
            if body.current_password is None:
                raise _reauthentication_required()
            await self._reauthenticate(user, body.current_password.get_secret_value(), device)
        address = None if body.email is None else await self._acceptable(user, normalize(body.email))
        hashed = None if body.password is None else await self._hashed(user, body.password.get_secret_value())
        # Whatever can be refused has been. The password goes first, because it ends the links that were mailed.
        if hashed is not None:
            await self._set_password(user, hashed, caller, device)
        if address is not None:
            await self._request_address(user, address, device)
        names: dict[str, Any] = body.model_dump(include={"full_name", "avatar_url"}, exclude_unset=True)
        if not names:
            return await self.view(caller.id)
        changed = await self._tools.change(caller.id, **names)
        await self._tools.events.record(
            EventKind.USER_CHANGED, user_id=caller.id, device=device, detail={"fields": sorted(names)}
        )
        return changed

    async def _acceptable(self, user: User, address: EmailAddress) -> EmailAddress:
        """Return a new address; refuse another account's, unless nobody may learn which addresses are known."""
        is_silent = self._tools.settings.AUTH_REGISTER_ENUMERATION == "strict"
        if address.key == user.email_key or is_silent or await self._tools.users.by_email_key(address.key) is None:
            return address
        message = "There is another account with this e-mail address."
        raise bad_request(IamReason.UPDATE_USER_EMAIL_ALREADY_EXISTS, message)

    async def _request_address(self, user: User, address: EmailAddress, device: Device) -> None:
        tools, user_id = self._tools, str(user.id)
        if address.key == user.email_key:
            await tools.change(user_id, email=address.display)
            return
        if tools.settings.AUTH_REGISTER_ENUMERATION == "strict":
            tools.background.start(self._offer_address(user, address, device))
        else:
            await self._offer_address(user, address, device)
        await tools.events.record(EventKind.EMAIL_CHANGE_REQUESTED, user_id=user_id, device=device)

    async def _offer_address(self, user: User, address: EmailAddress, device: Device) -> None:
        """Mail the new address: the link that confirms it, or to its owner that somebody wanted it."""
        tools = self._tools
        if not await tools.may_mail(user.email_key):
            return
        owner = await tools.users.by_email_key(address.key)
        if owner is None:
            await tools.mail_token(Purpose.CHANGE_EMAIL, MailKind.VERIFY, str(user.id), address.display)
        else:
            tools.mailer.send(MailKind.ACCOUNT_EXISTS, owner.email, tools.mail_values(device))

    async def delete_me(self, caller: AuthenticatedUser, current: str | None, device: Device) -> None:
        """
        Close the account; right after a login, or with the current password.

        Raises:
            MySingleError: REAUTH_REQUIRED or REAUTH_FAILED, LAST_SUPERUSER.
        """
        user = await self._account(caller)
        if current is not None:
            await self._reauthenticate(user, current, device)
        elif not is_recent(caller):
            raise _reauthentication_required()
        await self._tools.remove(str(user.id), device)

    async def activity(self, user_id: str, limit: int) -> tuple[AuthEvent, ...]:
        """Return what has happened to the account, the newest first."""
        return await self._tools.events.recent(user_id, limit)

    async def sessions(self, user_id: str) -> tuple[SessionView, ...]:
        """Return the sessions that go on, last used first."""
        return await self._tools.sessions.list(user_id)

    async def end_session(self, user_id: str, session_id: str, device: Device) -> None:
        """
        End one session.

        Raises:
            MySingleError: SESSION_NOT_FOUND.
        """
        tools = self._tools
        if not await tools.sessions.revoke(session_id, user_id=user_id, because="user"):
            raise not_found(IamReason.SESSION_NOT_FOUND, "There is no such session.")
        await tools.events.record(
            EventKind.SESSION_REVOKED, user_id=user_id, device=device, detail={"session": session_id}
        )

    async def end_other_sessions(self, caller: AuthenticatedUser, device: Device) -> None:
        """End every session but the one that asks."""
        tools = self._tools
        ended = await tools.sessions.revoke_all(caller.id, except_sid=caller.session_id, because="user")
        await tools.events.record(
            EventKind.SESSIONS_REVOKED,
            user_id=caller.id,
            device=device,
            session_id=caller.session_id,
            detail={"sessions": ended},
        )

    async def linked(self, user_id: str) -> tuple[OAuthAccount, ...]:
        """Return the accounts at other providers."""
        return await self._tools.linked.of_user(user_id)

    async def unlink(self, user_id: str, provider: str, account_id: str, device: Device) -> None:
        """
        Unlink an account at another provider.

        Raises:
            MySingleError: OAUTH_ACCOUNT_NOT_FOUND, LAST_LOGIN_METHOD.
        """
        tools = self._tools
        user = await tools.require(user_id)
        unlink = tools.linked.unlink_but_one if user.hashed_password is None else tools.linked.unlink
        if not await unlink(user_id, provider, account_id):
            raise not_found(IamReason.OAUTH_ACCOUNT_NOT_FOUND, "This account is not linked.")
        await tools.events.record(
            EventKind.OAUTH_UNLINKED, user_id=user_id, device=device, detail={"provider": provider}
        )

    async def _reauthenticate(self, user: User, password: str, device: Device) -> None:
        """Check the current password; attempts are counted apart from logins, so that nobody else can use them up."""
        tools, user_id = self._tools, str(user.id)
        await tools.throttle.require(Limit.REAUTH, user_id)
        check = await tools.passwords.verify(password, user.hashed_password)
        if check.matches:
            await tools.throttle.forgive(Limit.REAUTH, user_id)
            return
        await tools.events.record(EventKind.REAUTH_FAILED, user_id=user_id, device=device)
        raise forbidden(IamReason.REAUTH_FAILED, "The current password is wrong.")


def is_recent(caller: AuthenticatedUser) -> bool:
    """Tell whether somebody has proved who they are within the last ten minutes."""
    return caller.authenticated_at is not None and instant() - caller.authenticated_at <= _RECENT


def _test_user(caller: AuthenticatedUser) -> UserView:
    return UserView(
        id=caller.id,
        email=caller.email or "",
        email_key=caller.email or "",
        full_name=caller.full_name,
        is_active=caller.is_active,
        is_superuser=caller.is_superuser,
        is_verified=caller.is_verified,
        has_password=False,
        roles=tuple(sorted(caller.roles)),
        created_at=instant(0),
        updated_at=instant(0),
    )


def _reauthentication_required() -> MySingleError:
    return forbidden(IamReason.REAUTH_REQUIRED, "This needs the current password.")


def _bad_token() -> MySingleError:
    return bad_request(IamReason.RESET_PASSWORD_BAD_TOKEN, _BAD_TOKEN)
