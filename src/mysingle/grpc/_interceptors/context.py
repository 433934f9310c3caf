"""The context layer: metadata in, and a `RequestContext` around everything inside."""

import time

from mysingle._kernel import context, propagation
from mysingle.grpc._around import ServerCall

__all__ = ["ContextLayer"]

_LONG_SECONDS = 86_400.0 * 365


class ContextLayer:
    """
    Reads ids, trace and deadline; the missing and the ill-formed id is replaced once.

    It is never left: the task of a call is its own, and ends with it.
    """

    def enter(self, call: ServerCall) -> None:
        """Enter the context."""
        native, metadata = call.native, call.metadata
        left = native.time_remaining()
        deadline = None if left is None or left > _LONG_SECONDS else time.monotonic() + left
        call.context = request = propagation.from_rpc(metadata, deadline)
        context.enter(request)
        attempts = metadata.get(propagation.METADATA_PREVIOUS_ATTEMPTS)
        if attempts is not None and attempts.isdecimal():
            call.previous_attempts = int(attempts[:2])
            native.set_trailing_metadata(((propagation.METADATA_PREVIOUS_ATTEMPTS, attempts[:2]),))
