"""The keys that sign access tokens: one in use, the next one published ahead, former ones until their tokens end."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.guard import accepted_algorithms
from mysingle._kernel.jwks import NEW_NAMES
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._keys import VerificationKey
from mysingle.auth.errors import AuthUnavailableError
from mysingle.auth.iam._documents import SigningKey, insert_new, stored
from mysingle.auth.iam._errors import unavailable
from mysingle.auth.iam._sealing import generate, seal, unseal
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._values import Clock, instant

__all__ = ["PrivateKey", "SigningKeys"]

log = get_logger("mysingle.auth")

_MARGIN = timedelta(seconds=120)  # a former key outlives its last token, leeway included
_RELOAD_SECONDS = 30.0
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A key that signs with one algorithm, in use from `activates_at` until a younger one is."""

    kid: str
    algorithm: str
    sequence: int
    activates_at: datetime
    key: Key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message (RFC 7515)."""
        return JWSRegistry.algorithms[NEW_NAMES.get(self.algorithm, self.algorithm)].sign(message, self.key)

    @property
    def public(self) -> VerificationKey:
        """The half that verifies; of a symmetric key that is the key itself."""
        return VerificationKey(self.kid, self.algorithm, self.key)

    @property
    def jwk(self) -> dict[str, object]:
        """The public members, as a JWK set shows them (RFC 7517)."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class SigningKeys:
    """
    Signs with the first of `AUTH_ALGORITHMS`, and is the `KeySource` of this service's own tokens.

    The keys are in MongoDB, encrypted, so that all processes sign with the same one. Without a lasting secret they
    are in the memory of the process alone; without a usable one there are none. A new key is published
    `AUTH_SIGNING_KEY_LEAD_SECONDS` before it signs, and every process must call `rotate_if_due` more often than that.
    """

    def __init__(self, settings: CommonSettings, secret: MasterSecret, *, clock: Clock = time.time) -> None:
        self._accepted = accepted_algorithms(settings)
        self._algorithm = self._accepted[0] if self._accepted else None
        self._secret = secret
        self._sealing_key = secret.derive("signing-keys")
        self._lifetime = timedelta(seconds=settings.AUTH_SIGNING_KEY_LIFETIME_SECONDS)
        self._lead = min(timedelta(seconds=settings.AUTH_SIGNING_KEY_LEAD_SECONDS), self._lifetime)
        self._token_life = timedelta(seconds=settings.AUTH_ACCESS_TOKEN_SECONDS)
        self._clock = clock
        self._keys: tuple[PrivateKey, ...] = ()
        self._last_sequence = 0
        self._loaded_at = 0.0
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """
        Read the keys, and make the first one if there is none; processes that start together end with the same.

        Raises:
            MySingleError: the database is away.
        """
        await self.rotate_if_due()

    async def rotate_if_due(self) -> bool:
        """
        Read the keys again, and make the next one when its time has come; tell whether this call made one.

        Raises:
            MySingleError: the database is away.
        """
        if self._algorithm is None or not self._secret.is_usable:
            return False
        async with self._lock:
            for _ in range(_ATTEMPTS):
                await self._read()
                activates_at = self._next_activation()
                if activates_at is None:
                    return False
                if await self._make(self._algorithm, activates_at):
                    await self._read()
                    return True
            return False

    def current(self) -> PrivateKey:
        """
        Return the key that signs now.

        Raises:
            UnavailableError: there is none.
        """
        now = instant(self._clock())
        for key in reversed(self._own()):
            if key.activates_at <= now:
                return key
        raise unavailable("No token can be signed at the moment")

    def jwks(self) -> dict[str, object]:
        """Return what verifies our tokens, the next key included (RFC 7517 §5); a symmetric key is never shown."""
        return {"keys": [key.jwk for key in self._keys if key.algorithm != "HS256"]}

    async def key(self, kid: str) -> VerificationKey | None:
        """
        Return the key of that id; an unknown id is looked for in the database at most every 30 s.

        Raises:
            AuthUnavailableError: the database is away, and the key may be there.
        """
        found = self._find(kid)
        if found is None and self._is_stale():
            await self._read_again()
            found = self._find(kid)
        return found

    def _find(self, kid: str) -> VerificationKey | None:
        return next((key.public for key in self._keys if key.kid == kid), None)

    def _is_stale(self) -> bool:
        can_read = self._secret.is_usable and self._secret.is_lasting
        return can_read and not 0 <= self._clock() - self._loaded_at < _RELOAD_SECONDS

    async def _read_again(self) -> None:
        async with self._lock:
            if not self._is_stale():
                return
            try:
                await self._read()
            except MySingleError as error:
                raise AuthUnavailableError from error

    def _own(self) -> Sequence[PrivateKey]:
        return [key for key in self._keys if key.algorithm == self._algorithm]

    def _next_activation(self) -> datetime | None:
        """Return when a key that is to be made now begins to sign; None when none is to be made."""
        now = instant(self._clock())
        own = self._own()
        if not own:
            return now
        ends_at = own[-1].activates_at + self._lifetime
        return max(ends_at, now + self._lead) if now >= ends_at - self._lead else None

    async def _read(self) -> None:
        if not self._secret.is_lasting:
            return
        found = SigningKey.get_pymongo_collection().find().sort("sequence", 1)
        rows = [SigningKey.model_validate(raw) for raw in await stored(found.to_list())]
        # Of the same look as the keys: what another process makes from now on has this process's next number.
        self._last_sequence = rows[-1].sequence if rows else 0
        known = {key.kid: key for key in self._keys}
        keys = [known.get(row.id) or self._unseal(row) for row in rows if self._is_of_use(row)]
        self._keys = tuple(key for key in keys if key is not None)
        self._loaded_at = self._clock()

    def _is_of_use(self, row: SigningKey) -> bool:
        is_over = row.expires_at is not None and row.expires_at <= instant(self._clock())
        return row.algorithm in self._accepted and not is_over

    def _unseal(self, row: SigningKey) -> PrivateKey | None:
        key = unseal(row.sealed, row.id, row.algorithm, self._sealing_key)
        if key is None:
            log.warning("auth.signing_key.unreadable", kid=row.id)
            return None
        return PrivateKey(
            kid=row.id, algorithm=row.algorithm, sequence=row.sequence, activates_at=row.activates_at, key=key
        )

    async def _make(self, algorithm: str, activates_at: datetime) -> bool:
        """Make a key behind all others; False when another process has just made one."""
        key = PrivateKey(
            kid=secrets.token_hex(16),
            algorithm=algorithm,
            sequence=self._last_sequence + 1,
            activates_at=activates_at,
            key=await asyncio.to_thread(generate, algorithm),
        )
        if self._secret.is_lasting:
            if not await self._store(key):
                return False
        else:
            self._keys = (*self._keys[-1:], key)
            self._last_sequence = key.sequence
        log.info("auth.signing_key.made", kid=key.kid, algorithm=algorithm, activates_at=activates_at.isoformat())
        return True

    async def _store(self, key: PrivateKey) -> bool:
        row = SigningKey(
            id=key.kid,
            sequence=key.sequence,
            algorithm=key.algorithm,
            sealed=seal(key.key, key.kid, self._sealing_key),
            created_at=instant(self._clock()),
            activates_at=key.activates_at,
        )
        if not await insert_new(row):
            return False
        former = {"sequence": {"$lt": key.sequence}, "expires_at": None}
        change = {"$set": {"expires_at": key.activates_at + self._token_life + _MARGIN}}
        await stored(SigningKey.get_pymongo_collection().update_many(former, change))
        return True
