"""Sessions: signed-in devices, each with a family of refresh tokens of which exactly one is good."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._documents import AuthSession, insert_rows, stored
from mysingle.auth.iam._errors import IamReason, conflict, unauthorized, unavailable
from mysingle.auth.iam._refresh_tokens import (
    RefreshToken,
    fingerprint,
    format_refresh,
    new_session_id,
    parse_refresh,
)
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._session_marks import SessionMarks
from mysingle.auth.iam._together import Together
from mysingle.auth.iam._values import Clock, Device, UserView, instant

__all__ = ["OpenedSession", "RefreshReusedError", "RotatedSession", "SessionView", "Sessions"]

_GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A new session. The refresh token is shown once and stored nowhere."""

    session_id: str
    user_id: str
    refresh_token: str
    refresh_expires_at: datetime
    auth_time: datetime
    amr: tuple[str, ...]
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedSession(OpenedSession):
    """A session that goes on with its next refresh token; `auth_time` is still when the person signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One row of a user's list of sessions."""

    id: str
    user_id: str
    client_id: str
    amr: tuple[str, ...]
    auth_time: datetime
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None


class RefreshReusedError(UnauthenticatedError):
    """A token of an earlier generation came again, so somebody has a copy: the family has just been revoked (401)."""

    def __init__(self, session_id: str, user_id: str) -> None:
        self.session_id = session_id
        self.user_id = user_id
        super().__init__(
            "This refresh token has been used before, so its session has ended. Sign in again.",
            reason=IamReason.REFRESH_TOKEN_REUSED,
            headers=unauthorized(IamReason.REFRESH_TOKEN_REUSED, "").headers,
            details={"session_id": session_id, "user_id": user_id},
        )


class Sessions:
    """
    Opens, continues and ends sessions.

    A session ends after `AUTH_REFRESH_IDLE_SECONDS` without use, and in any case after
    `AUTH_REFRESH_ABSOLUTE_SECONDS`. Everything works without Redis, which only saves looks into the database.
    """

    def __init__(self, settings: CommonSettings, secret: MasterSecret, *, clock: Clock = time.time) -> None:
        self._secret = secret
        self._key = secret.derive("refresh-token")
        self._idle = timedelta(seconds=settings.AUTH_REFRESH_IDLE_SECONDS)
        self._absolute = timedelta(seconds=settings.AUTH_REFRESH_ABSOLUTE_SECONDS)
        self._clock = clock
        self._marks = SessionMarks(secret.derive("session-mark"), settings, clock=clock)
        self._opening: Together[AuthSession, None] = Together(_insert)

    async def open(
        self, user: UserView, device: Device, *, amr: tuple[str, ...], client_id: str = "mysingle"
    ) -> OpenedSession:
        """
        Start a session of a user; `amr` says how the person proved who it is, such as `("pwd",)` (RFC 8176).

        Raises:
            UnavailableError: there is no secret that may sign.
        """
        self._require_secret()
        now = instant(self._clock())
        session_id = new_session_id()
        token, current_hash = format_refresh(session_id, 0, self._key)
        ends_at = now + self._absolute
        session = AuthSession(
            id=session_id,
            user_id=user.id,
            client_id=client_id,
            amr=list(amr),
            generation=0,
            current_hash=current_hash,
            auth_time=now,
            created_at=now,
            last_used_at=now,
            expires_at=min(now + self._idle, ends_at),
            ends_at=ends_at,
            ip=device.ip,
            user_agent=device.user_agent,
        )
        await self._opening.do(session)
        return OpenedSession(**_opened(session, token))

    async def rotate(self, refresh_token: str, device: Device) -> RotatedSession:
        """
        Exchange a refresh token for the next one; of several callers with one token exactly one succeeds.

        Whether the user may still sign in is for the caller to judge, who ends the session if not.

        Raises:
            UnauthenticatedError: REFRESH_TOKEN_INVALID, REFRESH_TOKEN_EXPIRED.
            RefreshReusedError: any earlier generation; the session has been revoked by this call.
            AlreadyExistsError: REFRESH_IN_PROGRESS, the token was exchanged within the last ten seconds.
            UnavailableError: there is no secret that may sign.
        """
        self._require_secret()
        token = parse_refresh(refresh_token, self._key)
        if token is None:
            raise _invalid()
        now = instant(self._clock())
        following, next_hash = format_refresh(token.session_id, token.generation + 1, self._key)
        raw = await self._advance(token, next_hash, now, device)
        if raw is None:
            raise await self._judge(token, now)
        return RotatedSession(**_opened(AuthSession.model_validate(raw), following))

    async def revoke(self, session_id: str, *, user_id: str | None = None, because: str = "logout") -> bool:
        """End one session, with `user_id` only if it is that user's; tell whether it went on until now."""
        now = instant(self._clock())
        owner = {} if user_id is None else {"user_id": user_id}
        change = {"$set": {"revoked_at": now, "revoked_because": because}}
        sessions = AuthSession.get_pymongo_collection()
        result = await stored(sessions.update_one({"_id": session_id, **owner, **_alive_at(now)}, change))
        if not result.modified_count:
            return False
        await self._marks.note_revoked([session_id])
        return True

    async def revoke_all(self, user_id: str, *, except_sid: str | None = None, because: str = "logout") -> int:
        """End all sessions of a user, perhaps but one; return how many went on until now."""
        sessions = AuthSession.get_pymongo_collection()
        now = instant(self._clock())
        chosen = {"user_id": user_id, "_id": {"$ne": except_sid}, **_alive_at(now)}
        result = await stored(sessions.update_many(chosen, {"$set": {"revoked_at": now, "revoked_because": because}}))
        # Looked up afterwards, so that a session which began meanwhile is among them.
        ended = await stored(sessions.find({"user_id": user_id, "revoked_at": now}, {"_id": 1}).to_list())
        await self._marks.note_revoked([raw["_id"] for raw in ended])
        return result.modified_count

    async def list(self, user_id: str) -> tuple[SessionView, ...]:
        """Return the sessions of a user that go on, last used first."""
        now = instant(self._clock())
        chosen = {"user_id": user_id, **_alive_at(now)}
        found = AuthSession.get_pymongo_collection().find(chosen).sort([("last_used_at", -1), ("_id", 1)])
        return tuple(_view(AuthSession.model_validate(raw)) for raw in await stored(found.to_list()))

    async def get(self, session_id: str) -> SessionView | None:
        """Return a session that goes on."""
        raw = await self._alive(session_id)
        return None if raw is None else _view(AuthSession.model_validate(raw))

    async def is_revoked(self, session_id: str) -> bool:
        """
        Tell whether a session is over: signed out, ended by somebody, or expired.

        Raises:
            UnavailableError: neither Redis nor the database can say.
        """
        known = await self._marks.is_revoked(session_id)
        if known is not None:
            return known
        if await self._alive(session_id) is None:
            return True
        await self._marks.note_alive(session_id)
        return False

    async def _alive(self, session_id: str) -> dict[str, Any] | None:
        chosen = {"_id": session_id, **_alive_at(instant(self._clock()))}
        return await stored(AuthSession.get_pymongo_collection().find_one(chosen))

    async def _advance(
        self, token: RefreshToken, next_hash: str, now: datetime, device: Device
    ) -> dict[str, Any] | None:
        """Make the next generation the current one, if this token is the current one and the session goes on."""
        current_hash = fingerprint(token.secret)
        chosen = {
            "_id": token.session_id,
            "current_hash": current_hash,
            "generation": token.generation,
            **_alive_at(now),
        }
        change = {
            "generation": token.generation + 1,
            "current_hash": next_hash,
            "previous_hash": current_hash,
            "rotated_at": now,
            "last_used_at": now,
            "expires_at": now + self._idle,
            "ip": device.ip,
            "user_agent": device.user_agent,
        }
        sessions = AuthSession.get_pymongo_collection()
        return await stored(sessions.find_one_and_update(chosen, {"$set": change}, return_document=True))

    async def _judge(self, token: RefreshToken, now: datetime) -> Exception:
        """Return why a token that we made was not the current one."""
        raw = await stored(AuthSession.get_pymongo_collection().find_one({"_id": token.session_id}))
        if raw is None or raw["revoked_at"] is not None:
            return _invalid()
        session = AuthSession.model_validate(raw)
        if min(session.expires_at, session.ends_at) <= now:
            return unauthorized(IamReason.REFRESH_TOKEN_EXPIRED, "This refresh token has expired. Sign in again.")
        if token.generation >= session.generation:
            return _invalid()  # a generation that the database does not know, as after a restored backup
        if _is_in_grace(token, session, now):
            return conflict(
                IamReason.REFRESH_IN_PROGRESS,
                "This refresh token has just been exchanged. Use the new one.",
                retry_after_seconds=1,
            )
        # Several replays may come at once: who revokes the session tells of it, the others find it ended.
        if await self.revoke(token.session_id, because="refresh_reused"):
            return RefreshReusedError(session.id, session.user_id)
        return _invalid()

    def _require_secret(self) -> None:
        if not self._secret.is_usable:
            raise unavailable("Signing in is not possible at the moment")


async def _insert(sessions: Sequence[AuthSession]) -> Sequence[None]:
    await insert_rows(*sessions)
    return [None] * len(sessions)


def _is_in_grace(token: RefreshToken, session: AuthSession, now: datetime) -> bool:
    return (
        session.previous_hash == fingerprint(token.secret)
        and session.rotated_at is not None
        and now - session.rotated_at <= _GRACE
    )


def _invalid() -> UnauthenticatedError:
    return unauthorized(IamReason.REFRESH_TOKEN_INVALID, "This refresh token is not valid. Sign in again.")


def _alive_at(now: datetime) -> dict[str, Any]:
    return {"revoked_at": None, "expires_at": {"$gt": now}, "ends_at": {"$gt": now}}


def _opened(session: AuthSession, token: str) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "user_id": session.user_id,
        "refresh_token": token,
        "refresh_expires_at": min(session.expires_at, session.ends_at),
        "auth_time": session.auth_time,
        "amr": tuple(session.amr),
        "client_id": session.client_id,
    }


def _view(session: AuthSession) -> SessionView:
    return SessionView(
        id=session.id,
        user_id=session.user_id,
        client_id=session.client_id,
        amr=tuple(session.amr),
        auth_time=session.auth_time,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=min(session.expires_at, session.ends_at),
        ip=session.ip,
        user_agent=session.user_agent,
    )
