"""A message as the worker's main process has it: refused there, before anything that it says is done."""

from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.request import Request

from mysingle._kernel.context import use_context
from mysingle._kernel.errors import UnauthenticatedError

__all__ = ["SealedRequest"]


class SealedRequest(Request):  # type: ignore[misc]  # Celery brings no types
    """
    A task that this service has sent.

    A task that only fails in its own process comes too late: a failure, a time limit and an expiry send what the
    message names for that case, signed by this worker.

    Raises:
        InvalidTaskError: it was sent by somebody else, or is no message of Celery; Celery throws it away.
    """

    def __init__(self, message: Any, **options: Any) -> None:
        try:
            super().__init__(message, **options)
            _require_form(self.id, self._payload[2])
            self._sender = self.task.app.context_of_message(self.task, self._context, self._payload[2])
            _require_limits(*self._request_dict.get("timelimit") or (None, None))
        except UnauthenticatedError as error:
            self.task.backend.mark_as_failure(self.id, error, call_errbacks=False)
            raise InvalidTaskError(str(error)) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidTaskError(f"it is no message of Celery ({type(error).__name__})") from None

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """Send what follows a failure in the action of the task."""
        with use_context(self._sender):
            return super().on_failure(*args, **kwargs)

    def on_timeout(self, *args: Any, **kwargs: Any) -> Any:
        """Send what follows a killed process in the action of the task."""
        with use_context(self._sender):
            return super().on_timeout(*args, **kwargs)


def _require_form(task_id: Any, embedded: Any) -> None:
    if not isinstance(task_id, str) or not isinstance(embedded, dict):
        raise TypeError("a message has an id, and an object that says what follows the task")


def _require_limits(*seconds: Any) -> None:
    if len(seconds) != 2 or not all(limit is None or isinstance(limit, int | float) for limit in seconds):
        raise TypeError("a message has two time limits")
