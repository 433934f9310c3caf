"""The client of a service: cheap to make, one for each request."""

from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mysingle._kernel.call_identity import CallSigner, clean_user_id, signer_of
from mysingle._kernel.context import current_context
from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.propagation import (
    CORRELATION_HEADERS,
    METADATA_CORRELATION_ID,
    METADATA_REQUEST_ID,
    METADATA_USER_ID,
    clean_id,
    new_id,
)
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.clients._channel import CallSettings, ServiceChannel, clean_timeout
from mysingle.clients._discovery import resolve
from mysingle.clients._policy import ClientPolicy
from mysingle.clients._pool import Endpoint
from mysingle.grpc import TlsFiles

__all__ = ["BaseGrpcClient"]

_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
_HEALTH_TIMEOUT_SECONDS = 2.0


class BaseGrpcClient:
    """
    Calls one service; subclass it and make your stub from `self.channel`.

    Every call through that stub carries user, correlation id and trace, has a deadline, is measured, and is tried
    again when its proto says that this is harmless. Channels are pooled: an object costs next to nothing.

    Args:
        service_name: for example `my-service`; `MY_SERVICE_GRPC_HOST` says where it is.
        default_port: when the address has none.
        host: `host`, `host:port` or a target of gRPC, in place of the environment.
        user_id: the user for whom it calls; without it that of `request`, then that of the running request.
        correlation_id: likewise; a new one when there is none at all.
        request: a request of FastAPI or Starlette.
        timeout: seconds for each call, `GRPC_DEFAULT_TIMEOUT_SECONDS` when not given; never more than the running
            request has left.
        use_tls: in place of `GRPC_USE_TLS`.
        options: `policy=ClientPolicy(...)`, `ca_file`, `cert_file`, `key_file`.

    Raises:
        DiscoveryError: an address that cannot be used. PolicyError: a policy that cannot be used.
        InvalidArgumentError: a user id or a timeout that is none, or an option that does not exist.
    """

    def __init__(
        self,
        service_name: str,
        default_port: int,
        host: str | None = None,
        user_id: str | None = None,
        correlation_id: str | None = None,
        request: Any = None,
        timeout: float | None = None,
        use_tls: bool | None = None,
        **options: Any,
    ) -> None:
        settings = get_settings()
        self.service_name = service_name
        self.timeout = clean_timeout(settings.GRPC_DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout)
        self._user = _user(user_id, request)
        self.correlation_id = _correlation_id(correlation_id, request)
        policy, tls = _options(options, settings, use_tls)
        address = resolve(service_name, default_port, host, lambda: settings.is_development or settings.is_relaxed)
        self.address = str(address)
        self.metadata = self._make_metadata()
        self.channel = ServiceChannel(
            Endpoint(address, policy, tls),
            lambda: policy if policy is not None else ClientPolicy.from_settings(settings),
            self._call_settings(settings),
        )

    @property
    def user_id(self) -> str | None:
        """The user for whom it calls."""
        return self._user.id if self._user else None

    def _make_metadata(self) -> tuple[tuple[str, str], ...]:
        pairs = (
            (METADATA_USER_ID, self.user_id),
            (METADATA_CORRELATION_ID, self.correlation_id),
            (METADATA_REQUEST_ID, current_context().request_id),
        )
        return tuple((name, value) for name, value in pairs if value)

    def _call_settings(self, settings: CommonSettings) -> CallSettings:
        signer: CallSigner | None = signer_of(settings) if settings.GRPC_SERVICE_KEYS else None
        return CallSettings(
            self.service_name,
            self.timeout,
            settings.GRPC_DEADLINE_RESERVE_SECONDS,
            settings.GRPC_DEADLINE_MINIMUM_SECONDS,
            self.metadata,
            self._user,
            signer,
        )

    async def check_health(self) -> bool:
        """Tell whether the service says that it is serving; False also when it does not answer."""
        from grpc.aio import AioRpcError

        check = self.channel.pooled("").native.unary_unary(_HEALTH_CHECK)
        try:
            return bool(await check(b"", timeout=min(self.timeout, _HEALTH_TIMEOUT_SECONDS)) == _SERVING)
        except AioRpcError:
            return False

    async def close(self) -> None:
        """Release it. The channel stays for the next one; the pool closes it at the end of the service."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _user(user_id: str | None, request: Any) -> AuthenticatedUser | None:
    """Return the caller: the value that is known of them, when it is the one that is asked for."""
    known = getattr(getattr(request, "state", None), "user", None)
    if not isinstance(known, AuthenticatedUser):
        known = current_context().user
    if user_id is None:
        return known
    clean = clean_user_id(str(user_id))
    if clean is None:
        message = f"user_id {str(user_id)[:64]!r} is no user id: 24 hexadecimal digits"
        raise InvalidArgumentError(message, reason="USER_ID_INVALID")
    return known if known is not None and known.id == clean else _of_id(clean)


@lru_cache(maxsize=4096)
def _of_id(user_id: str) -> AuthenticatedUser:
    """Return the value for a user of whom nothing else is known; one for all calls, since it never changes."""
    return AuthenticatedUser(id=user_id)


def _correlation_id(given: str | None, request: Any) -> str:
    headers = getattr(request, "headers", None)
    sent = next((headers[name] for name in CORRELATION_HEADERS if name in headers), None) if headers else None
    for candidate in (given, sent, current_context().correlation_id):
        clean = clean_id(candidate.encode("utf-8", "replace")) if candidate else None
        if clean is not None:
            return clean
    return new_id()


def _options(
    options: dict[str, Any], settings: CommonSettings, use_tls: bool | None
) -> tuple[ClientPolicy | None, TlsFiles | None]:
    wants_tls = settings.GRPC_USE_TLS if use_tls is None else use_tls
    if not options and not wants_tls:
        return None, None
    policy = options.pop("policy", None)
    names = {"ca_file": "GRPC_TLS_CA_FILE", "cert_file": "GRPC_TLS_CERT_FILE", "key_file": "GRPC_TLS_KEY_FILE"}
    paths = [options.pop(name, None) or getattr(settings, setting) for name, setting in names.items()]
    if options:
        known = ", ".join(("policy", *names))
        message = f"no such option: {', '.join(sorted(options))}; there are {known}"
        raise InvalidArgumentError(message, reason="CLIENT_OPTION")
    if not wants_tls:
        return policy, None
    return policy, TlsFiles(*(Path(path) if path is not None else None for path in paths))
