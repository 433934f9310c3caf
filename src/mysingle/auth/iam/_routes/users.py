"""`/users/me`: the account of the caller."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from mysingle.auth.iam._routes._answers import activity_list, linked_list, user_read
from mysingle.auth.iam._routes._support import (
    Active,
    CurrentDevice,
    Services,
    Verified,
    never_stored,
    protected,
)
from mysingle.auth.iam._schemas import ActivityList, DeleteMe, LinkedAccountList, UserRead, UserUpdate

__all__ = ["Limit", "router"]

_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
_INVALID = "VALIDATION_FAILED"
Limit = Annotated[int, Query(ge=1, le=100)]

router = APIRouter(prefix="/users/me", tags=["users"], dependencies=[Depends(never_stored)])


@router.get("", **protected())
async def read_me(iam: Services, caller: Active) -> UserRead:
    """Return the caller's account."""
    return await user_read(iam, await iam.accounts.own(caller))


@router.patch(
    "",
    **protected(
        _400="UPDATE_USER_EMAIL_ALREADY_EXISTS, UPDATE_USER_INVALID_PASSWORD",
        _403=f"REAUTH_REQUIRED, REAUTH_FAILED, {_NOT_VERIFIED}",
        _422=_INVALID,
        _429="RATE_LIMITED",
    ),
)
async def update_me(body: UserUpdate, iam: Services, caller: Verified, device: CurrentDevice) -> UserRead:
    """Change the caller's account; a new address takes effect when it is verified."""
    return await user_read(iam, await iam.accounts.update_me(caller, body, device))


@router.delete(
    "",
    status_code=204,
    **protected(
        _403="REAUTH_REQUIRED, REAUTH_FAILED",
        _409="LAST_SUPERUSER",
        _422=_INVALID,
        _429="RATE_LIMITED",
    ),
)
async def delete_me(
    iam: Services, caller: Active, device: CurrentDevice, body: Annotated[DeleteMe | None, Body()] = None
) -> None:
    """Close the caller's account; not right after a login, this needs the current password."""
    given = body.current_password if body else None
    await iam.accounts.delete_me(caller, given.get_secret_value() if given else None, device)


@router.get("/activity", **protected(_422=_INVALID))
async def my_activity(iam: Services, caller: Active, limit: Limit = 50) -> ActivityList:
    """List what has happened to the caller's account, the newest first."""
    return activity_list(await iam.accounts.activity(caller.id, limit))


@router.get("/oauth-accounts", **protected(_403=_NOT_VERIFIED))
async def my_oauth_accounts(iam: Services, caller: Verified) -> LinkedAccountList:
    """List the accounts at other providers."""
    return linked_list(await iam.accounts.linked(caller.id))


@router.delete(
    "/oauth-accounts/{oauth_name}/{account_id}",
    status_code=204,
    **protected(_403=_NOT_VERIFIED, _404="OAUTH_ACCOUNT_NOT_FOUND", _409="LAST_LOGIN_METHOD", _422=_INVALID),
)
async def unlink_oauth_account(
    oauth_name: str, account_id: str, iam: Services, caller: Verified, device: CurrentDevice
) -> None:
    """Unlink an account at another provider."""
    await iam.accounts.unlink(caller.id, oauth_name, account_id, device)
