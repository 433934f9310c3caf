"""Tokens that are mailed: single use, hashed at rest, bound to a user and an address."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mysingle._kernel.errors import AlreadyExistsError
from mysingle.auth.iam._documents import OneTimeToken, stored
from mysingle.auth.iam._values import Clock, instant

__all__ = ["BadTokenError", "OneTimeTokens", "Redeemed"]

_BYTES = 32
_MAX_TOKEN = 64
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What a token was issued for. The caller compares `email` with the address that the user has now."""

    user_id: str
    email: str


class BadTokenError(ValueError):
    """
    A token that is unknown, expired, used, or for another purpose; the caller of a route hears no difference.

    `replayed` is what the token had been issued for, when it was good once and has been used: then verifying the
    same address again may answer as the first time did.
    """

    def __init__(self, replayed: Redeemed | None = None) -> None:
        self.replayed = replayed
        super().__init__("This token is not valid, or has been used")


class OneTimeTokens:
    """Issues and redeems one-time tokens. The database holds hashes, so a copy of it opens no account."""

    def __init__(self, *, clock: Clock = time.time) -> None:
        self._clock = clock

    async def issue(self, purpose: str, user_id: str, *, email: str, ttl: float) -> str:
        """
        Return a new token; `ttl` in seconds. The former one of the same user and purpose stops working.

        Of several that are issued at once the last one to be stored works. `purpose` is a word of the caller, such as
        `verify`; a token of one purpose is unknown to all others.
        """
        token = secrets.token_urlsafe(_BYTES)
        now = instant(self._clock())
        await _store(
            OneTimeToken(
                id=f"{user_id}.{purpose}",
                token_hash=_fingerprint(purpose, token),
                purpose=purpose,
                user_id=user_id,
                email=email,
                created_at=now,
                expires_at=now + timedelta(seconds=ttl),
            )
        )
        return token

    async def redeem(self, purpose: str, token: str) -> Redeemed:
        """
        Use a token up, and return what it was issued for; of several callers at once exactly one succeeds.

        Raises:
            BadTokenError: it is not one, is over, or has been used.
        """
        if not _is_plausible(token):
            raise BadTokenError
        tokens = OneTimeToken.get_pymongo_collection()
        now = instant(self._clock())
        wanted = {"token_hash": _fingerprint(purpose, token), "purpose": purpose, "expires_at": {"$gt": now}}
        found = await stored(
            tokens.find_one_and_update({**wanted, "used_at": None}, {"$set": {"used_at": now}}),
        )
        if found is not None:
            return _redeemed(found)
        used = await stored(tokens.find_one(wanted))
        raise BadTokenError(_redeemed(used) if used else None)

    async def peek(self, purpose: str, token: str) -> Redeemed | None:
        """Return what a token is good for without using it up; None for a token that `redeem` would refuse."""
        if not _is_plausible(token):
            return None
        wanted = {"token_hash": _fingerprint(purpose, token), "purpose": purpose, "used_at": None}
        found = await stored(
            OneTimeToken.get_pymongo_collection().find_one({**wanted, "expires_at": {"$gt": instant(self._clock())}})
        )
        return None if found is None else _redeemed(found)

    async def revoke(self, user_id: str, *, purpose: str | None = None) -> int:
        """
        Let a user's tokens stop working, those of one purpose or all; return how many there were.

        A changed address and a changed password revoke all: a token must not outlive what it was bound to.
        """
        chosen = {"user_id": user_id} if purpose is None else {"user_id": user_id, "purpose": purpose}
        result = await stored(OneTimeToken.get_pymongo_collection().delete_many(chosen))
        return result.deleted_count


async def _store(row: OneTimeToken) -> None:
    """Put a token in the place of the former one."""
    tokens, values = OneTimeToken.get_pymongo_collection(), row.model_dump(exclude={"id"})
    for attempt in range(_ATTEMPTS):
        try:
            await stored(tokens.replace_one({"_id": row.id}, values, upsert=True))
        except AlreadyExistsError:  # somebody else has just put the first one there
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _is_plausible(token: str) -> bool:
    return token.isascii() and len(token) <= _MAX_TOKEN


def _fingerprint(purpose: str, token: str) -> str:
    return hashlib.sha256(f"{purpose}.{token}".encode()).hexdigest()


def _redeemed(raw: dict[str, Any]) -> Redeemed:
    return Redeemed(user_id=raw["user_id"], email=raw["email"])
