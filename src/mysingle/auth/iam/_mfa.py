"""The second step of signing in: how people set it up and give it up."""

from dataclasses import dataclass

from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth.iam._accounts import Accounts
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._primitives import Primitives
from mysingle.auth.iam._second_factors import already_enabled
from mysingle.auth.iam._throttle import Limit
from mysingle.auth.iam._totp import as_text, provisioning_url
from mysingle.auth.iam._users import bad_code
from mysingle.auth.iam._values import Device

__all__ = ["Mfa", "Proposal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A new authenticator, which counts once a code of it has been seen."""

    secret: str
    url: str


class Mfa:
    """The use cases of authenticators; a login that has one ends in `Users.verify_mfa`."""

    def __init__(self, primitives: Primitives, accounts: Accounts) -> None:
        self._tools = primitives
        self._accounts = accounts

    async def propose(self, caller: AuthenticatedUser, password: str, device: Device) -> Proposal:
        """
        Make the secret of a new authenticator.

        Raises:
            MySingleError: REAUTH_FAILED, RATE_LIMITED, MFA_ALREADY_ENABLED.
        """
        user = await self._accounts.reauthenticated(caller, password, device)
        _require_off(user)
        secret = await self._tools.factors.propose(caller.id)
        url = provisioning_url(secret, issuer=self._tools.settings.PROJECT_NAME, account=user.email)
        return Proposal(secret=as_text(secret), url=url)

    async def enable(self, caller: AuthenticatedUser, code: str, device: Device) -> tuple[str, ...]:
        """
        Demand a code at every further login with the password; return the recovery codes.

        Raises:
            MySingleError: MFA_INVALID, RATE_LIMITED, MFA_ALREADY_ENABLED.
        """
        tools = self._tools
        await tools.throttle.require(Limit.MFA, caller.id)
        _require_off(await tools.require(caller.id))
        codes = await tools.factors.confirm(caller.id, code)
        if codes is None:
            raise bad_code()
        await tools.throttle.forgive(Limit.MFA, caller.id)
        await self._switch(caller.id, device, is_on=True)
        return codes

    async def disable(self, caller: AuthenticatedUser, password: str, code: str, device: Device) -> None:
        """
        Demand no code any more; without a second step there is nothing to do.

        Raises:
            MySingleError: REAUTH_FAILED, MFA_INVALID, RATE_LIMITED.
        """
        tools = self._tools
        user = await self._accounts.reauthenticated(caller, password, device)
        if not user.mfa_enabled:
            await tools.factors.remove(caller.id)  # what was set up and never counted
            return
        await tools.throttle.require(Limit.MFA, caller.id)
        if await tools.factors.use(caller.id, code) is None:
            await tools.events.record(EventKind.MFA_FAILED, user_id=caller.id, device=device)
            raise bad_code()
        await tools.throttle.forgive(Limit.MFA, caller.id)
        await self._switch(caller.id, device, is_on=False)

    async def reset(self, user_id: str, admin: AuthenticatedUser, device: Device) -> None:
        """
        Demand no code of somebody who has lost the authenticator.

        Raises:
            MySingleError: USER_NOT_FOUND.
        """
        user = await self._tools.require(user_id)
        if user.mfa_enabled:
            await self._switch(str(user.id), device, is_on=False, actor_id=admin.id)

    async def _switch(self, user_id: str, device: Device, *, is_on: bool, actor_id: str | None = None) -> None:
        tools = self._tools
        view = await tools.change(user_id, mfa_enabled=is_on)
        if not is_on:
            await tools.factors.remove(user_id)
        kind = EventKind.MFA_ENABLED if is_on else EventKind.MFA_DISABLED
        await tools.events.record(kind, user_id=user_id, actor_id=actor_id, device=device)
        tools.mailer.send(MailKind.MFA_CHANGED, view.email, tools.mail_values(device))


def _require_off(user: User) -> None:
    if user.mfa_enabled:
        raise already_enabled()
