"""Whose documents a query may reach: it names their owner, or says aloud that it means everybody's."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from bson import ObjectId

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.logging import get_logger

__all__ = ["Owner", "check_pipeline", "check_scope", "every_user", "of_document", "owner_id"]

Owner: TypeAlias = AuthenticatedUser | str

_EVERYBODY = object()
_READING_STAGES = frozenset({"$unionWith", "$lookup", "$graphLookup"})

_allowed: ContextVar[object] = ContextVar("mysingle.ownership", default=None)
_warned: set[str] = set()

log = get_logger("mysingle.mongodb")


def owner_id(owner: object) -> str:
    """
    Return the id of a caller.

    Raises:
        ValueError: nobody is named.
    """
    user_id = owner.id if isinstance(owner, AuthenticatedUser) else owner
    if not isinstance(user_id, str) or not user_id:
        raise ValueError(f"The owner must be an AuthenticatedUser or its id, not {owner!r}")
    return user_id


@contextmanager
def every_user() -> Iterator[None]:
    """Let the queries of a block reach the documents of all users: reports, migrations, administration."""
    token = _allowed.set(_EVERYBODY)
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def of_document(document_id: object) -> Iterator[None]:
    """Let a document that was loaded write itself back by its id."""
    if _allowed.get() is _EVERYBODY:
        yield
        return
    token = _allowed.set(document_id)
    try:
        yield
    finally:
        _allowed.reset(token)


def check_scope(model: type, query: Mapping[str, Any]) -> None:
    """
    Look whether a query of owned documents names the owner.

    With `require_owner = True` in the model's `Settings` it must. Without, a query inside of a caller's request that
    names nobody is reported once for each model, and runs.

    Raises:
        MySingleError: `USER_FILTER_MISSING`; the caller only hears of an internal error.
    """
    allowed = _allowed.get()
    if allowed is _EVERYBODY or _names_owner(query) or (allowed is not None and query.get("_id") == allowed):
        return
    if getattr(getattr(model, "Settings", None), "require_owner", False):
        raise MySingleError(
            f"A query of {model.__name__} names no user: use a UserRepository or find_owned, "
            "or say `with every_user():`",
            reason="USER_FILTER_MISSING",
        )
    if current_context().user is not None and model.__name__ not in _warned:
        _warned.add(model.__name__)
        log.warning("mongodb.unscoped", model=model.__name__)


def check_pipeline(owned: Mapping[str, type], pipeline: Iterable[Any]) -> None:
    """
    Look whether the stages of a pipeline that read other documents name the owner of those that have one.

    Args:
        owned: the models whose documents have owners, by collection.
        pipeline: the stages.

    Raises:
        MySingleError: as `check_scope`.
    """
    for stage in pipeline:
        for operator, content in stage.items() if isinstance(stage, Mapping) else ():
            if operator == "$facet":
                for inner in content.values():
                    check_pipeline(owned, inner)
            elif operator in _READING_STAGES:
                _check_stage(owned, {"coll": content} if isinstance(content, str) else content)


def _check_stage(owned: Mapping[str, type], content: Mapping[str, Any]) -> None:
    inner = content.get("pipeline") or ()
    model = owned.get(content.get("coll") or content.get("from") or "")
    if model is not None:
        first = inner[0] if inner else {}
        check_scope(model, first.get("$match") or content.get("restrictSearchWithMatch") or {})
    check_pipeline(owned, inner)


def _names_owner(query: Mapping[str, Any]) -> bool:
    if _is_owner(query.get("user_id")):
        return True
    if any(_names_owner(part) for part in query.get("$and", ())):
        return True
    parts = query.get("$or", ())
    return bool(parts) and all(_names_owner(part) for part in parts)


def _is_owner(value: object) -> bool:
    if isinstance(value, Mapping):
        if set(value) == {"$eq"}:
            return _is_owner(value["$eq"])
        chosen = value.get("$in") if set(value) == {"$in"} else None
        return isinstance(chosen, list) and all(_is_owner(item) for item in chosen)
    return isinstance(value, str | ObjectId) and bool(value)
