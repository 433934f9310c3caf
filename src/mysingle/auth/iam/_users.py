"""Signing in and out: from credentials to the tokens of a session, and from a refresh token to the next ones."""

import time
from dataclasses import dataclass
from datetime import datetime

from mysingle._kernel.errors import MySingleError, PermissionDeniedError
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._email_address import normalize
from mysingle.auth.iam._errors import IamReason, forbidden, unauthorized
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._one_time import BadTokenError
from mysingle.auth.iam._primitives import Primitives, Purpose
from mysingle.auth.iam._refresh_tokens import parse_refresh
from mysingle.auth.iam._sessions import OpenedSession, RefreshReusedError, SessionView
from mysingle.auth.iam._throttle import Limit
from mysingle.auth.iam._values import Device, UserView, instant

__all__ = ["PASSWORD", "SignedIn", "Users", "account_key", "bad_code"]

PASSWORD = ("pwd",)
"""How somebody proved who they are, as in the claim `amr` (RFC 8176)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A user with the tokens of a session; the lives are seconds from now."""

    user: UserView
    session_id: str
    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int


def account_key(name: str) -> str:
    """Return what is counted and looked up for the name of a login; a name that is no address has a key too."""
    try:
        return normalize(name).key
    except ValueError:
        return name.casefold()


class Users:
    """The use cases of sessions."""

    def __init__(self, primitives: Primitives) -> None:
        self._tools = primitives

    async def login(self, name: str, password: str, device: Device) -> SignedIn:
        """
        Begin a session with a password. Unknown, wrong and inactive are one refusal, after the same work.

        Raises:
            MySingleError: RATE_LIMITED, LOGIN_BAD_CREDENTIALS or LOGIN_USER_NOT_VERIFIED; MFA_REQUIRED, whose
                document has the `mfa_token` for `verify_mfa`.
        """
        tools, key = self._tools, account_key(name)
        await tools.throttle.check_login(key, device.ip, password=password)
        user = await tools.users.by_email_key(key)
        stored_hash = user.hashed_password if user else None
        check = await tools.passwords.verify(password, stored_hash)
        if user is None or not check.matches or not user.is_active:
            await tools.throttle.failed_login(key, device.ip)
            await tools.events.note(EventKind.LOGIN_FAILED, user_id=_id(user), device=device)
            raise _bad_credentials()
        await tools.throttle.succeeded(key, device.ip, password=password)
        if user.mfa_enabled and user.is_verified:
            raise await self._second_step(user, device, check.new_hash)
        return await self.sign_in(user, device, amr=PASSWORD, new_hash=check.new_hash)

    async def _second_step(self, user: User, device: Device, new_hash: str | None) -> MySingleError:
        """Return the answer to a right password that is not enough."""
        tools, user_id = self._tools, str(user.id)
        token = await tools.issue_token(Purpose.MFA, user_id, user.email)
        if new_hash is not None:
            await tools.users.rehash(user, new_hash)
        await tools.events.note(EventKind.MFA_REQUIRED, user_id=user_id, device=device)
        return PermissionDeniedError(
            "The password is right. Send a code of your authenticator to /auth/mfa/verify.",
            reason=IamReason.MFA_REQUIRED,
            extensions={"mfa_token": token},
        )

    async def verify_mfa(self, mfa_token: str, code: str, device: Device) -> SignedIn:
        """
        Begin a session with the second step of a login; a wrong code leaves the token good for another try.

        Raises:
            MySingleError: MFA_INVALID, whatever is wrong; RATE_LIMITED.
        """
        tools = self._tools
        await tools.throttle.require(Limit.TOKEN, device.ip)
        offered = await tools.tokens.peek(Purpose.MFA, mfa_token)
        user = None if offered is None else await tools.users.by_id(offered.user_id)
        if user is None or not user.is_active or not user.mfa_enabled:
            raise bad_code()
        user_id = str(user.id)
        await tools.throttle.require(Limit.MFA, user_id)
        method = await tools.factors.use(user_id, code)
        if method is None:
            await tools.events.record(EventKind.MFA_FAILED, user_id=user_id, device=device)
            raise bad_code()
        try:
            await tools.tokens.redeem(Purpose.MFA, mfa_token)
        except BadTokenError as error:
            raise bad_code() from error
        await tools.throttle.forgive(Limit.MFA, user_id)
        return await self.sign_in(user, device, amr=(*PASSWORD, *method))

    async def sign_in(
        self, user: User, device: Device, *, amr: tuple[str, ...], new_hash: str | None = None
    ) -> SignedIn:
        """
        Begin a session for somebody who has proved who they are; every way of signing in ends here.

        Args:
            user: who it is.
            device: where they are.
            amr: how they proved it (RFC 8176), such as `("pwd",)`.
            new_hash: what replaces the hash of the password, when that was made with older parameters.

        Raises:
            MySingleError: LOGIN_BAD_CREDENTIALS for an inactive account, or one whose password has changed
                meanwhile; LOGIN_USER_NOT_VERIFIED for an address that is not verified.
        """
        if not user.is_active:
            raise _bad_credentials()
        tools = self._tools
        if not user.is_verified:
            await tools.events.note(EventKind.LOGIN_REFUSED, user_id=_id(user), device=device)
            raise forbidden(IamReason.LOGIN_USER_NOT_VERIFIED, "Verify your e-mail address first.")
        # The session first, then a look at the user: a password that is changed meanwhile ends every session that is
        # there, and is seen here by every other, so that none outlives it.
        opened = await tools.sessions.open(user.view(), device, amr=amr)
        view = await tools.users.record_login(user, at=instant(), new_hash=new_hash)
        if view is None or not view.is_active or view.password_changed_at != user.password_changed_at:
            await tools.sessions.revoke(opened.session_id, because="overtaken")
            raise _bad_credentials()
        await tools.events.note(EventKind.LOGIN_SUCCEEDED, user_id=view.id, device=device, session_id=opened.session_id)
        return self._signed_in(view, opened)

    async def refresh(self, token: str, device: Device) -> SignedIn:
        """
        Exchange a refresh token for new tokens.

        Raises:
            MySingleError: REFRESH_TOKEN_INVALID, _EXPIRED or _REUSED, REFRESH_IN_PROGRESS.
        """
        tools = self._tools
        try:
            rotated = await tools.sessions.rotate(token, device)
        except RefreshReusedError as error:
            await self._tell_of_reuse(error, device)
            raise
        user = await tools.users.by_id(rotated.user_id)
        if user is None or not user.is_active:
            await tools.sessions.revoke(rotated.session_id, because="user_inactive")
            raise unauthorized(IamReason.REFRESH_TOKEN_INVALID, "This session is over. Sign in again.")
        return self._signed_in(user.view(), rotated)

    async def sign_out(self, session_id: str, user_id: str, device: Device, *, everywhere: bool = False) -> None:
        """End a session, or every session of its user."""
        tools = self._tools
        if everywhere:
            ended = await tools.sessions.revoke_all(user_id)
            await tools.events.record(
                EventKind.SESSIONS_REVOKED, user_id=user_id, device=device, detail={"sessions": ended}
            )
        else:
            await tools.sessions.revoke(session_id, user_id=user_id)
        await tools.events.record(EventKind.LOGOUT, user_id=user_id, device=device, session_id=session_id)

    async def session_of(self, refresh_token: str) -> SessionView | None:
        """Return the session that goes on with a refresh token of ours, of whatever generation."""
        session_id = self.session_id_of(refresh_token)
        return None if session_id is None else await self._tools.sessions.get(session_id)

    def session_id_of(self, refresh_token: str) -> str | None:
        """Return the session that a refresh token of ours names; None for anything else."""
        parsed = parse_refresh(refresh_token, self._tools.refresh_key)
        return None if parsed is None else parsed.session_id

    async def _tell_of_reuse(self, error: RefreshReusedError, device: Device) -> None:
        tools = self._tools
        await tools.events.record(
            EventKind.REFRESH_REUSED, user_id=error.user_id, device=device, session_id=error.session_id
        )
        user = await tools.users.by_id(error.user_id)
        if user is not None:
            values = {"ip": device.ip or "", "user_agent": device.user_agent or ""}
            tools.mailer.send(MailKind.REFRESH_REUSED, user.email, values)

    def _signed_in(self, view: UserView, session: OpenedSession) -> SignedIn:
        issued = self._tools.issuer.issue_access(
            view, session.session_id, auth_time=session.auth_time, amr=session.amr, client_id=session.client_id
        )
        return SignedIn(
            user=view,
            session_id=session.session_id,
            access_token=issued.token,
            refresh_token=session.refresh_token,
            expires_in=issued.expires_in,
            refresh_expires_in=_seconds_until(session.refresh_expires_at),
        )


def _seconds_until(moment: datetime) -> int:
    return max(0, round(moment.timestamp() - time.time()))


def _id(user: User | None) -> str | None:
    return None if user is None else str(user.id)


def bad_code() -> MySingleError:
    """Return the one answer to a second step that fails."""
    return unauthorized(IamReason.MFA_INVALID, "The code is wrong or was used, or this sign-in is over.")


def _bad_credentials() -> MySingleError:
    return unauthorized(IamReason.LOGIN_BAD_CREDENTIALS, "The address or the password is wrong.")
