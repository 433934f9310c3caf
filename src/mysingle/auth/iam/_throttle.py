"""How often somebody may try: logins by account, by address and by password, and mails and registrations."""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from enum import Enum

from mysingle._kernel.addresses import site_of
from mysingle._kernel.metrics import process_metrics
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._counters import Counter, Counters, MemoryCounters, RedisCounters, Rule, SafeCounters
from mysingle.auth.iam._errors import too_many
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._together import Together
from mysingle.auth.iam._values import Clock

__all__ = ["Limit", "Throttle"]

_QUARTER, _HALF, _HOUR = 900, 1800, 3600
_ACCOUNT = Rule(attempts=5, window_seconds=_HALF, first_delay_seconds=30, max_delay_seconds=_QUARTER)
_ADDRESS = Rule(attempts=40, window_seconds=_QUARTER)
_PASSWORD = Rule(attempts=10, window_seconds=_QUARTER)


class Limit(Enum):
    """
    What one subject may do how often.

    `MAIL`: mails that anybody can ask for; the subject is the account. `REGISTER` and `TOKEN`: registrations, and
    mailed tokens that are tried; the subject is the IP. `AUTHORIZE`: sign-ins that begin at another provider, each of
    which is stored until it ends; the IP, or the id of whoever links. `REAUTH`: the password of a signed-in user, and
    `MFA`: codes of the second step; the id of the user.
    """

    MAIL = ("mail", Rule(attempts=3, window_seconds=_HOUR))
    REGISTER = ("register", Rule(attempts=20, window_seconds=_HOUR))
    TOKEN = ("token", Rule(attempts=30, window_seconds=_QUARTER))
    AUTHORIZE = ("authorize", Rule(attempts=100, window_seconds=_QUARTER))
    REAUTH = ("reauth", _ACCOUNT)
    MFA = ("mfa", _ACCOUNT)


class Throttle:
    """
    Counts attempts before they are judged, so that many at once get no more tries than one after another.

    Five logins for one account are free; then each further one has to wait, 30 s at first and 15 minutes at most.
    Forty logins in 15 minutes may fail from one IP (an IPv6 site), and ten with one password, whatever the account.
    During a delay everything is refused, the right password too. It works without Redis, then in each process.
    """

    def __init__(
        self,
        settings: CommonSettings,
        secret: MasterSecret,
        *,
        clock: Clock = time.time,
        counters: Counters | None = None,
        pause: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._key = secret.derive("throttle")
        self._clock = clock
        self._counters = counters or SafeCounters(RedisCounters(settings.REDIS_DB_RATE_LIMIT), MemoryCounters())
        self._succeeding: Together[list[Counter], None] = Together(self._forgive_all, pause=pause)

    async def check_login(self, account_key: str, ip: str | None, *, password: str | None = None) -> None:
        """
        Count an attempt to log in, before anything is looked up.

        Args:
            account_key: the normalized address, whether such an account exists or not.
            ip: where it comes from.
            password: what is tried; only a keyed hash of it is kept, to notice one password tried on many accounts.

        Raises:
            ResourceExhaustedError: RATE_LIMITED; nothing may be told of the password.
        """
        wait = await self._counters.attempt(self._login(account_key, ip, password), self._clock())
        if wait > 0:
            process_metrics().logins.labels("refused").inc()
            raise too_many(wait, "Too many attempts to sign in. Wait, then try again.")

    async def failed_login(self, account_key: str, ip: str | None) -> None:
        """Report that the attempt failed; it has been counted when it began."""
        process_metrics().logins.labels("failed").inc()

    async def succeeded(self, account_key: str, ip: str | None, *, password: str | None = None) -> None:
        """Report that the attempt succeeded: the account starts afresh, and the other counts are as before it."""
        process_metrics().logins.labels("succeeded").inc()
        await self._succeeding.do(self._login(account_key, ip, password))

    async def allow(self, limit: Limit, subject: str | None) -> bool:
        """Count one use and tell whether it is allowed; what has no subject is."""
        return await self._wait(limit, subject) <= 0

    async def require(self, limit: Limit, subject: str | None) -> None:
        """
        Count one use.

        Raises:
            ResourceExhaustedError: RATE_LIMITED.
        """
        wait = await self._wait(limit, subject)
        if wait > 0:
            raise too_many(wait)

    async def forgive(self, limit: Limit, subject: str | None) -> None:
        """Take a use back that turned out well, such as the right password."""
        if subject:
            await self._counters.forgive([self._counter(limit, subject)], self._clock())

    async def _forgive_all(self, logins: Sequence[list[Counter]]) -> Sequence[None]:
        await self._counters.forgive([counter for login in logins for counter in login], self._clock())
        return [None] * len(logins)

    async def _wait(self, limit: Limit, subject: str | None) -> float:
        return await self._counters.attempt([self._counter(limit, subject)], self._clock()) if subject else 0.0

    def _counter(self, limit: Limit, subject: str) -> Counter:
        name, rule = limit.value
        return Counter(f"{name}:{self._hidden(site_of(subject))}", rule)

    def _login(self, account_key: str, ip: str | None, password: str | None) -> list[Counter]:
        counters = [Counter(f"account:{self._hidden(account_key)}", _ACCOUNT)]
        if ip:
            counters.append(Counter(f"ip:{self._hidden(site_of(ip))}", _ADDRESS))
        if password:
            counters.append(Counter(f"password:{self._hidden(password)}", _PASSWORD))
        return counters

    def _hidden(self, text: str) -> str:
        """Return a keyed hash: whoever reads Redis learns no address and can try no password."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:32]
