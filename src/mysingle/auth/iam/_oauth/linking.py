"""Whose account it is: from an identity at a provider to a user of ours, without ever handing one to a stranger."""

from datetime import datetime

from mysingle._kernel.errors import AlreadyExistsError, MySingleError
from mysingle.auth.iam._documents import OAuthAccount, User, stored
from mysingle.auth.iam._email_address import EmailAddress, normalize
from mysingle.auth.iam._errors import IamReason, bad_request, conflict, forbidden
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._oauth.tokens import TokenVault
from mysingle.auth.iam._oauth.values import ProviderAnswer, ProviderIdentity
from mysingle.auth.iam._primitives import Primitives, Purpose
from mysingle.auth.iam._values import Device, UserView, instant

__all__ = ["Linking"]


class Linking:
    """
    Finds or makes the user behind an identity.

    A link decides first. Without one, only an address that the provider has verified leads to a user of ours, and a
    user who has never verified that address loses everything that a stranger may have put there beforehand.
    """

    def __init__(self, tools: Primitives, vault: TokenVault) -> None:
        self._tools = tools
        self._vault = vault

    async def user_of(self, provider: str, answer: ProviderAnswer, device: Device) -> User:
        """
        Return the user who signs in; whether that is allowed is for the sign-in to judge.

        Raises:
            MySingleError: OAUTH_NOT_AVAILABLE_EMAIL, OAUTH_ACCOUNT_EXISTS or REGISTRATION_DISABLED.
        """
        identity = answer.identity
        linked = await self._tools.linked.find(provider, identity.account_id)
        owner = await self._tools.users.by_id(linked.user_id) if linked else None
        if owner is not None:
            return await self._known(owner, provider, answer, device)
        if linked is not None:  # its user is gone
            await self._tools.linked.unlink(linked.user_id, provider, identity.account_id)
        if identity.email is None:
            message = "The provider gives no e-mail address of this account: allow it to, then try again."
            raise bad_request(IamReason.OAUTH_NOT_AVAILABLE_EMAIL, message)
        address = normalize(identity.email)
        user = await self._tools.users.by_email_key(address.key)
        if user is None:
            return await self._new(address, provider, answer, device)
        return await self._same_address(user, provider, answer, device)

    async def link(self, user_id: str, provider: str, answer: ProviderAnswer, device: Device) -> UserView:
        """
        Link an identity to a user who is signed in; an identity of theirs stays as it is.

        Raises:
            MySingleError: OAUTH_ALREADY_LINKED, it belongs to somebody else.
        """
        user = await self._tools.require(user_id)
        if await self._store_link(user, provider, answer, device):
            self._tell_owner(user, provider, device)
        return user.view()

    async def _known(self, user: User, provider: str, answer: ProviderAnswer, device: Device) -> User:
        await self._keep_tokens(provider, answer)
        if user.is_verified or not user.is_active:
            return user
        if _owns(answer.identity, user):
            return await self._take_over(user, provider, answer, device)
        self._tools.background.start(self._verify_by_mail(user))
        return user

    async def _same_address(self, user: User, provider: str, answer: ProviderAnswer, device: Device) -> User:
        if answer.identity.email_verified is not True:
            raise _account_exists()
        if not user.is_active:
            return user
        if not user.is_verified:
            return await self._take_over(user, provider, answer, device)
        if self._tools.settings.OAUTH_AUTO_LINK != "verified":
            raise _account_exists()
        await self._store_link(user, provider, answer, device)
        self._tell_owner(user, provider, device)
        return user

    async def _new(self, address: EmailAddress, provider: str, answer: ProviderAnswer, device: Device) -> User:
        tools, identity = self._tools, answer.identity
        if not tools.settings.AUTH_REGISTRATION_ENABLED:
            raise forbidden(IamReason.REGISTRATION_DISABLED, "Registration is closed.")
        made = User(
            email=address.display,
            email_key=address.key,
            full_name=identity.full_name,
            avatar_url=identity.avatar_url,
            is_verified=identity.email_verified is True,
        )
        try:
            user = await tools.users.insert(made)
        except AlreadyExistsError as error:  # somebody was faster
            raise _account_exists() from error
        await self._link_or_forget(user, provider, answer, device)
        await tools.events.record(
            EventKind.USER_REGISTERED, user_id=str(user.id), device=device, detail={"provider": provider}
        )
        if not user.is_verified:
            tools.background.start(self._verify_by_mail(user))
        return user

    async def _link_or_forget(self, user: User, provider: str, answer: ProviderAnswer, device: Device) -> None:
        """Link a new user, or take it back: nobody could sign in to a user without link and password."""
        try:
            await self._store_link(user, provider, answer, device)
        except MySingleError:
            await self._tools.users.delete(str(user.id))
            raise

    async def _take_over(self, user: User, provider: str, answer: ProviderAnswer, device: Device) -> User:
        """
        Give an account whose address nobody had verified to the one who has verified it now.

        Whoever opened it may be somebody else, so password, sessions, mailed links and linked accounts go first.
        """
        tools, user_id, identity = self._tools, str(user.id), answer.identity
        for other in await tools.linked.of_user(user_id):
            if (other.provider, other.account_id) != (provider, identity.account_id):
                await tools.linked.unlink(user_id, other.provider, other.account_id)
        await tools.tokens.revoke(user_id)
        await tools.sessions.revoke_all(user_id, because="taken over")
        await tools.change(
            user_id,
            hashed_password=None,
            is_verified=True,
            full_name=identity.full_name,
            avatar_url=identity.avatar_url,
        )
        await self._store_link(user, provider, answer, device)
        await tools.events.record(
            EventKind.EMAIL_VERIFIED, user_id=user_id, device=device, detail={"provider": provider}
        )
        return await tools.require(user_id)

    async def _store_link(self, user: User, provider: str, answer: ProviderAnswer, device: Device) -> bool:
        """Store a link and the tokens; tell whether the link is new."""
        tools, identity = self._tools, answer.identity
        known = await tools.linked.find(provider, identity.account_id)
        account = OAuthAccount(
            user_id=str(user.id),
            provider=provider,
            account_id=identity.account_id,
            account_email=identity.email,
            tokens=self._vault.seal(answer.tokens, provider, identity.account_id),
        )
        await tools.linked.link(account)
        if known is not None:
            await self._keep_tokens(provider, answer)
            return False
        await tools.events.record(
            EventKind.OAUTH_LINKED, user_id=str(user.id), device=device, detail={"provider": provider}
        )
        return True

    async def _keep_tokens(self, provider: str, answer: ProviderAnswer) -> None:
        sealed = self._vault.seal(answer.tokens, provider, answer.identity.account_id)
        if sealed is None:
            return
        chosen = {"provider": provider, "account_id": answer.identity.account_id}
        now: datetime = instant()
        change = {"$set": {"tokens": sealed, "updated_at": now}}
        await stored(OAuthAccount.get_pymongo_collection().update_one(chosen, change))

    async def _verify_by_mail(self, user: User) -> None:
        if await self._tools.may_mail(user.email_key):
            await self._tools.mail_token(Purpose.VERIFY, MailKind.VERIFY, str(user.id), user.email)

    def _tell_owner(self, user: User, provider: str, device: Device) -> None:
        values = self._tools.mail_values(device, provider=provider.capitalize())
        self._tools.mailer.send(MailKind.LOGIN_FROM_PROVIDER, user.email, values)


def _owns(identity: ProviderIdentity, user: User) -> bool:
    """Tell whether the provider has verified the very address of a user."""
    if identity.email is None or identity.email_verified is not True:
        return False
    return normalize(identity.email).key == user.email_key


def _account_exists() -> MySingleError:
    message = "There is an account with this e-mail address: sign in to it first, then link this one."
    return conflict(IamReason.OAUTH_ACCOUNT_EXISTS, message)
