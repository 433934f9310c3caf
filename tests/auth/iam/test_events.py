import asyncio
from typing import Any

import pytest

from mysingle._kernel.context import RequestContext, use_context
from mysingle.auth.iam._documents import AuthEvent
from mysingle.auth.iam._events import EventKind, Events
from mysingle.auth.iam._values import Device

ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"
DEVICE = Device(ip="192.0.2.1", user_agent="Firefox")


async def test_record(database: Any) -> None:
    """ASVS 16.3.1: an event says what, to whom, by whom, from where, in which session and request."""
    events = Events()
    with use_context(RequestContext(correlation_id="c-1")):
        await events.record(
            EventKind.RIGHTS_CHANGED,
            user_id=ALICE,
            device=DEVICE,
            session_id="s1",
            actor_id=BOB,
            detail={"fields": ["roles"]},
        )
    (event,) = await events.recent(ALICE)

    assert (
        event.kind,
        event.user_id,
        event.actor_id,
        event.session_id,
        event.correlation_id,
        event.ip,
        event.user_agent,
        event.detail,
    ) == ("rights.changed", ALICE, BOB, "s1", "c-1", "192.0.2.1", "Firefox", {"fields": ["roles"]})
    assert event.created_at.tzinfo is not None


async def test_no_secrets(database: Any) -> None:
    """ASVS 16.2.5: what is a secret by its key or its look is not stored."""
    detail = {"password": "hunter2", "refresh_token": "rt1.x", "note": "Bearer abcdefghijkl", "fields": ["email"]}
    await Events().record(EventKind.USER_CHANGED, user_id=ALICE, detail=detail)
    raw = str(await AuthEvent.get_pymongo_collection().find_one({}))

    assert [text in raw for text in ("hunter2", "rt1.x", "abcdefghijkl", "email")] == [False, False, False, True]


async def test_recent(database: Any) -> None:
    """The newest events of one user come first, a bounded number of them."""
    events = Events()
    for kind in (EventKind.USER_REGISTERED, EventKind.EMAIL_VERIFIED, EventKind.LOGIN_SUCCEEDED):
        await events.record(kind, user_id=ALICE)
    await events.record(EventKind.LOGIN_FAILED, user_id=BOB)
    await events.record(EventKind.LOGIN_FAILED)

    assert [event.kind for event in await events.recent(ALICE, 2)] == ["login.succeeded", "email.verified"]
    assert len(await events.recent(ALICE, 10_000)) == 3
    assert len(await events.recent(ALICE, 0)) == 1


async def test_database_away(own_database: Any, logged: list[Any]) -> None:
    """ASVS 16.5.3: an event that cannot be stored is in the log, and nobody's request fails for it."""
    own_database.kill()
    await Events().record(EventKind.LOGIN_FAILED, user_id=ALICE, device=DEVICE)
    (entry,) = [entry for entry in logged if entry["event"] == "auth.event_unstored"]

    assert (entry["kind"], entry["user_id"], entry["ip"]) == ("login.failed", ALICE, "192.0.2.1")


async def test_note(database: Any) -> None:
    """What is noted is there for whoever asks this process, with the context and the time of when it happened."""
    events = Events(pause_seconds=60)
    with use_context(RequestContext(correlation_id="c-2")):
        await events.note(EventKind.LOGIN_SUCCEEDED, user_id=ALICE, device=DEVICE, session_id="s1")
    before = await AuthEvent.count()
    await events.record(EventKind.LOGOUT, user_id=ALICE)
    logout, login = await events.recent(ALICE)
    await events.close()

    assert (before, logout.kind) == (0, "logout")
    assert (login.kind, login.session_id, login.correlation_id, login.ip) == (
        "login.succeeded",
        "s1",
        "c-2",
        "192.0.2.1",
    )
    assert login.created_at <= logout.created_at


async def test_noted_together(database: Any) -> None:
    """Noted events are written soon without anybody asking, also those that come while others are written."""
    events = Events(pause_seconds=0.001)
    for number in range(50):
        await events.note(EventKind.LOGIN_FAILED, user_id=ALICE, session_id=str(number))
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while await AuthEvent.count() < 50:
            await asyncio.sleep(0.01)
    written = [event.session_id for event in reversed(await events.recent(ALICE, 100))]

    assert written == [str(number) for number in range(50)]


async def test_noted_is_bounded(database: Any) -> None:
    """Whoever notes too much at once waits until it is written; nothing is dropped."""
    events = Events(pause_seconds=60)
    for _ in range(1000):
        await events.note(EventKind.LOGIN_FAILED)

    assert await AuthEvent.count() == 1000
    await events.close()


async def test_close_writes_what_was_noted(database: Any) -> None:
    """A service that ends leaves no event behind, and may end twice."""
    events = Events(pause_seconds=60)
    await events.note(EventKind.LOGIN_FAILED, user_id=ALICE)
    await events.close()
    await events.close()

    assert await AuthEvent.count() == 1


async def test_close_without_a_database(own_database: Any, logged: list[Any]) -> None:
    """What cannot be written at the end is in the log."""
    own_database.kill()
    events = Events(pause_seconds=60)
    await events.note(EventKind.LOGIN_FAILED, user_id=ALICE, device=DEVICE)
    await events.close()
    (entry,) = [entry for entry in logged if entry["event"] == "auth.event_unstored"]

    assert (entry["kind"], entry["user_id"], entry["ip"]) == ("login.failed", ALICE, "192.0.2.1")


@pytest.mark.parametrize("kind", list(EventKind))
def test_kinds(kind: EventKind) -> None:
    """Every kind is a noun or two with dots, fit for counting."""
    assert kind.value.replace(".", "").replace("_", "").isalpha()
