"""The auth slot of the stack: who is calling, or a refusal. Plain ASGI, for HTTP and WebSocket alike."""

from collections.abc import Callable, Iterable

from mysingle._kernel import context
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, route_path
from mysingle._kernel.errors import InvalidArgumentError, MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._headers import IdentityHeaders, collect, is_malformed, parse, without_identity
from mysingle.auth._policy import make_policy, missing_proof
from mysingle.auth.errors import AuthReason, forbidden, unauthenticated

__all__ = ["AuthMiddleware"]

_POLICY_VIOLATION = 1008


class AuthMiddleware:
    """
    Sets `request.state.user` to an `AuthenticatedUser`, or answers 401, 403 or 400 with a problem document.

    Args:
        app: the application inside.
        settings: decides trust and bypass, once, here.
        service_name: the `domain` of the problem documents.
        is_gateway_downstream: False for IAM, which never reads identity headers.
        public_paths: exact paths, or `/segment/*`; there the caller is optional.
        on_refused: called with the reason of every refusal, for a metric.
    """

    def __init__(
        self,
        app: App,
        *,
        settings: CommonSettings,
        service_name: str = "service",
        is_gateway_downstream: bool = True,
        public_paths: Iterable[str] = (),
        on_refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.app = app
        self.policy = make_policy(settings, is_gateway_downstream=is_gateway_downstream, public_paths=public_paths)
        self.auth_bypass = self.policy.bypass_user is not None
        self._service_name = service_name
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify the caller, then go on inside; never go on after a failure."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["user"] = None
        try:
            user = self._identify(scope)
        except MySingleError as error:
            self._on_refused(error.reason)
            await self._refuse(error, scope, send)
            return
        if user is None:
            await self.app(scope, receive, send)
            return
        state["user"] = user
        if user.auth_method == "bypass":
            send = _with_bypass_header(send)
        token = context.enter(context.with_user(context.current_context(), user))
        try:
            await self.app(scope, receive, send)
        finally:
            context.leave(token)

    def _identify(self, scope: Scope) -> AuthenticatedUser | None:
        policy = self.policy
        headers = collect(scope["headers"])
        if headers.pairs and not (policy.reads_identity_headers and policy.trusts_headers):
            scope["headers"] = without_identity(scope["headers"])
        if policy.is_public(route_path(scope)):
            return self._optional_user(headers)
        if _is_preflight(scope):
            return None
        if headers.pairs and policy.reads_identity_headers:
            return _active(self._user_from(headers))
        if policy.bypass_user is not None and not headers.pairs and not headers.has_authorization:
            return policy.bypass_user
        raise unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")

    def _optional_user(self, headers: IdentityHeaders) -> AuthenticatedUser | None:
        """On a public path a caller may be known; headers that nobody vouches for simply do not count."""
        policy = self.policy
        believed = policy.reads_identity_headers and policy.trusts_headers
        if not believed or is_malformed(headers.pairs) or headers.is_anonymous:
            return None
        user = parse(headers.pairs, policy.assumes_verified)
        return user if user is not None and user.is_active else None

    def _user_from(self, headers: IdentityHeaders) -> AuthenticatedUser:
        if not self.policy.trusts_headers:
            raise unauthenticated(*missing_proof(self.policy))
        if is_malformed(headers.pairs):
            raise InvalidArgumentError(
                "The gateway sent an identity header that is duplicated or ill-formed.",
                reason=AuthReason.GATEWAY_HEADER_MALFORMED,
            )
        user = parse(headers.pairs, self.policy.assumes_verified)
        if user is None or headers.is_anonymous:
            raise unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")
        return user

    async def _refuse(self, error: MySingleError, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.reason})
            return
        correlation_id = context.current_context().correlation_id
        for message in problem_messages(to_problem(error), scope["path"], correlation_id, self._service_name):
            await send(message)


def _active(user: AuthenticatedUser) -> AuthenticatedUser:
    if not user.is_active:
        raise forbidden(AuthReason.USER_INACTIVE, "This account is not active.")
    return user


def _is_preflight(scope: Scope) -> bool:
    return scope.get("method") == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def _with_bypass_header(send: Send) -> Send:
    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-auth-bypass", b"1")]
        await send(message)

    return send_marked
