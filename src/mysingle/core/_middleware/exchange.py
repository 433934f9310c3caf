"""What the layers of the stack tell each other about one request."""

from collections.abc import MutableMapping
from typing import Any

from mysingle._kernel.asgi import Scope

__all__ = ["Exchange", "exchange_of"]

_KEY = "mysingle.exchange"


class Exchange:
    """
    The answer to one request, as far as it has come; one `send` wrapper keeps it, all layers read it.

    `awaits_body`: a piece of the body is being waited for. `is_overdue`: the time limit has cancelled the request.
    `is_deserted`: the client has left, and that has cancelled the request.
    `is_over`: nothing runs for it any more. `is_abandoned`: the client has been answered although something still runs.
    """

    __slots__ = (
        "awaits_body",
        "closes_connection",
        "error_type",
        "is_abandoned",
        "is_deserted",
        "is_over",
        "is_overdue",
        "status",
        "watched_in",
    )

    def __init__(self) -> None:
        self.status = 0
        self.error_type = ""
        self.closes_connection = False
        self.awaits_body = False
        self.is_abandoned = False
        self.is_deserted = False
        self.is_over = False
        self.is_overdue = False
        self.watched_in: MutableMapping[Exchange, Any] | None = None

    def end(self) -> None:
        """Note that nothing runs for the request any more."""
        self.is_over = True
        if self.watched_in is not None:
            self.watched_in.pop(self, None)

    @property
    def has_started(self) -> bool:
        """Whether the status line is on its way, so that nothing else can be answered."""
        return self.status != 0


def put_exchange(scope: Scope) -> Exchange:
    """Begin the exchange of a request."""
    exchange = scope[_KEY] = Exchange()
    return exchange


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange of a request; a new one where the context layer is not in the stack."""
    exchange: Exchange | None = scope.get(_KEY)
    return put_exchange(scope) if exchange is None else exchange
