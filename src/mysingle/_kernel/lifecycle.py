"""What a service opens and closes: resources, in order, each end bounded in time."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

__all__ = ["Resource", "ResourceStack", "hold_shared_resources", "share", "shared_resources"]


@runtime_checkable
class Resource(Protocol):
    """Something with a life: a connection pool, a gRPC server, a worker."""

    name: str

    async def open(self) -> None:
        """Make it usable, or raise."""

    async def close(self) -> None:
        """Release everything. Called once after a successful or interrupted `open`; must not hang."""

    async def ping(self) -> None:
        """Raise when it is not usable right now."""


class ResourceStack:
    """
    Opens resources in order and closes them in reverse.

    When one fails to open, those before it are closed before the error goes on. When several fail to close,
    all are closed and the errors are raised together as an `ExceptionGroup`.
    """

    def __init__(self, resources: Iterable[Resource], close_timeout_seconds: float = 3.0) -> None:
        self.resources = tuple(resources)
        self._close_timeout_seconds = close_timeout_seconds
        self._opened: list[Resource] = []

    async def open(self) -> None:
        """Open all, or none."""
        for resource in self.resources:
            self._opened.append(resource)
            try:
                await resource.open()
            except BaseException as error:
                await self._close_after(error)
                raise

    async def close(self) -> None:
        """Close what is open, last opened first."""
        errors = await self._close_all()
        if errors:
            raise ExceptionGroup("Some resources did not close cleanly", errors)

    async def _close_after(self, error: BaseException) -> None:
        for failure in await self._close_all():
            error.add_note(f"While closing after this error: {failure!r}")

    async def _close_all(self) -> list[Exception]:
        opened, self._opened = self._opened, []
        return await close_in_reverse(opened, self._close_timeout_seconds)


async def close_in_reverse(resources: Sequence[Resource], timeout_seconds: float = 3.0) -> list[Exception]:
    """
    Close every resource, last one first, each within its time, and return what went wrong.

    A resource that finishes work for others may have a `close_timeout_seconds` of its own.
    """
    errors: list[Exception] = []
    for resource in reversed(resources):
        try:
            async with asyncio.timeout(getattr(resource, "close_timeout_seconds", timeout_seconds)):
                await resource.close()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            errors.append(RuntimeError(f"resource {resource.name}: its close was cancelled"))
            errors[-1].__cause__ = error
        except Exception as error:
            error.add_note(f"resource: {resource.name}")
            errors.append(error)
    return errors


_shared: dict[str, Resource] = {}
_holders = 0


def share(resource: Resource) -> None:
    """
    Make a process-wide resource known, so that the running apps watch and close it.

    A package calls this when it makes its one manager (the Redis pools, the gRPC channels). A resource that is
    closed must open itself again on the next use. Sharing the same name again replaces the former one.
    """
    _shared[resource.name] = resource


def shared_resources() -> tuple[Resource, ...]:
    """Return what is shared so far, in the order in which it was made."""
    return tuple(_shared.values())


@asynccontextmanager
async def hold_shared_resources() -> AsyncIterator[None]:
    """Keep the shared resources open; when the last holder leaves, they are closed in reverse order."""
    global _holders
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        if _holders == 0:
            errors = await close_in_reverse(shared_resources())
            if errors:
                raise ExceptionGroup("Some shared resources did not close cleanly", errors)
