"""Calls that were never made: they end like any other call, with a status and its details."""

from collections.abc import Callable, Generator
from typing import Any, NoReturn

import grpc
from mysingle._kernel.errors import MySingleError
from mysingle.grpc import to_status

__all__ = ["RefusedCall"]


class RefusedCall:
    """Stands in for a call of any kind; awaiting, reading and writing it raises `AioRpcError`."""

    def __init__(self, error: MySingleError, domain: str, correlation_id: str | None) -> None:
        status = to_status(error, domain, correlation_id)
        self._trailers = grpc.aio.Metadata(*status.trailers)
        self._error = grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), self._trailers, status.message)

    def _fail(self) -> NoReturn:
        raise self._error

    def __await__(self) -> Generator[Any, None, NoReturn]:
        self._fail()
        yield

    def __aiter__(self) -> "RefusedCall":
        return self

    async def __anext__(self) -> NoReturn:
        self._fail()

    async def read(self) -> NoReturn:
        """Raise."""
        self._fail()

    async def write(self, request: object) -> NoReturn:
        """Raise."""
        self._fail()

    async def done_writing(self) -> None:
        """Do nothing: there is nobody to tell."""

    async def wait_for_connection(self) -> NoReturn:
        """Raise."""
        self._fail()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call it now."""
        callback(self)

    def cancel(self) -> bool:
        """Tell that it has ended already."""
        return False

    def cancelled(self) -> bool:
        """Tell that nobody cancelled it."""
        return False

    def done(self) -> bool:
        """Tell that it has ended."""
        return True

    def time_remaining(self) -> float | None:
        """Return nothing: it has no deadline."""
        return None

    async def initial_metadata(self) -> Any:
        """Return nothing: nobody has sent any."""
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> Any:
        """Return the details of the status."""
        return self._trailers

    async def code(self) -> Any:
        """Return the status code."""
        return self._error.code()

    async def details(self) -> str:
        """Return the message."""
        return str(self._error.details())
