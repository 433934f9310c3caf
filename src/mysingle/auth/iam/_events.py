"""The audit trail of accounts: what happened to whom, from where, in which request."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from enum import StrEnum

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.redaction import redact
from mysingle.auth.iam._documents import AuthEvent, insert_rows, stored
from mysingle.auth.iam._values import Device

__all__ = ["EventKind", "Events"]

log = get_logger("mysingle.auth")

_MAX_RECENT = 100
_MAX_NOTED = 1000
_PAUSE_SECONDS = 0.2
_CLOSE_SECONDS = 2.0


class EventKind(StrEnum):
    """What can happen to an account."""

    USER_REGISTERED = "user.registered"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    RIGHTS_CHANGED = "rights.changed"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_REFUSED = "login.refused"
    LOGOUT = "logout"
    MFA_ENABLED = "mfa.enabled"
    MFA_DISABLED = "mfa.disabled"
    MFA_REQUIRED = "mfa.required"
    MFA_FAILED = "mfa.failed"
    SESSION_REVOKED = "session.revoked"
    SESSIONS_REVOKED = "sessions.revoked"
    REFRESH_REUSED = "refresh.reused"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # an event, no password
    PASSWORD_RESET_REQUESTED = "password.reset_requested"  # noqa: S105  # an event, no password
    PASSWORD_RESET = "password.reset"  # noqa: S105  # an event, no password
    REAUTH_FAILED = "reauth.failed"
    EMAIL_VERIFIED = "email.verified"
    EMAIL_CHANGE_REQUESTED = "email.change_requested"
    EMAIL_CHANGED = "email.changed"
    OAUTH_SIGNED_IN = "oauth.signed_in"
    OAUTH_LINKED = "oauth.linked"
    OAUTH_UNLINKED = "oauth.unlinked"


class Events:
    """
    Writes and reads the trail. Values under keys that name a secret are masked, and so is what looks like one.

    `record` is for what must not be forgotten. `note` is for what happens often and is known elsewhere too, such as
    logins, each of which has a session or a counted attempt: those events are written together, a moment later. Close
    it with the service, so that they all are.
    """

    def __init__(self, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._pause = pause_seconds
        self._noted: list[AuthEvent] = []
        self._lock = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    async def record(
        self,
        kind: EventKind,
        *,
        user_id: str | None = None,
        device: Device | None = None,
        session_id: str | None = None,
        actor_id: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """
        Write one event, with the correlation id of the request; never raises.

        While the database is away the event is written to the log alone, so that nothing is lost.

        Args:
            kind: what happened.
            user_id: to whom; None when nobody is known.
            device: from where.
            session_id: in which session.
            actor_id: who did it, when it was not the user.
            detail: short values that explain it, such as the names of changed fields.
        """
        values = redact(dict(detail or {}))
        await _write([_event(kind, user_id, device, session_id=session_id, actor_id=actor_id, detail=values)])

    async def note(
        self,
        kind: EventKind,
        *,
        user_id: str | None = None,
        device: Device | None = None,
        session_id: str | None = None,
    ) -> None:
        """
        Write one event within a fifth of a second, together with others; never raises.

        It waits only when a thousand events are waiting already, until those are written.
        """
        self._noted.append(_event(kind, user_id, device, session_id=session_id))
        if len(self._noted) >= _MAX_NOTED:
            await self.settle()
        elif self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_later(), name="iam-events")

    async def settle(self) -> None:
        """Write what has been noted; return when it is written."""
        async with self._lock:
            noted, self._noted = self._noted, []
            if noted:
                await _write(noted)

    async def close(self) -> None:
        """Write what has been noted, for at most two seconds; what is not written by then is in the log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.settle()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write_later(self) -> None:
        while self._noted:
            await asyncio.sleep(self._pause)
            await self.settle()

    async def recent(self, user_id: str, limit: int = 50) -> tuple[AuthEvent, ...]:
        """Return a user's newest events, newest first, at most 100; what other processes have just noted may lack."""
        await self.settle()
        events = AuthEvent.get_pymongo_collection()
        found = events.find({"user_id": user_id}).sort([("created_at", -1), ("_id", -1)])
        raw = await stored(found.limit(max(1, min(limit, _MAX_RECENT))).to_list())
        return tuple(AuthEvent.model_validate(row) for row in raw)


def _event(
    kind: EventKind,
    user_id: str | None,
    device: Device | None,
    *,
    session_id: str | None = None,
    actor_id: str | None = None,
    detail: dict[str, object] | None = None,
) -> AuthEvent:
    device = device or Device()
    return AuthEvent(
        kind=kind.value,
        user_id=user_id,
        actor_id=actor_id,
        session_id=session_id,
        correlation_id=current_context().correlation_id,
        ip=device.ip,
        user_agent=device.user_agent,
        detail=detail or {},
    )


async def _write(events: Sequence[AuthEvent]) -> None:
    try:
        await insert_rows(*events)
    except MySingleError as error:
        _log_unstored(events, error.reason)
    except asyncio.CancelledError:  # the service ends, and nobody else has these events
        _log_unstored(events, "CANCELLED")
        raise


def _log_unstored(events: Sequence[AuthEvent], reason: str) -> None:
    for event in events:
        log.error("auth.event_unstored", error=reason, **event.model_dump(mode="json", exclude={"id"}))
