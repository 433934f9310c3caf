"""Who calls, and for whom: a short-lived token of the calling service, and a signed user beside it."""

import hashlib
import hmac
import json
import os
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pydantic import SecretStr

from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.nonces import NonceMemory

__all__ = [
    "CallIdentity",
    "CallSigner",
    "CallVerifier",
    "audience",
    "clean_user_id",
    "forget_service",
    "key_for",
    "name_service",
    "signer_of",
]

_TOKEN_SECONDS = 60
_TOKEN_RENEWAL_SECONDS = 30
_LEEWAY_SECONDS = 5
_MAX_TOKEN = 2048
_MAX_CONTEXT = 4096
_MAX_TOKENS_REMEMBERED = 1024
_NONCES = 1_000_000
_LINES = 12
_USER_ID = re.compile(r"[0-9a-f]{24}")
_HEADER = b'{"alg":"HS256","typ":"service+jwt"}'


class CallIdentity(NamedTuple):
    """The service that calls, and the user for whom; None when it calls for nobody."""

    service: str
    user: AuthenticatedUser | None


def clean_user_id(value: str) -> str | None:
    """Return a user id in lower case; None when it has not the form of one."""
    lowered = value.lower()
    return lowered if _USER_ID.fullmatch(lowered) else None


class CallSigner:
    """
    Signs calls of one service with what is derived from the first of its keys.

    The token names caller and callee and lives a minute. The signed user is bound to the callee and to the method,
    and may be used once. Every callee is signed for with a key of its own, see `key_for`.
    """

    def __init__(self, keys: Sequence[bytes], service: str) -> None:
        self._secret = keys[0]
        self._service = service
        self._keys: dict[str, bytes] = {}
        self._tokens: dict[str, tuple[float, str]] = {}

    def token(self, callee: str) -> str:
        """Return the token for one callee; the same one for half of its life."""
        now = time.time()
        renew_at, token = self._tokens.get(callee, (0.0, ""))
        if now >= renew_at:
            token = self._make_token(callee, int(now))
            self._tokens[callee] = (now + _TOKEN_RENEWAL_SECONDS, token)
        return token

    def _make_token(self, callee: str, now: int) -> str:
        claims = {"iss": self._service, "sub": self._service, "aud": callee, "iat": now, "exp": now + _TOKEN_SECONDS}
        head = _encode(_HEADER) + "." + _encode(json.dumps(claims).encode())
        return f"{head}.{_encode(_mac(self._key(callee), head.encode()))}"

    def _key(self, callee: str) -> bytes:
        key = self._keys.get(callee)
        if key is None:
            key = self._keys[callee] = key_for(callee, self._secret)
        return key

    def user(self, callee: str, method: str, user: AuthenticatedUser) -> str:
        """Return the signed user for one call."""
        fields = (
            "v1",
            str(int(time.time())),
            os.urandom(16).hex(),
            callee,
            method,
            user.id,
            user.email or "",
            _flag(user.is_verified),
            _flag(user.is_active),
            _flag(user.is_superuser),
            ",".join(sorted(user.roles)),
            user.session_id or "",
        )
        message = "\n".join(fields).encode()
        return f"{_encode(message)}.{_encode(_mac(self._key(callee), message))}"


class CallVerifier:
    """
    Verifies what `CallSigner` signs, for one callee.

    Args:
        keys: what all services share: one in use, and those that are being replaced.
        service: the callee's own name, which both signatures must be made for.
        max_skew_seconds: how far the clocks may be apart.
        callers: in place of `keys`: who may call, each with the keys that `key_for` gives for this callee.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        service: str,
        max_skew_seconds: int = 30,
        callers: Mapping[str, Sequence[bytes]] | None = None,
    ) -> None:
        self._service = audience(service)
        self._shared = tuple(key_for(self._service, key) for key in keys)
        self._callers = {audience(name): tuple(given) for name, given in (callers or {}).items()}
        self._skew = max_skew_seconds
        self._nonces = NonceMemory(size=_NONCES, window_seconds=max_skew_seconds)
        self._believed: dict[str, tuple[str, float]] = {}

    def verify(
        self, authorization: str | None, signed_user: str | None, method: str, *, attempt: str = ""
    ) -> CallIdentity:
        """
        Return who calls.

        Args:
            authorization: `Bearer <token>`.
            signed_user: the signed user; None when the service calls for nobody.
            method: the full name of the method.
            attempt: which attempt this is, for methods that may be tried again with the same signature.

        Raises:
            UnauthenticatedError: what is missing, forged, expired, replayed or made for somebody else.
        """
        if authorization is None or not authorization.startswith("Bearer "):
            raise _refused("The call does not say which service makes it.", reason="SERVICE_TOKEN_MISSING")
        service = self._service_of(authorization[7:])
        user = None if signed_user is None else self._user(signed_user, self._keys_of(service), method, attempt)
        return CallIdentity(service, user)

    def _keys_of(self, service: str) -> tuple[bytes, ...]:
        return self._callers.get(audience(service), ()) if self._callers else self._shared

    def _service_of(self, token: str) -> str:
        believed = self._believed.get(token)
        if believed is None:
            believed = self._verify_token(token)
            if len(self._believed) >= _MAX_TOKENS_REMEMBERED:
                self._believed.clear()
            self._believed[token] = believed
        service, expires = believed
        if time.time() >= expires + _LEEWAY_SECONDS:
            self._believed.pop(token, None)
            raise _refused("The token of the calling service has expired.", reason="SERVICE_TOKEN_EXPIRED")
        return service

    def _verify_token(self, token: str) -> tuple[str, float]:
        try:
            head, _, signature = token.rpartition(".")
            header, _, body = head.partition(".")
            if len(token) > _MAX_TOKEN or _decode(header) != _HEADER:
                raise _invalid_token()
            claims = json.loads(_decode(body))
            service, callee, made, expires = claims["iss"], claims["aud"], claims["iat"], claims["exp"]
            if not _has_signed(self._keys_of(service), head.encode(), _decode(signature)):
                raise _invalid_token()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _invalid_token() from error
        is_mine = callee == self._service and service == claims.get("sub") and isinstance(service, str)
        is_short = 0 < expires - made <= _TOKEN_SECONDS and made <= time.time() + self._skew
        if not is_mine or not is_short:
            raise _invalid_token()
        return service, float(expires)

    def _user(self, signed: str, keys: tuple[bytes, ...], method: str, attempt: str) -> AuthenticatedUser:
        fields = _fields(signed, keys)
        version, made, nonce, callee, signed_method, user_id, email, verified, active, superuser, roles, session = (
            fields
        )
        if (version, callee, signed_method) != ("v1", self._service, method) or clean_user_id(user_id) is None:
            raise _invalid_user()
        self._use_once(f"{nonce}{attempt}".encode(), made)
        return AuthenticatedUser(
            id=user_id,
            email=email or None,
            is_active=active == "true",
            is_verified=verified == "true",
            is_superuser=superuser == "true",
            roles=frozenset(roles.split(",")) if roles else frozenset(),
            session_id=session or None,
            auth_method="service",
        )

    def _use_once(self, nonce: bytes, made: str) -> None:
        second, now = int(made), int(time.time())
        if abs(now - second) > self._skew or self._nonces.has_forgotten(second):
            raise _refused("The signed user has expired.", reason="USER_CONTEXT_EXPIRED")
        if not self._nonces.add(nonce, second, now):
            raise _refused("The signed user was used before.", reason="USER_CONTEXT_REPLAYED")


def key_for(callee: str, secret: bytes) -> bytes:
    """
    Return the key with which a service signs its calls of one callee, from the secret that only it knows.

    A callee that is broken into can forge calls of that service to itself, and to nobody else.
    """
    return _mac(secret, f"mysingle call v1\n{audience(callee)}".encode())


def _fields(signed: str, keys: tuple[bytes, ...]) -> list[str]:
    try:
        body, _, signature = signed.partition(".")
        message = _decode(body) if len(signed) <= _MAX_CONTEXT else b""
        if not message or not _has_signed(keys, message, _decode(signature)):
            raise _invalid_user()
        fields = message.decode().split("\n")
    except ValueError as error:
        raise _invalid_user() from error
    if len(fields) != _LINES or not fields[1].isdecimal():
        raise _invalid_user()
    return fields


def _has_signed(keys: tuple[bytes, ...], message: bytes, signature: bytes) -> bool:
    return any(hmac.compare_digest(_mac(key, message), signature) for key in keys)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _refused(message: str, *, reason: str) -> UnauthenticatedError:
    return UnauthenticatedError(message, reason=reason)


def _invalid_token() -> UnauthenticatedError:
    return UnauthenticatedError("The token of the calling service is not valid here.", reason="SERVICE_TOKEN_INVALID")


def _invalid_user() -> UnauthenticatedError:
    return UnauthenticatedError("The signed user is not valid here.", reason="USER_CONTEXT_INVALID")


_service_of_process: str | None = None


def name_service(name: str) -> None:
    """Say which service this process is; the first one to say so wins."""
    global _service_of_process
    _service_of_process = _service_of_process or name


def forget_service() -> None:
    """Forget which service this process is; for tests."""
    global _service_of_process
    _service_of_process = None


def audience(service_name: str) -> str:
    """Return the name for which calls to a service are signed: `Market_Data-service` and `market-data` are one."""
    return service_name.lower().replace("_", "-").removesuffix("-service")


class _Signing(Protocol):
    @property
    def GRPC_SERVICE_KEYS(self) -> tuple[SecretStr, ...]: ...  # noqa: N802  # the name of the setting

    @property
    def SERVICE_NAME(self) -> str | None: ...  # noqa: N802  # the name of the setting


_signers: dict[tuple[bytes, str], CallSigner] = {}


def signer_of(settings: _Signing) -> CallSigner:
    """Return the signer of this process; the first of `GRPC_SERVICE_KEYS` signs."""
    key = settings.GRPC_SERVICE_KEYS[0].get_secret_value().encode()
    name = settings.SERVICE_NAME or _service_of_process or "unnamed"
    return _signers.get((key, name)) or _signers.setdefault((key, name), CallSigner([key], name))
