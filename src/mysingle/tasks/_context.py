"""What a task knows of the request that sent it: the codec between a `RequestContext` and one header of a message."""

import json
from typing import Any

from mysingle._kernel.call_identity import clean_user_id
from mysingle._kernel.context import RequestContext
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.propagation import (
    METADATA_CORRELATION_ID,
    METADATA_REQUEST_ID,
    from_metadata,
    new_id,
    to_metadata,
)

__all__ = ["dump_context", "load_context"]

_USER = "user"


def dump_context(context: RequestContext, user: AuthenticatedUser | None) -> str:
    """Return the ids and the user of a context as text; an action that has no name yet gets one."""
    values: dict[str, Any] = to_metadata(context._replace(user=None))
    values.setdefault(METADATA_CORRELATION_ID, new_id())
    if user is not None:
        values[_USER] = _user_values(user)
    return json.dumps(values, separators=(",", ":"))


def load_context(text: str, task_id: str) -> RequestContext:
    """
    Return the context in which a task runs: without a deadline, and named by its own id.

    Raises:
        ValueError: the text does not come from `dump_context`.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("the context of a task is a JSON object")
    user = values.pop(_USER, None)
    ids = {name: value for name, value in values.items() if isinstance(value, str)}
    return from_metadata({**ids, METADATA_REQUEST_ID: task_id})._replace(user=None if user is None else _user(user))


def _user_values(user: AuthenticatedUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "is_active": user.is_active,
        "is_verified": user.is_verified,
        "is_superuser": user.is_superuser,
        "roles": sorted(user.roles),
        "session_id": user.session_id,
    }


def _user(values: Any) -> AuthenticatedUser:
    try:
        user_id = clean_user_id(values["id"])
        if user_id is None:
            raise ValueError("the user of a task has no id")
        return AuthenticatedUser(
            id=user_id,
            email=values["email"],
            is_active=values["is_active"] is True,
            is_verified=values["is_verified"] is True,
            is_superuser=values["is_superuser"] is True,
            roles=frozenset(values["roles"]),
            session_id=values["session_id"],
            auth_method="task",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the user of a task is not complete") from error
