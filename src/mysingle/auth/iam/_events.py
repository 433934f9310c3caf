"""The audit trail of accounts: what happened to whom, from where, in which request."""

from collections.abc import Mapping
from enum import StrEnum

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.logging import get_logger
from mysingle._kernel.redaction import redact
from mysingle.auth.iam._documents import AuthEvent, insert_new, stored
from mysingle.auth.iam._values import Device

__all__ = ["EventKind", "Events"]

log = get_logger("mysingle.auth")

_MAX_RECENT = 100


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
    """Writes and reads the trail. Values under keys that name a secret are masked, and so is what looks like one."""

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
        device = device or Device()
        event = AuthEvent(
            kind=kind.value,
            user_id=user_id,
            actor_id=actor_id,
            session_id=session_id,
            correlation_id=current_context().correlation_id,
            ip=device.ip,
            user_agent=device.user_agent,
            detail=redact(dict(detail or {})),
        )
        try:
            await insert_new(event)
        except MySingleError as error:
            log.error("auth.event_unstored", error=error.reason, **event.model_dump(mode="json", exclude={"id"}))

    async def recent(self, user_id: str, limit: int = 50) -> tuple[AuthEvent, ...]:
        """Return a user's newest events, newest first, at most 100."""
        events = AuthEvent.get_pymongo_collection()
        found = events.find({"user_id": user_id}).sort([("created_at", -1), ("_id", -1)])
        raw = await stored(found.limit(max(1, min(limit, _MAX_RECENT))).to_list())
        return tuple(AuthEvent.model_validate(row) for row in raw)
