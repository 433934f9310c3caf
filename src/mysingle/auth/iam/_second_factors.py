"""Authenticators and recovery codes in MongoDB: secrets encrypted, codes hashed, each good once."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any

from joserfc.jwk import OctKey

from mysingle._kernel.errors import AlreadyExistsError, MySingleError
from mysingle.auth.iam._documents import SecondFactor, stored
from mysingle.auth.iam._errors import IamReason, conflict
from mysingle.auth.iam._sealing import seal, unseal
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._totp import matching_step, new_secret
from mysingle.auth.iam._values import Clock

__all__ = ["SecondFactors", "already_enabled"]

_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_OTP, _RECOVERY = ("otp", "mfa"), ("mfa",)


class SecondFactors:
    """
    The second factors of users, at most one for each.

    All methods raise `MySingleError` with 503 while the database is away.
    """

    def __init__(self, secret: MasterSecret, *, clock: Clock = time.time) -> None:
        self._sealing_key = secret.derive("second-factor")
        self._hash_key = secret.derive("recovery-code")
        self._clock = clock

    async def propose(self, user_id: str) -> bytes:
        """
        Return a new secret, which counts once it is confirmed; one that was proposed before is forgotten.

        Raises:
            AlreadyExistsError: MFA_ALREADY_ENABLED, another one is confirmed.
        """
        proposed = new_secret()
        values = {
            "sealed": seal(OctKey.import_key(proposed), user_id, self._sealing_key),
            "is_confirmed": False,
            "last_step": 0,
            "recovery_hashes": [],
        }
        unconfirmed = {"_id": user_id, "is_confirmed": False}
        try:
            await stored(SecondFactor.get_pymongo_collection().replace_one(unconfirmed, values, upsert=True))
        except AlreadyExistsError as error:
            raise already_enabled() from error
        return proposed

    async def confirm(self, user_id: str, code: str) -> tuple[str, ...] | None:
        """Let the proposed secret count and return its recovery codes; None for a wrong code."""
        row = await self._row(user_id, is_confirmed=False)
        step = None if row is None else self._step(row, code)
        if row is None or step is None:
            return None
        codes = tuple(_new_code() for _ in range(_RECOVERY_CODES))
        change = {
            "is_confirmed": True,
            "last_step": step,
            "recovery_hashes": [self._hash(user_id, each) for each in codes],
        }
        chosen = {"_id": user_id, "is_confirmed": False, "sealed": row["sealed"]}
        result = await stored(SecondFactor.get_pymongo_collection().update_one(chosen, {"$set": change}))
        return codes if result.modified_count else None

    async def use(self, user_id: str, code: str) -> tuple[str, ...] | None:
        """
        Use a code up, of several callers with one code exactly one succeeds; None for a wrong code, or a used one.

        Returns how it was proved, as in the claim `amr` (RFC 8176).
        """
        row = await self._row(user_id, is_confirmed=True)
        if row is None:
            return None
        factors = SecondFactor.get_pymongo_collection()
        step = self._step(row, code)
        if step is not None:
            later = {"_id": user_id, "sealed": row["sealed"], "last_step": {"$lt": step}}
            result = await stored(factors.update_one(later, {"$set": {"last_step": step}}))
            return _OTP if result.modified_count else None
        hashed = self._hash(user_id, code)
        chosen = {"_id": user_id, "is_confirmed": True, "recovery_hashes": hashed}
        result = await stored(factors.update_one(chosen, {"$pull": {"recovery_hashes": hashed}}))
        return _RECOVERY if result.modified_count else None

    async def remove(self, user_id: str) -> None:
        """Forget the second factor of a user."""
        await stored(SecondFactor.get_pymongo_collection().delete_one({"_id": user_id}))

    async def _row(self, user_id: str, *, is_confirmed: bool) -> dict[str, Any] | None:
        chosen = {"_id": user_id, "is_confirmed": is_confirmed}
        return await stored(SecondFactor.get_pymongo_collection().find_one(chosen))

    def _step(self, row: dict[str, Any], code: str) -> int | None:
        key = unseal(row["sealed"], row["_id"], "HS256", self._sealing_key)
        if key is None:
            return None
        text = str(key.as_dict(private=True)["k"])
        secret = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return matching_step(secret, code.replace(" ", ""), self._clock())

    def _hash(self, user_id: str, code: str) -> str:
        plain = code.replace("-", "").replace(" ", "").lower()
        message = f"{user_id}.{plain}".encode("utf-8", "replace")
        return hmac.digest(self._hash_key, message, hashlib.sha256).hex()


def already_enabled() -> MySingleError:
    """Return the answer to whoever sets up a second factor beside the one that counts."""
    return conflict(IamReason.MFA_ALREADY_ENABLED, "Signing in needs a code already. Give that up first.")


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode("ascii").lower()
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))
