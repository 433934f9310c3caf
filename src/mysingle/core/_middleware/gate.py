"""The gate: no work before the service is READY, no new connections while it drains."""

from collections.abc import Awaitable

from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle.core._middleware.exchange import Exchange, exchange_of

__all__ = ["GateMiddleware"]

_CLOSED = frozenset({ServiceState.STARTING, ServiceState.STOPPED})


class GateMiddleware:
    """
    Answers 503 while the service starts or has stopped.

    While it drains everything is served, but each answer closes its connection, so that clients move on.
    An app whose lifespan nobody runs (a bare test client) is let through.
    """

    def __init__(self, app: App, *, health: HealthRegistry) -> None:
        self.app = app
        self._health = health

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let the request in, or refuse it before it costs anything."""
        if self._health.state is not ServiceState.READY and scope["type"] != "lifespan":
            self._judge(self._health.state, exchange_of(scope))
        return self.app(scope, receive, send)

    def _judge(self, state: ServiceState, exchange: Exchange) -> None:
        if state in _CLOSED:
            reason = f"SERVICE_{state.name}"
            raise UnavailableError(f"The service is {state.value}.", reason=reason, retry_after_seconds=1)
        exchange.closes_connection = state is ServiceState.DRAINING
