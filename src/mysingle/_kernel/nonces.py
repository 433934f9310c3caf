"""Which signatures have been used: a bounded memory that forgets a second as a whole, and then refuses it."""

__all__ = ["NonceMemory"]


class NonceMemory:
    """
    Remembers nonces by the second in which they were signed.

    When it is full, the oldest second is forgotten and refused from then on: less time to arrive, never a replay.

    Args:
        size: how many nonces it holds.
        window_seconds: how long before or after now a signature may have been made.
    """

    __slots__ = ("_count", "_floor", "_purged_at", "_seconds", "_size", "_window_seconds")

    def __init__(self, *, size: int, window_seconds: int) -> None:
        self._size = size
        self._window_seconds = window_seconds
        self._seconds: dict[int, set[bytes]] = {}
        self._count = 0
        self._floor = -1
        self._purged_at = 0

    def __len__(self) -> int:
        return self._count

    def has_forgotten(self, second: int) -> bool:
        """Tell whether nonces of that second are not remembered any more, so none of them can be believed."""
        return second <= self._floor

    def add(self, nonce: bytes, second: int, now: int) -> bool:
        """Remember a nonce; False when it was there, which makes its request a replay."""
        if now != self._purged_at:
            self._purge(now)
        nonces = self._seconds.get(second)
        if nonces is None:
            nonces = self._seconds[second] = set()
        if nonce in nonces:
            return False
        nonces.add(nonce)
        self._count += 1
        if self._count > self._size:
            self._make_room(second)
        return True

    def _make_room(self, second: int) -> None:
        while self._count > self._size and len(self._seconds) > 1:
            self._forget(min(self._seconds))
        if self._count > self._size:
            self._forget(second)

    def _purge(self, now: int) -> None:
        """Drop what is too old to be believed anyway, once in each second."""
        self._purged_at = now
        for second in [second for second in self._seconds if second < now - self._window_seconds]:
            self._count -= len(self._seconds.pop(second))

    def _forget(self, second: int) -> None:
        self._count -= len(self._seconds.pop(second))
        self._floor = max(self._floor, second)
