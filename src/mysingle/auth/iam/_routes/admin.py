"""`/users`: the accounts of everybody, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from mysingle.auth.iam._routes._answers import activity_list, linked_list, user_read, users_read
from mysingle.auth.iam._routes._support import Admin, CurrentDevice, Services, never_stored, protected
from mysingle.auth.iam._routes.users import Limit
from mysingle.auth.iam._schemas import (
    ActivityList,
    AdminCreateUser,
    AdminUserUpdate,
    Empty,
    LinkedAccountList,
    UserList,
    UserRead,
)

__all__ = ["router"]

_ADMIN = "AUTHORIZATION_FAILED"
_ABSENT = "USER_NOT_FOUND"
_INVALID = "VALIDATION_FAILED"

router = APIRouter(prefix="/users", tags=["admin"], dependencies=[Depends(never_stored)])


@router.get("", **protected(_403=_ADMIN, _422=_INVALID))
async def list_users(
    iam: Services,
    admin: Admin,
    q: Annotated[str | None, Query(max_length=100, description="part of an address or a name")] = None,
    is_active: bool | None = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(pattern="^[0-9a-f]{24}$", description="`next_cursor` of the last page")] = None,
) -> UserList:
    """List users, a page at a time."""
    page = await iam.administration.page(text=q, is_active=is_active, limit=limit, cursor=cursor)
    items = await users_read(iam, [user.view() for user in page.items])
    return UserList(items=items, next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    **protected(_400="REGISTER_USER_ALREADY_EXISTS", _403=_ADMIN, _422=_INVALID),
)
async def create_user(body: AdminCreateUser, iam: Services, admin: Admin, device: CurrentDevice) -> UserRead:
    """Open an account for somebody, who gets a link to choose a password."""
    return await user_read(iam, await iam.administration.create(body, admin, device))


@router.get("/{user_id}", **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def read_user(user_id: str, iam: Services, admin: Admin) -> UserRead:
    """Return one account."""
    return await user_read(iam, await iam.administration.view(user_id))


@router.patch("/{user_id}", **protected(_403=_ADMIN, _404=_ABSENT, _409="LAST_SUPERUSER", _422=_INVALID))
async def update_user(
    user_id: str, body: AdminUserUpdate, iam: Services, admin: Admin, device: CurrentDevice
) -> UserRead:
    """Change an account and its rights; they hold from the next request on."""
    return await user_read(iam, await iam.administration.update(user_id, body, admin, device))


@router.delete(
    "/{user_id}", status_code=204, **protected(_403=_ADMIN, _404=_ABSENT, _409="LAST_SUPERUSER", _422=_INVALID)
)
async def delete_user(user_id: str, iam: Services, admin: Admin, device: CurrentDevice) -> None:
    """Delete an account with everything that belongs to it."""
    await iam.administration.delete(user_id, admin, device)


@router.get("/{user_id}/activity", **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def user_activity(user_id: str, iam: Services, admin: Admin, limit: Limit = 50) -> ActivityList:
    """List what has happened to an account, the newest first."""
    return activity_list(await iam.administration.activity(user_id, limit))


@router.get("/{user_id}/oauth-accounts", **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def user_oauth_accounts(user_id: str, iam: Services, admin: Admin) -> LinkedAccountList:
    """List the accounts at other providers of somebody."""
    user = await iam.administration.view(user_id)
    return linked_list(await iam.accounts.linked(user.id))


@router.delete("/{user_id}/sessions", status_code=204, **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def end_user_sessions(user_id: str, iam: Services, admin: Admin, device: CurrentDevice) -> None:
    """End every session of somebody."""
    await iam.administration.end_sessions(user_id, admin, device)


@router.delete("/{user_id}/mfa", status_code=204, **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def end_user_mfa(user_id: str, iam: Services, admin: Admin, device: CurrentDevice) -> None:
    """Let somebody who has lost authenticator and recovery codes sign in with the password alone."""
    await iam.mfa.reset(user_id, admin, device)


@router.post("/{user_id}/password-reset", status_code=202, **protected(_403=_ADMIN, _404=_ABSENT, _422=_INVALID))
async def offer_password_reset(user_id: str, iam: Services, admin: Admin, device: CurrentDevice) -> Empty:
    """Mail somebody a link to choose a new password."""
    await iam.administration.offer_reset(user_id, admin, device)
    return Empty()
