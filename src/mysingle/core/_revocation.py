"""Sessions that the IAM service has ended, as it notes them in Redis for the other services."""

from mysingle import database
from mysingle._kernel.settings import CommonSettings

__all__ = ["RedisRevocations"]


class RedisRevocations:
    """Looks for `revoked:{session}` in `REDIS_DB_SESSION`; it only reads."""

    def __init__(self, settings: CommonSettings) -> None:
        self._number = settings.REDIS_DB_SESSION

    async def is_revoked(self, session_id: str) -> bool:
        """
        Tell whether a session has been ended.

        Raises:
            MySingleError: Redis is away.
        """
        manager = database.get_redis_manager()
        return bool(await manager.run(self._number, lambda redis: redis.exists(f"revoked:{session_id}")))
