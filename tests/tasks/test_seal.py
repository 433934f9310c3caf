"""What a task carries along: the context of its sender, and a signature over all that it makes a worker do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.context import RequestContext
from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.tasks._context import dump_context, load_context
from mysingle.tasks._seal import Errand, Seal

SEAL = Seal("jobs-service", [b"the first key", b"the one before"], believes_users=True)

ids = st.from_regex(r"[A-Za-z0-9._:#-]{1,128}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
users = st.builds(
    AuthenticatedUser,
    id=st.from_regex(r"[0-9a-f]{24}", fullmatch=True),
    email=st.none() | st.emails(),
    is_active=st.booleans(),
    is_verified=st.booleans(),
    is_superuser=st.booleans(),
    roles=st.frozensets(st.text(min_size=1, max_size=8), max_size=3),
    session_id=st.none() | st.text(max_size=10),
    auth_method=st.just("task"),
)


@given(ids, st.none() | users)
def test_context_comes_back(correlation_id: str, user: AuthenticatedUser | None) -> None:
    """Ids and user are the same in the worker; the request is named by the task, and has no deadline."""
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    sent = RequestContext(correlation_id, "request", trace, "vendor=1", user, deadline=5.0)
    received = load_context(dump_context(sent, user), "task-1")

    assert received == RequestContext(correlation_id, "task-1", trace, "vendor=1", user)


def test_nobody_has_begun() -> None:
    """A task that no request has sent begins an action of its own."""
    assert load_context(dump_context(RequestContext(), None), "task-1").correlation_id


@pytest.mark.parametrize(
    "text", ["", "[]", "1", '{"user": 1}', '{"user": {}}', '{"user": {"id": "alice"}}', '{"user": {"id": 3}}']
)
def test_no_context(text: str) -> None:
    """What is no context is an error, and never half of one."""
    with pytest.raises(ValueError, match=r".*"):
        load_context(text, "task-1")


@given(st.lists(values, max_size=3), st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_json_changes_nothing(args: list[Any], kwargs: dict[str, Any]) -> None:
    """An errand is the same after its way through the broker: tuples become lists, and nothing else happens."""
    sent = Errand("a.task", "1", tuple(args), kwargs, (None, None, [], None))
    body = json.loads(json.dumps([list(args), kwargs]))
    received = Errand("a.task", "1", body[0], body[1], (None, [], None, None))
    SEAL.verify(received, "{}", SEAL.sign(sent, "{}"))

    assert received.text == sent.text


ERRAND = Errand("a.task", "1", (1,), {"b": 2}, (None, None, None, None))


@pytest.mark.parametrize(
    "changed",
    [
        {"task": "b.task"},
        {"task_id": "2"},
        {"args": (2,)},
        {"args": None},
        {"kwargs": {}},
        {"followers": ([{"task": "b.task"}], None, None, None)},
        {"followers": (None, [{"task": "b.task"}], None, None)},
        {"followers": (None, None, [{"task": "b.task"}], None)},
        {"followers": (None, None, None, {"task": "b.task"})},
    ],
    ids=str,
)
def test_another_errand(changed: dict[str, Any]) -> None:
    """A signature holds for nothing else: no other task, arguments, or tasks that follow."""
    signature = SEAL.sign(ERRAND, "{}")

    with pytest.raises(UnauthenticatedError, match="was not sent by this service"):
        SEAL.verify(ERRAND._replace(**changed), "{}", signature)


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", Seal("x", [b"k"], believes_users=True).sign(ERRAND, "{}")])
def test_no_signature(signature: str) -> None:
    """Without our own signature nothing is run."""
    with pytest.raises(UnauthenticatedError):
        SEAL.verify(ERRAND, "{}", signature)


def test_another_context() -> None:
    """The user belongs to what is signed."""
    with pytest.raises(UnauthenticatedError):
        SEAL.verify(ERRAND, '{"user": 1}', SEAL.sign(ERRAND, "{}"))


def test_rotation() -> None:
    """What was signed with the key before is still run; the first key signs."""
    former = Seal("jobs-service", [b"the one before"], believes_users=True)
    SEAL.verify(ERRAND, "{}", former.sign(ERRAND, "{}"))

    with pytest.raises(UnauthenticatedError):
        former.verify(ERRAND, "{}", SEAL.sign(ERRAND, "{}"))


def test_another_service() -> None:
    """Two services that share a secret do not run each other's tasks."""
    other = Seal("other-service", [b"the first key"], believes_users=True)

    with pytest.raises(UnauthenticatedError):
        SEAL.verify(ERRAND, "{}", other.sign(ERRAND, "{}"))
