import asyncio
from typing import Any

import pytest

from mysingle.auth.iam._documents import OneTimeToken
from mysingle.auth.iam._one_time import BadTokenError, OneTimeTokens, Redeemed

ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"
EMAIL = "alice@example.com"


@pytest.fixture
def tokens(clock: Any, database: Any) -> OneTimeTokens:
    return OneTimeTokens(clock=clock)


async def issue(tokens: OneTimeTokens, purpose: str = "verify", user_id: str = ALICE) -> str:
    return await tokens.issue(purpose, user_id, email=EMAIL, ttl=3600)


async def is_bad(tokens: OneTimeTokens, token: str, purpose: str = "verify") -> bool:
    try:
        await tokens.redeem(purpose, token)
    except BadTokenError:
        return True
    return False


async def test_redeem(tokens: OneTimeTokens) -> None:
    """A token works once, and tells whom and which address it is bound to."""
    token = await issue(tokens)

    assert Redeemed(user_id=ALICE, email=EMAIL) == await tokens.redeem("verify", token)
    with pytest.raises(BadTokenError, match="has been used") as caught:
        await tokens.redeem("verify", token)
    assert Redeemed(user_id=ALICE, email=EMAIL) == caught.value.replayed


async def test_at_once(tokens: OneTimeTokens) -> None:
    """Of ten callers with one token exactly one succeeds."""
    token = await issue(tokens)
    bad = await asyncio.gather(*(is_bad(tokens, token) for _ in range(10)))

    assert sorted(bad) == [False] + [True] * 9


async def test_at_rest(tokens: OneTimeTokens) -> None:
    """The database has only a hash: a copy of it opens no account."""
    token = await issue(tokens)
    raw = await OneTimeToken.get_pymongo_collection().find_one({})

    assert raw is not None
    assert token not in str(raw)
    assert await is_bad(tokens, raw["_id"])
    assert await is_bad(tokens, raw["token_hash"])


async def test_issued_at_once(tokens: OneTimeTokens) -> None:
    """However many are issued at once, exactly one works: the one that was stored last."""
    for _ in range(3):
        issued = await asyncio.gather(*(issue(tokens) for _ in range(10)))
        peeked = [await tokens.peek("verify", token) for token in issued]

        assert sum(item is not None for item in peeked) == 1
        assert await OneTimeToken.count() == 1
        newest = await issue(tokens)
        assert [await is_bad(tokens, token) for token in (*issued, newest)] == [True] * 10 + [False]


async def test_one_for_each(tokens: OneTimeTokens) -> None:
    """A token takes no place of another purpose, or of another user."""
    issued = [await issue(tokens, "verify"), await issue(tokens, "reset"), await issue(tokens, "verify", BOB)]
    bad = [await is_bad(tokens, token, name) for token, name in zip(issued, ("verify", "reset", "verify"), strict=True)]

    assert bad == [False] * 3


async def test_other_purpose(tokens: OneTimeTokens) -> None:
    """D11: a token to verify an address resets no password, and is still good afterwards."""
    token = await issue(tokens, "verify")

    assert await is_bad(tokens, token, "reset")
    assert not await is_bad(tokens, token, "verify")


async def test_expired(tokens: OneTimeTokens, clock: Any) -> None:
    """D11: after its time a token is bad, and so is the replay of a used one."""
    used, unused = await issue(tokens), await issue(tokens, user_id=BOB)
    await tokens.redeem("verify", used)
    clock.advance(3600)

    assert await is_bad(tokens, unused)
    with pytest.raises(BadTokenError) as caught:
        await tokens.redeem("verify", used)
    assert caught.value.replayed is None


@pytest.mark.parametrize("purpose", [None, "verify"])
async def test_revoked(tokens: OneTimeTokens, purpose: str | None) -> None:
    """D11: a changed address or password ends the tokens of that user, and of nobody else."""
    mine, theirs = await issue(tokens), await issue(tokens, user_id=BOB)

    assert await tokens.revoke(ALICE, purpose=purpose) == 1
    assert await is_bad(tokens, mine)
    assert not await is_bad(tokens, theirs)


async def test_revoked_purpose(tokens: OneTimeTokens) -> None:
    """Ending the tokens of one purpose leaves those of others."""
    reset = await issue(tokens, "reset")
    await tokens.revoke(ALICE, purpose="verify")

    assert not await is_bad(tokens, reset, "reset")


async def test_newer_one(tokens: OneTimeTokens) -> None:
    """A new token ends the former one of the same purpose."""
    former, newer = await issue(tokens), await issue(tokens)

    assert await is_bad(tokens, former)
    assert not await is_bad(tokens, newer)


@pytest.mark.parametrize("place", [0, 20, 42])
async def test_one_bit(tokens: OneTimeTokens, place: int) -> None:
    """D11: a token with one bit changed is bad."""
    token = await issue(tokens)
    changed = token[:place] + chr(ord(token[place]) ^ 1) + token[place + 1 :]

    assert await is_bad(tokens, changed)


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\ud800", "é" * 43, "$ne", "\x00"])
async def test_garbage(tokens: OneTimeTokens, token: str) -> None:
    """Any text is a bad token and no error."""
    assert await is_bad(tokens, token)
