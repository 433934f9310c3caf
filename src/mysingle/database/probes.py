"""One question to a server: is it there, how long does it take, what does its clock say."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pymongo
from pymongo.errors import PyMongoError

from mysingle._kernel.errors import translate
from mysingle._kernel.settings import CommonSettings
from mysingle.database._mongo_client import address_of, connect
from mysingle.database._mongo_errors import absence, is_passing, refusal
from mysingle.database._redis import RedisClientManager
from mysingle.database._redis_config import RedisConfig

__all__ = ["ServerProbe", "probe_mongo", "probe_redis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProbe:
    """
    An answer: where from, how long the way there and back took on an open connection, the server's clock.

    `skew_seconds` is positive when the server's clock is ahead of ours.
    """

    address: str
    seconds: float
    skew_seconds: float | None


async def probe_mongo(settings: CommonSettings, timeout_seconds: float) -> ServerProbe:
    """
    Ask MongoDB.

    Raises:
        UnavailableError: it does not answer, or refuses the credentials. SettingsError: no connection string.
    """
    address = address_of(settings.mongodb_url)
    client = connect(settings.mongodb_url, settings, "mysingle-doctor")
    try:
        with pymongo.timeout(timeout_seconds):
            await client.admin.command("ping")
            began = time.time()
            answer = await client.admin.command("hello")
            ended = time.time()
    except PyMongoError as error:
        raise (absence(address, timeout_seconds) if is_passing(error) else refusal(error, address)) from None
    finally:
        await client.close()
    return ServerProbe(
        address=address, seconds=ended - began, skew_seconds=_skew(answer.get("localTime"), began, ended)
    )


async def probe_redis(settings: CommonSettings) -> ServerProbe:
    """
    Ask Redis.

    Raises:
        UnavailableError: it does not answer. MySingleError: it refuses the command.
    """
    manager = RedisClientManager(RedisConfig.from_settings(settings))
    try:
        await manager.ping()
        began = time.time()
        seconds, microseconds = await manager.lazy_client(0).time()
        ended = time.time()
    except Exception as error:
        raise translate(error) or error from None
    finally:
        await manager.close()
    moment = datetime.fromtimestamp(int(seconds) + int(microseconds) / 1_000_000, tz=UTC)
    return ServerProbe(address=manager.config.address, seconds=ended - began, skew_seconds=_skew(moment, began, ended))


def _skew(moment: datetime | None, began: float, ended: float) -> float | None:
    """Compare a server's clock with ours at the middle of the question."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp() - (began + ended) / 2
