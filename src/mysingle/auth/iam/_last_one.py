"""Taking away one of several things of which one must stay, also when several go at once, or a process dies midway."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from mysingle.auth.iam._documents import OAuthAccount, User, stored
from mysingle.auth.iam._values import instant

__all__ = ["LEAVING", "LastOneError", "release", "reserve"]

LEAVING = "leaving"
"""The field that says of a member that somebody is about to take it away, who and since when."""

Kind: TypeAlias = type[User] | type[OAuthAccount]

_PATIENCE = timedelta(seconds=60)


class LastOneError(Exception):
    """Nothing would be left, or only what somebody else is taking away at this moment."""


async def reserve(kind: Kind, chosen: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, object] | None:
    """
    Mark one member of a group as leaving; None when there is no such member.

    What is returned chooses it for the write that takes it away, which must clear the mark where the document stays.
    Everybody marks first and counts the others then, so of several at once nobody goes, or one stays. Nothing is
    taken back afterwards, so whoever dies midway has changed nothing; the mark counts for a minute.

    Raises:
        LastOneError: no other member would stay.
        MySingleError: the database is away.
    """
    collection, now = kind.get_pymongo_collection(), instant()
    # Cleared, not overlooked: whoever comes back to an old mark does not find it, and changes nothing.
    forgotten = {**members, f"{LEAVING}.at": {"$lt": now - _PATIENCE}}
    await stored(collection.update_many(forgotten, {"$set": {LEAVING: None}}))
    mark = {"by": secrets.token_hex(8), "at": now}
    raw = await stored(collection.find_one_and_update({**members, **chosen}, {"$set": {LEAVING: mark}}))
    if raw is None:
        return None
    reserved = {"_id": raw["_id"], f"{LEAVING}.by": mark["by"]}
    if not await stored(collection.count_documents({**members, LEAVING: None, "_id": {"$ne": raw["_id"]}}, limit=1)):
        await release(kind, reserved)
        raise LastOneError
    return reserved


async def release(kind: Kind, reserved: Mapping[str, object]) -> None:
    """Take a mark away from what stays after all."""
    await stored(kind.get_pymongo_collection().update_one(reserved, {"$set": {LEAVING: None}}))
