import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
from beanie.odm.utils.dump import get_dict
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._documents import AuthSession
from mysingle.auth.iam._refresh_tokens import fingerprint, format_refresh, new_session_id, parse_refresh
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._sessions import OpenedSession, RefreshReusedError, Sessions
from mysingle.auth.iam._values import Device, UserView, instant
from mysingle.database import get_redis_client

DEVICE = Device(ip="192.0.2.1", user_agent="Firefox")
DAY = 86_400
KEY = b"k" * 32


@pytest.fixture
def sessions(settings: CommonSettings, secret: MasterSecret, clock: Any, database: Any) -> Sessions:
    return Sessions(settings, secret, clock=clock)


@pytest.fixture
async def alice(new_user: Any) -> UserView:
    user: UserView = await new_user()
    return user


@pytest.fixture
async def opened(sessions: Sessions, alice: UserView) -> OpenedSession:
    return await sessions.open(alice, DEVICE, amr=("pwd",))


async def refusal(sessions: Sessions, token: str) -> str:
    with pytest.raises(MySingleError) as caught:
        await sessions.rotate(token, DEVICE)
    return str(caught.value.reason)


class TestParse:
    def test_round_trip(self) -> None:
        """What was made is read back, and only the hash of its secret needs to be stored."""
        sid = new_session_id()
        token, stored = format_refresh(sid, 7, KEY)
        parsed = parse_refresh(token, KEY)

        assert parsed is not None
        assert (sid, 7, stored) == (parsed.session_id, parsed.generation, fingerprint(parsed.secret))
        assert len(parsed.secret) == 32

    @given(st.text(max_size=300))
    def test_garbage(self, text: str) -> None:
        """Nothing but our own tokens is believed, and nothing raises."""
        assert parse_refresh(text, KEY) is None
        assert parse_refresh(f"rt1.{text}", KEY) is None

    @given(st.data())
    def test_one_character(self, data: st.DataObject) -> None:
        """A token with any one character changed, dropped or added is not ours."""
        token, _ = format_refresh(new_session_id(), data.draw(st.integers(0, 10**9)), KEY)
        place = data.draw(st.integers(0, len(token) - 1))
        other = data.draw(st.characters().filter(lambda character: character != token[place]))

        assert parse_refresh(token[:place] + other + token[place + 1 :], KEY) is None
        assert parse_refresh(token[:place] + token[place + 1 :], KEY) is None
        assert parse_refresh(token[:place] + other + token[place:], KEY) is None

    def test_parts_of_two_tokens(self) -> None:
        """Session, generation and secret are bound together by the tag."""
        one = format_refresh(new_session_id(), 1, KEY)[0].split(".")
        two = format_refresh(new_session_id(), 2, KEY)[0].split(".")
        mixed = [".".join([*one[:place], two[place], *one[place + 1 :]]) for place in range(1, 5)]

        assert [parse_refresh(token, KEY) for token in mixed] == [None] * 4

    def test_foreign_key(self) -> None:
        """A token under another key is none."""
        assert parse_refresh(format_refresh(new_session_id(), 0, b"x" * 32)[0], KEY) is None

    def test_second_spelling(self) -> None:
        """The unused bits of base64 make no second spelling of a token."""
        token, _ = format_refresh(new_session_id(), 0, KEY)
        head, tag = token[:-1], token[-1]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        twins = [
            letter
            for letter in alphabet
            if letter != tag
            and base64.urlsafe_b64decode((head[-21:] + letter) + "==")
            == base64.urlsafe_b64decode((head[-21:] + tag) + "==")
        ]

        assert twins
        assert [None] * len(twins) == [parse_refresh(head + letter, KEY) for letter in twins]


async def test_open(sessions: Sessions, alice: UserView, opened: OpenedSession, clock: Any) -> None:
    """A session is listed with its device, and the database has no more of its token than a hash."""
    raw = await AuthSession.get_pymongo_collection().find_one({"_id": opened.session_id})
    (listed,) = await sessions.list(alice.id)

    assert raw is not None
    assert opened.refresh_token.split(".")[3] not in str(raw)
    assert (opened.session_id, "192.0.2.1", "Firefox", ("pwd",)) == (
        listed.id,
        listed.ip,
        listed.user_agent,
        listed.amr,
    )
    assert opened.refresh_expires_at == instant(clock.now + 30 * DAY)
    assert not await sessions.is_revoked(opened.session_id)


async def test_rotate(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """Each exchange gives a new token that works, keeps when the person signed in, and moves the idle end."""
    clock.advance(DAY)
    second = await sessions.rotate(opened.refresh_token, Device(ip="192.0.2.2"))
    clock.advance(DAY)
    third = await sessions.rotate(second.refresh_token, DEVICE)

    assert len({opened.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert (opened.session_id, opened.user_id, opened.auth_time, ("pwd",)) == (
        third.session_id,
        third.user_id,
        third.auth_time,
        third.amr,
    )
    assert third.refresh_expires_at == instant(clock.now + 30 * DAY)


async def test_twenty_at_once(sessions: Sessions, opened: OpenedSession) -> None:
    """Of twenty callers with one token exactly one gets the next, the others hear that it is in progress."""
    results = await asyncio.gather(
        *(sessions.rotate(opened.refresh_token, DEVICE) for _ in range(20)), return_exceptions=True
    )
    won = [result for result in results if isinstance(result, OpenedSession)]
    lost = [result.reason for result in results if isinstance(result, MySingleError)]

    assert (len(won), lost) == (1, ["REFRESH_IN_PROGRESS"] * 19)
    assert await sessions.rotate(won[0].refresh_token, DEVICE)


async def test_grace(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """The former token within ten seconds is a conflict that leaves the session alone."""
    following = await sessions.rotate(opened.refresh_token, DEVICE)
    clock.advance(10)

    assert await refusal(sessions, opened.refresh_token) == "REFRESH_IN_PROGRESS"
    assert await sessions.rotate(following.refresh_token, DEVICE)


@pytest.mark.parametrize("generations", [1, 2, 5], ids=["former", "two-back", "five-back"])
async def test_reuse(sessions: Sessions, alice: UserView, opened: OpenedSession, clock: Any, generations: int) -> None:
    """C01, C02: a token of any earlier generation ends the session and names it; then nothing of it works."""
    latest = opened
    for _ in range(generations):
        latest = await sessions.rotate(latest.refresh_token, DEVICE)
    clock.advance(11)

    with pytest.raises(RefreshReusedError, match="used before") as caught:
        await sessions.rotate(opened.refresh_token, DEVICE)

    assert (opened.session_id, alice.id) == (caught.value.session_id, caught.value.user_id)
    assert "Bearer" in caught.value.headers["WWW-Authenticate"]
    assert await refusal(sessions, latest.refresh_token) == "REFRESH_TOKEN_INVALID"
    assert await refusal(sessions, opened.refresh_token) == "REFRESH_TOKEN_INVALID"
    assert await sessions.is_revoked(opened.session_id)


async def test_two_back_has_no_grace(sessions: Sessions, opened: OpenedSession) -> None:
    """The grace is for the former token alone: two generations back is a replay at once."""
    second = await sessions.rotate(opened.refresh_token, DEVICE)
    await sessions.rotate(second.refresh_token, DEVICE)

    assert await refusal(sessions, opened.refresh_token) == "REFRESH_TOKEN_REUSED"


async def test_replays_at_once(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """Of many replays at once one tells of it, so one mail goes out."""
    await sessions.rotate(opened.refresh_token, DEVICE)
    clock.advance(11)
    reasons = await asyncio.gather(*(refusal(sessions, opened.refresh_token) for _ in range(10)))

    assert sorted(reasons) == ["REFRESH_TOKEN_INVALID"] * 9 + ["REFRESH_TOKEN_REUSED"]


async def test_garbage_revokes_nothing(sessions: Sessions, opened: OpenedSession) -> None:
    """A made-up token of an earlier generation changes nothing."""
    forged, _ = format_refresh(opened.session_id, 0, b"y" * 32)
    latest = await sessions.rotate(opened.refresh_token, DEVICE)

    assert await refusal(sessions, forged) == "REFRESH_TOKEN_INVALID"
    assert await sessions.rotate(latest.refresh_token, DEVICE)


async def test_unknown_session(sessions: Sessions, secret: MasterSecret) -> None:
    """A genuine token of a session that the database does not have is invalid."""
    token, _ = format_refresh(new_session_id(), 3, secret.derive("refresh-token"))

    assert await refusal(sessions, token) == "REFRESH_TOKEN_INVALID"
    assert await sessions.is_revoked(token.split(".")[1])


async def test_future_generation(sessions: Sessions, opened: OpenedSession, secret: MasterSecret) -> None:
    """A generation that the database does not know, as after a restored backup, is invalid and ends nothing."""
    token, _ = format_refresh(opened.session_id, 9, secret.derive("refresh-token"))

    assert await refusal(sessions, token) == "REFRESH_TOKEN_INVALID"
    assert await sessions.rotate(opened.refresh_token, DEVICE)


async def test_idle_end(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """C05: after thirty days without use the token has expired, and the session is over."""
    clock.advance(30 * DAY)

    assert await refusal(sessions, opened.refresh_token) == "REFRESH_TOKEN_EXPIRED"
    assert await sessions.is_revoked(opened.session_id)
    assert await sessions.list(opened.user_id) == ()


async def test_absolute_end(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """C05: after ninety days no use keeps a session alive, and no token promises more."""
    latest = opened
    for _ in range(4):
        clock.advance(20 * DAY)
        latest = await sessions.rotate(latest.refresh_token, DEVICE)

    assert latest.refresh_expires_at == opened.auth_time + timedelta(days=90)
    clock.advance(10 * DAY)
    assert await refusal(sessions, latest.refresh_token) == "REFRESH_TOKEN_EXPIRED"


async def test_revoke(sessions: Sessions, opened: OpenedSession) -> None:
    """B21: a session that was ended is over at once, for its tokens and for whoever asks; ending twice is nothing."""
    assert not await sessions.is_revoked(opened.session_id)
    assert await sessions.revoke(opened.session_id)
    assert not await sessions.revoke(opened.session_id)
    assert await sessions.is_revoked(opened.session_id)
    assert await refusal(sessions, opened.refresh_token) == "REFRESH_TOKEN_INVALID"
    assert await sessions.get(opened.session_id) is None


async def test_revoke_of_somebody_else(sessions: Sessions, opened: OpenedSession) -> None:
    """A session of another user cannot be ended by its id."""
    assert not await sessions.revoke(opened.session_id, user_id="b0b000000000000000000002")
    assert not await sessions.is_revoked(opened.session_id)


async def test_revoke_all(sessions: Sessions, alice: UserView, new_user: Any) -> None:
    """B20: all sessions of a user end but the one that is named; other users keep theirs."""
    mine = [await sessions.open(alice, DEVICE, amr=("pwd",)) for _ in range(3)]
    theirs = await sessions.open(await new_user("bob@example.com"), DEVICE, amr=("pwd",))

    assert await sessions.revoke_all(alice.id, except_sid=mine[0].session_id) == 2
    assert [await sessions.is_revoked(item.session_id) for item in mine] == [False, True, True]
    assert [mine[0].session_id] == [item.id for item in await sessions.list(alice.id)]
    assert await sessions.revoke_all(alice.id) == 1
    assert await sessions.revoke_all(alice.id) == 0
    assert not await sessions.is_revoked(theirs.session_id)


async def test_marks(sessions: Sessions, opened: OpenedSession, settings: CommonSettings) -> None:
    """Other services see the end of a session in Redis, for as long as an access token of it could live."""
    redis = await get_redis_client(settings.REDIS_DB_SESSION)
    await sessions.is_revoked(opened.session_id)
    alive = await redis.ttl(f"session:{opened.session_id}")
    await sessions.revoke(opened.session_id)

    assert DAY - 10 < alive <= DAY
    assert 900 < await redis.ttl(f"revoked:{opened.session_id}") <= 960
    assert not await redis.exists(f"session:{opened.session_id}")


async def test_other_process(
    sessions: Sessions, opened: OpenedSession, settings: CommonSettings, secret: MasterSecret, clock: Any
) -> None:
    """A second process learns of the end at once, although it has called the session alive a moment before."""
    other = Sessions(settings, secret, clock=clock)

    assert not await other.is_revoked(opened.session_id)
    await sessions.revoke(opened.session_id)
    assert await other.is_revoked(opened.session_id)


@pytest.mark.parametrize("forged", ["a1.{now}.00000000000000000000000000000000", "a1.x.y", "", "1", "a1.{now}"])
async def test_forged_mark(sessions: Sessions, opened: OpenedSession, clock: Any, forged: str) -> None:
    """Whoever writes into that Redis cannot call a session alive."""
    await AuthSession.get_pymongo_collection().delete_one({"_id": opened.session_id})
    redis = await get_redis_client(3)
    await redis.set(f"session:{opened.session_id}", forged.format(now=int(clock.now)))

    assert await sessions.is_revoked(opened.session_id)


async def test_mark_is_believed_for_a_minute(sessions: Sessions, opened: OpenedSession, clock: Any) -> None:
    """What the database said is believed for a minute, then it is asked again."""
    await sessions.is_revoked(opened.session_id)
    await AuthSession.get_pymongo_collection().delete_one({"_id": opened.session_id})
    clock.advance(59)
    believed = await sessions.is_revoked(opened.session_id)
    clock.advance(3)

    assert (believed, await sessions.is_revoked(opened.session_id)) == (False, True)


async def test_mark_of_another_session(sessions: Sessions, opened: OpenedSession, alice: UserView) -> None:
    """A signed mark says nothing of another session."""
    other = await sessions.open(alice, DEVICE, amr=("pwd",))
    await sessions.is_revoked(other.session_id)
    await AuthSession.get_pymongo_collection().delete_one({"_id": opened.session_id})
    redis = await get_redis_client(3)
    await redis.set(f"session:{opened.session_id}", await redis.get(f"session:{other.session_id}"))

    assert await sessions.is_revoked(opened.session_id)


async def test_redis_killed(
    away: Any, own_redis: Any, settings: CommonSettings, secret: MasterSecret, clock: Any, new_user: Any
) -> None:
    """B22: without Redis everything goes on, and what ended meanwhile is marked when it is back."""
    sessions = Sessions(settings, secret, clock=clock)
    user = await new_user()
    first, second = [await sessions.open(user, DEVICE, amr=("pwd",)) for _ in range(2)]
    assert not await sessions.is_revoked(first.session_id)
    away()

    assert not await sessions.is_revoked(first.session_id)
    assert await sessions.revoke(first.session_id)
    assert await sessions.is_revoked(first.session_id)
    assert await sessions.rotate(second.refresh_token, DEVICE)

    await asyncio.to_thread(own_redis.start)
    for _ in range(100):
        await sessions.is_revoked(second.session_id)
        if await sessions.is_revoked(first.session_id) and not sessions._marks._pending:
            break
        await asyncio.sleep(0.05)
    redis = await get_redis_client(settings.REDIS_DB_SESSION)
    assert await redis.exists(f"revoked:{first.session_id}")


async def test_no_usable_secret(configure: Any, database: Any, new_user: Any) -> None:
    """Under production rules nothing is signed with a placeholder, and nothing that it signed is believed."""
    settings = configure(ENVIRONMENT="production", AUTH_SECRET_KEY="change-me-" + "x" * 40)
    sessions = Sessions(settings, MasterSecret.from_settings(settings))

    with pytest.raises(MySingleError, match="not possible") as caught:
        await sessions.open(await new_user(), DEVICE, amr=("pwd",))
    assert caught.value.reason == "AUTH_TEMPORARILY_UNAVAILABLE"


def test_device_is_bounded() -> None:
    """A user agent is cut, and holds nothing that a terminal would obey."""
    device = Device(user_agent="\x1b[31m" + "x" * 1000)

    assert device.user_agent == "[31m" + "x" * 252


async def test_rows_are_what_beanie_stores(opened: OpenedSession) -> None:
    """A session is stored as its document says, whoever writes it."""
    read = await AuthSession.get(opened.session_id)
    raw = await AuthSession.get_pymongo_collection().find_one({"_id": opened.session_id})

    assert read is not None
    assert raw == get_dict(read, keep_nulls=True)
