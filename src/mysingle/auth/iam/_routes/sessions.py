"""`/auth/sessions`: where somebody is signed in, and how to sign out there."""

from fastapi import APIRouter, Depends

from mysingle.auth.iam._routes._support import Active, CurrentDevice, Services, never_stored, protected
from mysingle.auth.iam._schemas import SessionItem, SessionList

__all__ = ["router"]

router = APIRouter(prefix="/auth/sessions", tags=["sessions"], dependencies=[Depends(never_stored)])


@router.get("", **protected())
async def list_sessions(iam: Services, caller: Active) -> SessionList:
    """List the sessions that go on, last used first."""
    items = [
        SessionItem(
            id=item.id,
            created_at=item.created_at,
            last_used_at=item.last_used_at,
            expires_at=item.expires_at,
            ip=item.ip,
            user_agent=item.user_agent,
            is_current=item.id == caller.session_id,
        )
        for item in await iam.accounts.sessions(caller.id)
    ]
    return SessionList(items=items, total=len(items))


@router.delete("/{sid}", status_code=204, **protected(_404="SESSION_NOT_FOUND", _422="VALIDATION_FAILED"))
async def end_session(sid: str, iam: Services, caller: Active, device: CurrentDevice) -> None:
    """End one session, perhaps this one."""
    await iam.accounts.end_session(caller.id, sid, device)


@router.delete("", status_code=204, **protected())
async def end_other_sessions(iam: Services, caller: Active, device: CurrentDevice) -> None:
    """End every session but this one."""
    await iam.accounts.end_other_sessions(caller, device)
