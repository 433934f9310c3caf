"""The idempotency layer: a call that comes twice with one key runs once, and both get the same end."""

import hashlib
from collections.abc import Awaitable, Callable

import grpc
from mysingle._kernel.errors import AlreadyExistsError, ErrorCode, InvalidArgumentError, MySingleError, translate
from mysingle._kernel.once import Claim, IdempotencyStore, Once, record_name
from mysingle._kernel.propagation import METADATA_IDEMPOTENCY_KEY, clean_id
from mysingle.grpc._around import ServerCall
from mysingle.grpc._interceptors.errors import code_name
from mysingle.grpc._status import error_of_call, error_of_status, packed_error, unpacked_error

__all__ = ["IdempotentCalls", "UnaryHandler"]

_REPLY, _ERROR = b"\x01", b"\x02"
_AGAIN = frozenset({ErrorCode.UNAVAILABLE, ErrorCode.RESOURCE_EXHAUSTED, ErrorCode.ABORTED})

UnaryHandler = Callable[[ServerCall, bytes], Awaitable[bytes]]


class IdempotentCalls:
    """
    Wraps unary handlers; calls without an `idempotency-key` pass.

    An error is kept like a reply, unless it says that trying again makes sense: then the key is free again.
    """

    def __init__(self, store: IdempotencyStore, service_name: str) -> None:
        self._once = Once(store)
        self._service_name = service_name

    def wrap(self, handler: UnaryHandler) -> UnaryHandler:
        """Return the handler that runs once for each key."""

        async def once(call: ServerCall, request: bytes) -> bytes:
            key = call.metadata.get(METADATA_IDEMPOTENCY_KEY)
            return await (handler(call, request) if key is None else self._run(str(key), handler, call, request))

        return once

    async def _run(self, key: str, handler: UnaryHandler, call: ServerCall, request: bytes) -> bytes:
        if clean_id(key.encode("utf-8", "replace")) is None:
            raise InvalidArgumentError("The idempotency key is ill-formed.", reason="IDEMPOTENCY_KEY_INVALID")
        name = record_name(self._service_name, call.context.user_id, key.encode())
        claim = await self._once.claim(name, hashlib.sha256(call.method.name.encode() + b"\n" + request).digest())
        if claim.state == "done":
            return _unpack(claim.reply)
        async with self._once.kept_alive(name, claim):
            return await self._run_first(name, claim, handler, call, request)

    async def _run_first(
        self, name: str, claim: Claim, handler: UnaryHandler, call: ServerCall, request: bytes
    ) -> bytes:
        try:
            reply = await handler(call, request)
        except Exception as error:
            known = _known(error, call)
            if known.code in _AGAIN:
                await self._once.release(name, claim)
            else:
                await self._once.finish(name, claim, _ERROR + packed_error(known, self._service_name))
            raise
        await self._once.finish(name, claim, _REPLY + reply)
        return reply


def _known(error: Exception, call: ServerCall) -> MySingleError:
    """Return what the caller hears of an error."""
    if isinstance(error, grpc.aio.AbortError):
        native = call.native
        return error_of_status(
            grpc.StatusCode[code_name(native.code())], str(native.details() or ""), native.trailing_metadata()
        )
    known = error_of_call(error) if isinstance(error, grpc.aio.AioRpcError) else translate(error)
    return known or MySingleError()


def _unpack(kept: bytes) -> bytes:
    if kept[:1] == _REPLY:
        return kept[1:]
    raise unpacked_error(kept[1:]) or AlreadyExistsError(
        "The call has run, but its reply cannot be read any more.", reason="IDEMPOTENCY_REPLY_NOT_KEPT"
    )
