"""How an account begins: it is registered, its address is verified; and how a new address takes its place."""

from mysingle._kernel.errors import AlreadyExistsError, InvalidArgumentError, MySingleError
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._email_address import normalize
from mysingle.auth.iam._errors import IamReason, bad_request, conflict, forbidden
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._one_time import BadTokenError, Redeemed
from mysingle.auth.iam._primitives import Primitives, Purpose
from mysingle.auth.iam._schemas import Register
from mysingle.auth.iam._throttle import Limit
from mysingle.auth.iam._values import Device, UserView

__all__ = ["Registration"]

_BAD_TOKEN = "This link is not valid, or has expired. Ask for a new one."  # noqa: S105  # a sentence


class Registration:
    """The use cases of accounts that begin."""

    def __init__(self, primitives: Primitives) -> None:
        self._tools = primitives

    async def register(self, body: Register, device: Device) -> UserView | None:
        """
        Open an account and mail a link to verify its address.

        Returns None, whatever has happened, where registration must not tell whether an address is known; then the
        owner of a known address gets a mail.

        Raises:
            MySingleError: REGISTRATION_DISABLED, RATE_LIMITED, REGISTER_INVALID_PASSWORD,
                REGISTER_USER_ALREADY_EXISTS.
        """
        tools = self._tools
        if not tools.settings.AUTH_REGISTRATION_ENABLED:
            raise forbidden(IamReason.REGISTRATION_DISABLED, "Registration is closed.")
        await tools.throttle.require(Limit.REGISTER, device.ip)
        address, password = normalize(body.email), body.password.get_secret_value()
        tools.check_password(
            password, IamReason.REGISTER_INVALID_PASSWORD, email=address.display, names=(body.full_name,)
        )
        user = User(
            email=address.display,
            email_key=address.key,
            hashed_password=await tools.passwords.hash(password),
            full_name=body.full_name,
            avatar_url=body.avatar_url,
        )
        try:
            user = await tools.users.insert(user)
        except AlreadyExistsError as error:
            self._refuse_known(error, address.key, device)
            return None
        tools.background.start(self._welcome(user.view(), device))
        return None if self._is_silent else user.view()

    @property
    def _is_silent(self) -> bool:
        return self._tools.settings.AUTH_REGISTER_ENUMERATION == "strict"

    def _refuse_known(self, error: AlreadyExistsError, key: str, device: Device) -> None:
        if self._is_silent:
            self._tools.background.start(self._tell_owner(key, device))
            return
        make = conflict if self._tools.settings.AUTH_COMPAT else bad_request
        raise make(IamReason.REGISTER_USER_ALREADY_EXISTS, error.message) from error

    async def _welcome(self, user: UserView, device: Device) -> None:
        await self._tools.events.record(EventKind.USER_REGISTERED, user_id=user.id, device=device)
        await self._tools.mail_token(Purpose.VERIFY, MailKind.VERIFY, user.id, user.email)

    async def _tell_owner(self, key: str, device: Device) -> None:
        user = await self._tools.users.by_email_key(key)
        if user is not None and await self._tools.may_mail(key):
            self._tools.mailer.send(MailKind.ACCOUNT_EXISTS, user.email, self._tools.mail_values(device))

    async def request_verification(self, email: str, device: Device) -> None:
        """Mail a link again, if there is an account that needs one; nobody can tell from outside."""
        await self._tools.throttle.require(Limit.TOKEN, device.ip)
        self._tools.background.start(self._verify_again(normalize(email).key))

    async def _verify_again(self, key: str) -> None:
        user = await self._tools.users.by_email_key(key)
        if user is not None and user.is_active and not user.is_verified and await self._tools.may_mail(key):
            await self._tools.mail_token(Purpose.VERIFY, MailKind.VERIFY, str(user.id), user.email)

    async def verify(self, token: str, device: Device) -> UserView:
        """
        Believe that somebody reads the mails of an address: the account's own, or the one it is to have.

        The same token again answers as the first time did.

        Raises:
            MySingleError: VERIFY_USER_BAD_TOKEN, RATE_LIMITED.
        """
        await self._tools.throttle.require(Limit.TOKEN, device.ip)
        for purpose, use in ((Purpose.VERIFY, self._verified), (Purpose.CHANGE_EMAIL, self._readdressed)):
            try:
                redeemed = await self._tools.tokens.redeem(purpose, token)
            except BadTokenError as error:
                if error.replayed is not None:
                    return await self._as_before(error.replayed)
                continue
            return await use(redeemed, device)
        raise _bad_token()

    async def _as_before(self, redeemed: Redeemed) -> UserView:
        user = await self._tools.users.by_id(redeemed.user_id)
        if user is None or not user.is_verified or user.email_key != normalize(redeemed.email).key:
            raise _bad_token()
        return user.view()

    async def _verified(self, redeemed: Redeemed, device: Device) -> UserView:
        tools = self._tools
        user = await tools.users.by_id(redeemed.user_id)
        if user is None or user.email_key != normalize(redeemed.email).key:
            raise _bad_token()
        changed = await tools.change(str(user.id), is_verified=True)
        await tools.events.record(EventKind.EMAIL_VERIFIED, user_id=redeemed.user_id, device=device)
        return changed

    async def _readdressed(self, redeemed: Redeemed, device: Device) -> UserView:
        tools = self._tools
        user = await tools.users.by_id(redeemed.user_id)
        if user is None:
            raise _bad_token()
        address = normalize(redeemed.email)
        try:
            changed = await tools.change(
                redeemed.user_id, email=address.display, email_key=address.key, is_verified=True
            )
        except InvalidArgumentError as error:  # somebody else has the address by now
            raise _bad_token() from error
        await tools.tokens.revoke(redeemed.user_id, purpose=Purpose.RESET)
        await tools.tokens.revoke(redeemed.user_id, purpose=Purpose.VERIFY)
        tools.mailer.send(MailKind.EMAIL_CHANGED, user.email, tools.mail_values(device, new_email=address.display))
        await tools.events.record(EventKind.EMAIL_CHANGED, user_id=redeemed.user_id, device=device)
        return changed


def _bad_token() -> MySingleError:
    return bad_request(IamReason.VERIFY_USER_BAD_TOKEN, _BAD_TOKEN)
