"""The auth slot of the stack: who is calling, or a refusal. Plain ASGI, for HTTP and WebSocket alike."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from mysingle._kernel import context
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, header_map, route_path
from mysingle._kernel.errors import ErrorCode, MySingleError, translate
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.logging import get_logger
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.auth._backends import Identity, IdentityBackend, PendingToken, make_gateway_identity, no_caller
from mysingle.auth._headers import AUTHORIZATION, IdentityHeaders, collect, without_identity
from mysingle.auth._policy import make_policy
from mysingle.auth._proof import AuthEvidence
from mysingle.auth._revocation import RevocationCheck, RevokedSessions
from mysingle.auth.errors import AuthReason, AuthUnavailableError, forbidden, unauthenticated

__all__ = ["AuthMiddleware", "ServiceDescription"]

_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013
_ANSWERS = frozenset(
    {
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.PERMISSION_DENIED,
        ErrorCode.INVALID_ARGUMENT,
        ErrorCode.RESOURCE_EXHAUSTED,
        ErrorCode.UNAVAILABLE,
    }
)
"""What a caller may hear of an attempt to identify it; anything else that goes wrong is a 503."""

log = get_logger("mysingle.auth")


class ServiceDescription(Protocol):
    """What the middleware has to know of a service; a `ServiceConfig` says it all."""

    @property
    def service_name(self) -> str:
        """The `domain` of the problem documents, and the name that the gateway signs."""

    @property
    def is_gateway_downstream(self) -> bool:
        """Whether identity comes from the gateway; False for IAM, which never reads identity headers."""

    @property
    def public_paths(self) -> tuple[str, ...]:
        """Exact paths, or `/segment/*`; there the caller is optional."""


@dataclass(frozen=True, slots=True)
class _AnyService:
    """A service of which nothing is said."""

    service_name: str = "service"
    is_gateway_downstream: bool = True
    public_paths: tuple[str, ...] = ()


class AuthMiddleware:
    """
    Sets `request.state.user` to an `AuthenticatedUser`, or answers 401, 403, 400 or 503 with a problem document.

    `request.state.auth` says why the caller is believed, an `AuthEvidence`, and is None without a caller.

    `create_fastapi_app` adds it by itself. To an app that you assemble yourself:
    `app.add_middleware(AuthMiddleware, service_config=config)`.

    Args:
        app: the application inside.
        service_config: the name, type and public paths of the service.
        settings: decides trust and bypass, once, here; those of the process when not given.
        service_name, is_gateway_downstream: instead of what `service_config` says.
        public_paths: beside those of `service_config` and of the settings.
        on_refused: called with the reason of every refusal, for a metric.
        backend: who is calling, for IAM; without one an IAM service knows nobody.
        revocation: where ended sessions are noted; asked when AUTH_REVOCATION_CHECK says so.
        clock: Unix time.
    """

    def __init__(
        self,
        app: App,
        service_config: ServiceDescription | None = None,
        *,
        settings: CommonSettings | None = None,
        service_name: str | None = None,
        is_gateway_downstream: bool | None = None,
        public_paths: Iterable[str] = (),
        on_refused: Callable[[str], None] = lambda reason: None,
        backend: IdentityBackend | None = None,
        revocation: RevocationCheck | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        service = service_config or _AnyService()
        settings = settings or get_settings()
        is_downstream = service.is_gateway_downstream if is_gateway_downstream is None else is_gateway_downstream
        paths = (*service.public_paths, *public_paths)
        self.app = app
        self.policy = make_policy(settings, is_gateway_downstream=is_downstream, public_paths=paths)
        self.auth_bypass = self.policy.bypass_user is not None
        self._service_name = service_name or service.service_name
        self._gateway = make_gateway_identity(settings, self.policy, self._service_name, clock)
        self._backend = backend
        self._revoked = _revoked_sessions(settings, revocation) if is_downstream else None
        self._on_refused = on_refused

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """
        Identify the caller, then go on inside; never go on after a failure.

        Only what has to wait becomes a coroutine of its own: a token that is new, a backend. The context is set and
        not reset: the context layer around this one resets it, and without that layer the next request of the same
        task sets it again.
        """
        if scope["type"] not in ("http", "websocket"):
            return self.app(scope, receive, send)
        state = scope.setdefault("state", {})
        state["user"] = state["auth"] = None
        if _is_preflight(scope):
            return _answer_preflight(send)
        is_public = self.policy.is_public(route_path(scope))
        headers = collect(scope, self._gateway.watched)
        try:
            found = self._identify(scope, headers, is_public)
        except Exception as error:
            return self._leave(error, headers, is_public, scope, receive, send)
        if found is None or isinstance(found, Identity):
            return self._enter(found, headers, scope, receive, send)
        return self._wait(found, headers, is_public, scope, receive, send)

    async def _wait(
        self,
        work: Awaitable[Identity | None],
        headers: IdentityHeaders,
        is_public: bool,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        try:
            found = await work
        except Exception as error:
            await self._leave(error, headers, is_public, scope, receive, send)
            return
        await self._enter(found, headers, scope, receive, send)

    def _identify(
        self, scope: Scope, headers: IdentityHeaders, is_public: bool
    ) -> Identity | Awaitable[Identity | None] | None:
        """Return the caller, None for nobody on a public path, or the work that has to be waited for."""
        if self._backend is not None and not self.policy.reads_identity_headers:
            return self._ask(self._backend, scope, headers, is_public)
        if not self.policy.reads_identity_headers or not self._gateway.can_identify(headers):
            return None if is_public else self._without_credentials(headers)
        found = self._gateway.identify(scope, headers)
        return self._verify(found) if isinstance(found, PendingToken) else self._judge(found)

    async def _ask(
        self, backend: IdentityBackend, scope: Scope, headers: IdentityHeaders, is_public: bool
    ) -> Identity | None:
        if AUTHORIZATION in headers.repeated:
            raise unauthenticated(AuthReason.TOKEN_INVALID, "The access token is not valid.")
        if headers.is_present:
            scope["headers"] = without_identity(scope["headers"])
        user = await backend.identify(scope, header_map(scope))
        if user is None:
            return None if is_public else self._without_credentials(headers)
        return Identity(_active(user), AuthEvidence("token"))

    async def _verify(self, pending: PendingToken) -> Identity:
        found = self._judge(await self._gateway.verify(pending))
        return found if isinstance(found, Identity) else await found

    def _judge(self, found: Identity) -> Identity | Awaitable[Identity]:
        session_id = _active(found.user).session_id
        if self._revoked is None or session_id is None:
            return found
        has_ended = self._revoked.recall(session_id)
        if has_ended is None:
            return self._check_session(self._revoked, found, session_id)
        return _of_session(found, has_ended=has_ended)

    async def _check_session(self, revoked: RevokedSessions, found: Identity, session_id: str) -> Identity:
        return _of_session(found, has_ended=await revoked.is_revoked(session_id))

    def _without_credentials(self, headers: IdentityHeaders) -> Identity:
        """Return the test user of the bypass to a request that says nothing at all about its caller."""
        if self.policy.bypass_user is None or headers.is_present or headers.has_authorization:
            raise no_caller()
        return Identity(self.policy.bypass_user, AuthEvidence("bypass"))

    def _enter(
        self, found: Identity | None, headers: IdentityHeaders, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        """Go on inside, where no handler can read a header of identity that nobody vouches for."""
        user, evidence = found or (None, None)
        scope["state"]["user"], scope["state"]["auth"] = user, evidence
        if headers.is_present and (evidence is None or evidence.method != "gateway"):
            scope["headers"] = without_identity(scope["headers"])
        if evidence is not None and evidence.method == "bypass":
            send = _with_bypass_header(send)
        _speak_as(user)
        return self.app(scope, receive, send)

    def _leave(
        self,
        error: Exception,
        headers: IdentityHeaders,
        is_public: bool,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> Awaitable[None]:
        """Answer a request whose caller is not known; on a public path it is simply nobody."""
        refusal = _as_refusal(error)
        if is_public:
            return self._enter(None, headers, scope, receive, send)
        _speak_as(None)
        self._on_refused(refusal.reason)
        return self._refuse(refusal, scope, send)

    async def _refuse(self, error: MySingleError, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            code = _TRY_AGAIN_LATER if error.code is ErrorCode.UNAVAILABLE else _POLICY_VIOLATION
            await send({"type": "websocket.close", "code": code, "reason": error.reason})
            return
        correlation_id = context.current_context().correlation_id
        for message in problem_messages(to_problem(error), scope["path"], correlation_id, self._service_name):
            await send(message)


def _revoked_sessions(settings: CommonSettings, check: RevocationCheck | None) -> RevokedSessions | None:
    if settings.AUTH_REVOCATION_CHECK == "off":
        return None
    if check is None:
        log.warning("auth.revocation.unavailable", error="this app was given no store of ended sessions")
        return None
    return RevokedSessions(check)


def _as_refusal(error: Exception) -> MySingleError:
    """Turn whatever went wrong into an answer that lets nobody in; what nobody expected is told in the log."""
    known = translate(error)
    if known is not None and known.code in _ANSWERS:
        return known
    log.error("auth.failed", exc_info=error)
    return AuthUnavailableError()


def _active(user: AuthenticatedUser) -> AuthenticatedUser:
    if not user.is_active:
        raise forbidden(AuthReason.USER_INACTIVE, "This account is not active.")
    return user


def _of_session(found: Identity, *, has_ended: bool) -> Identity:
    if has_ended:
        raise unauthenticated(AuthReason.SESSION_REVOKED, "This session has ended.")
    return found


def _speak_as(user: AuthenticatedUser | None) -> None:
    around = context.current_context()
    if user is not around.user:
        context.enter(context.with_user(around, user))


async def _answer_preflight(send: Send) -> None:
    """
    Answer without running anything, and without allowing anything.

    The CORS layer stands outside and has answered the preflights of the origins that it knows.
    """
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def _is_preflight(scope: Scope) -> bool:
    return scope.get("method") == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def _with_bypass_header(send: Send) -> Send:
    def send_marked(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-auth-bypass", b"1")]
        return send(message)

    return send_marked
