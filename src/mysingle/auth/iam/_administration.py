"""What administrators do with the accounts of others."""

from collections.abc import Mapping, Sequence
from typing import Any

from mysingle._kernel.errors import AlreadyExistsError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth.iam._documents import AuthEvent, OAuthAccount, User
from mysingle.auth.iam._email_address import normalize
from mysingle.auth.iam._errors import IamReason, bad_request
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._primitives import Primitives, Purpose
from mysingle.auth.iam._repository import UserPage
from mysingle.auth.iam._schemas import AdminCreateUser, AdminUserUpdate
from mysingle.auth.iam._values import Device, UserView

__all__ = ["Administration"]

_RIGHTS = frozenset({"is_active", "is_superuser", "is_verified", "roles"})


class Administration:
    """The use cases of administrators; all raise USER_NOT_FOUND for a user that does not exist."""

    def __init__(self, primitives: Primitives) -> None:
        self._tools = primitives

    async def page(self, *, text: str | None, is_active: bool | None, limit: int, cursor: str | None) -> UserPage:
        """Return some users, in the order of their ids."""
        return await self._tools.users.page(text=text, is_active=is_active, limit=limit, cursor=cursor)

    async def linked(self, user_ids: Sequence[str]) -> Mapping[str, tuple[OAuthAccount, ...]]:
        """Return the accounts at other providers of some users."""
        return await self._tools.linked.of_users(user_ids)

    async def view(self, user_id: str) -> UserView:
        """Return one user."""
        return (await self._tools.require(user_id)).view()

    async def create(self, body: AdminCreateUser, admin: AuthenticatedUser, device: Device) -> UserView:
        """
        Open an account without a password, and mail its owner a link to choose one (ASVS 6.4.6).

        Raises:
            MySingleError: REGISTER_USER_ALREADY_EXISTS, a 400.
        """
        tools, address = self._tools, normalize(body.email)
        user = User(
            email=address.display,
            email_key=address.key,
            full_name=body.full_name,
            avatar_url=body.avatar_url,
            is_superuser=body.is_superuser,
            roles=sorted(set(body.roles)),
        )
        try:
            user = await tools.users.insert(user)
        except AlreadyExistsError as error:
            raise bad_request(IamReason.REGISTER_USER_ALREADY_EXISTS, error.message) from error
        view = user.view()
        await tools.mail_token(Purpose.INVITE, MailKind.INVITE, view.id, view.email)
        await tools.events.record(EventKind.USER_CREATED, user_id=view.id, actor_id=admin.id, device=device)
        return view

    async def update(self, user_id: str, body: AdminUserUpdate, admin: AuthenticatedUser, device: Device) -> UserView:
        """
        Change an account. Who is no longer active loses every session at once.

        Raises:
            MySingleError: LAST_SUPERUSER.
        """
        tools = self._tools
        given = body.model_dump(exclude_unset=True)
        changes = {name: value for name, value in given.items() if value is not None or name not in _RIGHTS}
        if not changes:
            return await self.view(user_id)
        if "roles" in changes:
            changes["roles"] = sorted(set(changes["roles"]))
        changed = await tools.change(user_id, **changes)
        if changes.get("is_active") is False:
            await tools.sessions.revoke_all(user_id, because="deactivated")
            await tools.tokens.revoke(user_id)
        kind = EventKind.RIGHTS_CHANGED if _RIGHTS & changes.keys() else EventKind.USER_CHANGED
        detail: dict[str, Any] = {name: changes[name] for name in sorted(_RIGHTS & changes.keys())}
        await tools.events.record(
            kind, user_id=user_id, actor_id=admin.id, device=device, detail={"fields": sorted(changes), **detail}
        )
        return changed

    async def delete(self, user_id: str, admin: AuthenticatedUser, device: Device) -> None:
        """
        Delete an account with everything that belongs to it.

        Raises:
            MySingleError: LAST_SUPERUSER.
        """
        await self._tools.require(user_id)
        await self._tools.remove(user_id, device, actor_id=admin.id)

    async def activity(self, user_id: str, limit: int) -> tuple[AuthEvent, ...]:
        """Return what has happened to an account, the newest first."""
        await self._tools.require(user_id)
        return await self._tools.events.recent(user_id, limit)

    async def end_sessions(self, user_id: str, admin: AuthenticatedUser, device: Device) -> None:
        """End every session of a user."""
        tools = self._tools
        await tools.require(user_id)
        ended = await tools.sessions.revoke_all(user_id, because="administrator")
        await tools.events.record(
            EventKind.SESSIONS_REVOKED,
            user_id=user_id,
            actor_id=admin.id,
            device=device,
            detail={"sessions": ended},
        )

    async def offer_reset(self, user_id: str, admin: AuthenticatedUser, device: Device) -> None:
        """Mail a user a link to choose a new password."""
        tools, user = self._tools, await self._tools.require(user_id)
        await tools.events.record(EventKind.PASSWORD_RESET_REQUESTED, user_id=user_id, actor_id=admin.id, device=device)
        await tools.mail_token(Purpose.RESET, MailKind.RESET, user_id, user.email)
