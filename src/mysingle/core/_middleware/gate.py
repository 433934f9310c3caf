"""The gate: no work before the service is READY, no new connections while it drains."""

from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle._kernel.errors import UnavailableError
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle.core._middleware.exchange import exchange_of

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it before it costs anything."""
        state = self._health.state
        if state is not ServiceState.READY and scope["type"] != "lifespan":
            if state in _CLOSED:
                raise UnavailableError(
                    f"The service is {state.value}.", reason=f"SERVICE_{state.name}", retry_after_seconds=1
                )
            exchange_of(scope).closes_connection = state is ServiceState.DRAINING
        await self.app(scope, receive, send)
