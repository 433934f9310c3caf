"""The auth layer: who calls, and for whom. A bare user id is believed only where that was asked for."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any

from mysingle._kernel import context
from mysingle._kernel.call_identity import CallIdentity, CallVerifier, clean_user_id
from mysingle._kernel.context import with_user
from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.propagation import METADATA_AUTHORIZATION, METADATA_SIGNED_USER, METADATA_USER_ID
from mysingle.grpc._around import ServerCall
from mysingle.grpc._methods import Idempotency

__all__ = ["AuthLayer", "ExemptMethods", "Trust"]

_MAX_ATTEMPT = 5


class Trust(StrEnum):
    """What makes a user id believed: a signature, the network, development, or nothing at all."""

    SIGNED = "signed"
    NETWORK = "network"
    RELAXED = "relaxed"
    NOTHING = "nothing"


class ExemptMethods:
    """Methods that anybody may call: `pkg.Service/Method`, or `pkg.Service/*` for all of a service."""

    def __init__(self, patterns: Iterable[str]) -> None:
        cleaned = [pattern.lstrip("/") for pattern in patterns]
        self._names = frozenset(pattern for pattern in cleaned if not pattern.endswith("/*"))
        self._services = frozenset(pattern[:-2] for pattern in cleaned if pattern.endswith("/*"))

    def __contains__(self, name: object) -> bool:
        return name in self._names or str(name).partition("/")[0] in self._services


class AuthLayer:
    """Puts the caller into the context; without one only exempt methods are let through."""

    def __init__(
        self,
        trust: Trust,
        verifier: CallVerifier | None,
        exempt: ExemptMethods,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        self._trust, self._verifier, self._exempt = trust, verifier, exempt
        self._on_refused = on_refused

    def enter(self, call: ServerCall) -> None:
        """Establish the caller, or refuse."""
        try:
            user = self._user(call)
        except UnauthenticatedError as error:
            if self._on_refused is not None:
                self._on_refused(error.reason)
            raise
        if user is not None:
            call.context = with_user(call.context, user)
            context.enter(call.context)

    def _user(self, call: ServerCall) -> AuthenticatedUser | None:
        stated = self._stated(call)
        if self._trust is Trust.SIGNED:
            user = self._signed(call, stated)
        elif self._trust is Trust.NOTHING and stated is not None:
            raise _refused("A user id without a proof is not believed here.", reason="SERVICE_TOKEN_MISSING")
        else:
            user = None if stated is None else _bare_user(stated, self._trust.value)
        if user is None and call.method.name not in self._exempt:
            raise _refused("The call says no user.", reason="AUTH_REQUIRED")
        return user

    def _stated(self, call: ServerCall) -> str | None:
        """Return the plain user id; it must have the form of one, and must not be there twice."""
        value: Any = call.metadata.get(METADATA_USER_ID)
        if value is None:
            return None
        user_id = clean_user_id(value) if isinstance(value, str) else None
        if user_id is None or (call.has_duplicates and _is_doubled(call)):
            raise _refused("The user id is ill-formed.", reason="IDENTITY_MALFORMED")
        return user_id

    def _signed(self, call: ServerCall, stated: str | None) -> AuthenticatedUser | None:
        authorization = call.metadata.get(METADATA_AUTHORIZATION)
        if authorization is None and stated is None and call.method.name in self._exempt:
            return None
        identity = self._verify(call, authorization)
        user = identity.user
        if stated is not None and (user is None or user.id != stated):
            raise _refused("The user id is not the one that was signed.", reason="IDENTITY_MISMATCH")
        return user

    def _verify(self, call: ServerCall, authorization: str | None) -> CallIdentity:
        assert self._verifier is not None
        may_repeat = call.method.idempotency is not Idempotency.UNKNOWN
        attempts = call.previous_attempts if may_repeat and call.previous_attempts <= _MAX_ATTEMPT else 0
        signed_user = call.metadata.get(METADATA_SIGNED_USER)
        return self._verifier.verify(
            authorization, signed_user, call.method.path, attempt=f"#{attempts}" if attempts else ""
        )


@lru_cache(maxsize=4096)
def _bare_user(user_id: str, method: str) -> AuthenticatedUser:
    """Return the value for a user of whom nothing else is known; one for all calls, since it never changes."""
    return AuthenticatedUser(id=user_id, auth_method=method)


def _is_doubled(call: ServerCall) -> bool:
    names = [key for key, _ in call.native.invocation_metadata()]
    return any(names.count(name) > 1 for name in (METADATA_USER_ID, METADATA_AUTHORIZATION, METADATA_SIGNED_USER))


def _refused(message: str, *, reason: str) -> UnauthenticatedError:
    return UnauthenticatedError(message, reason=reason)
