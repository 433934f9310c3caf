"""The auth slot of the stack: who is calling, or a refusal. Plain ASGI, for HTTP and WebSocket alike."""

from collections.abc import Awaitable, Callable, Iterable

from mysingle._kernel import context
from mysingle._kernel.asgi import App, Message, Receive, Scope, Send, route_path
from mysingle._kernel.errors import InvalidArgumentError, MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.problems import problem_messages, to_problem
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._headers import IdentityHeaders, collect, parse, without_identity
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

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """
        Identify the caller, then go on inside; never go on after a failure.

        The context is set and not reset: the context layer around this one resets it, and without that layer the
        next request of the same task sets it again.
        """
        if scope["type"] not in ("http", "websocket"):
            return self.app(scope, receive, send)
        state = scope.setdefault("state", {})
        state["user"] = None
        if _is_preflight(scope):
            return _answer_preflight(send)
        user = None
        try:
            state["user"] = user = self._identify(scope)
        except MySingleError as error:
            self._on_refused(error.reason)
            return self._refuse(error, scope, send)
        finally:
            around = context.current_context()
            if user is not around.user:
                context.enter(context.with_user(around, user))
        is_bypass = user is not None and user.auth_method == "bypass"
        return self.app(scope, receive, _with_bypass_header(send) if is_bypass else send)

    def _identify(self, scope: Scope) -> AuthenticatedUser | None:
        policy = self.policy
        headers = collect(scope)
        if headers.is_present and not (policy.reads_identity_headers and policy.trusts_headers):
            scope["headers"] = without_identity(scope["headers"])
        if policy.is_public(route_path(scope)):
            user = self._optional_user(headers)
            if user is None and headers.is_present:
                scope["headers"] = without_identity(scope["headers"])
            return user
        if headers.is_present and policy.reads_identity_headers:
            return _active(self._user_from(headers))
        if policy.bypass_user is not None and not headers.is_present and not headers.has_authorization:
            return policy.bypass_user
        raise unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")

    def _optional_user(self, headers: IdentityHeaders) -> AuthenticatedUser | None:
        """On a public path a caller may be known; headers that nobody vouches for simply do not count."""
        policy = self.policy
        if headers.is_anonymous or not (policy.reads_identity_headers and policy.trusts_headers):
            return None
        try:
            user = self._parse(headers)
        except InvalidArgumentError:
            return None
        return user if user is not None and user.is_active else None

    def _user_from(self, headers: IdentityHeaders) -> AuthenticatedUser:
        if not self.policy.trusts_headers:
            raise unauthenticated(*missing_proof(self.policy))
        user = self._parse(headers)
        if user is None or headers.is_anonymous:
            raise unauthenticated(AuthReason.AUTH_REQUIRED, "Authentication is required.")
        return user

    def _parse(self, headers: IdentityHeaders) -> AuthenticatedUser | None:
        try:
            if not headers.is_ambiguous:
                return parse(headers.values, self.policy.assumes_verified)
        except ValueError:
            pass
        message = "The gateway sent an identity header that is repeated or ill-formed."
        raise InvalidArgumentError(message, reason=AuthReason.GATEWAY_HEADER_MALFORMED)

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
