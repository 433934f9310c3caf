"""The audit layer: who did what, with which result, handed over after the call."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from mysingle._kernel.asgi import App, Receive, Scope, Send
from mysingle._kernel.context import current_context
from mysingle.core._middleware.exchange import exchange_of
from mysingle.core._middleware.observe import route_template
from mysingle.core.audit import AuditRecord

__all__ = ["AuditMiddleware"]


class AuditMiddleware:
    """Makes one record a request; `accept` must not wait."""

    def __init__(self, app: App, *, accept: Callable[[AuditRecord], None], service_name: str) -> None:
        self.app = app
        self._accept = accept
        self._service_name = service_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the call, then record it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            self._accept(self._record(scope, time.perf_counter() - started))

    def _record(self, scope: Scope, seconds: float) -> AuditRecord:
        client = scope.get("client")
        context = current_context()
        user = context.user
        return AuditRecord(
            at=datetime.now(UTC),
            service=self._service_name,
            user_id=user.id if user else None,
            auth_method=user.auth_method if user else None,
            method=scope["method"],
            route=route_template(scope),
            path=scope["path"][:512],
            status=exchange_of(scope).status,
            duration_seconds=round(seconds, 6),
            client_address=client[0] if client else None,
            correlation_id=context.correlation_id,
            trace_id=context.trace_id,
        )
