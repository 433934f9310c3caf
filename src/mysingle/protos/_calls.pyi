"""What a stub's methods are: the calls of `grpc.aio`, with their types."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)
Metadata = Sequence[tuple[str, str | bytes]] | None

class Call(Protocol):
    def cancel(self) -> bool: ...
    def done(self) -> bool: ...
    async def code(self) -> Any: ...
    async def details(self) -> str: ...
    async def initial_metadata(self) -> Any: ...
    async def trailing_metadata(self) -> Any: ...

class ResponseCall(Call, Awaitable[Response], Protocol[Response]): ...

class StreamCall(Call, AsyncIterable[Response], Protocol[Response]):
    async def read(self) -> Response | Any: ...
    def __aiter__(self) -> AsyncIterator[Response]: ...

class _Writes(Protocol[Request]):
    async def write(self, request: Request) -> None: ...
    async def done_writing(self) -> None: ...

class StreamUnaryCall(ResponseCall[Response], _Writes[Request], Protocol[Request, Response]): ...
class StreamStreamCall(StreamCall[Response], _Writes[Request], Protocol[Request, Response]): ...

class UnaryUnary(Protocol[Request, Response]):
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = ...,
        metadata: Metadata = ...,
        wait_for_ready: bool | None = ...,
    ) -> ResponseCall[Response]: ...

class UnaryStream(Protocol[Request, Response]):
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = ...,
        metadata: Metadata = ...,
        wait_for_ready: bool | None = ...,
    ) -> StreamCall[Response]: ...

class StreamUnary(Protocol[Request, Response]):
    def __call__(
        self,
        request_iterator: AsyncIterable[Request] | Iterable[Request] | None = ...,
        *,
        timeout: float | None = ...,
        metadata: Metadata = ...,
        wait_for_ready: bool | None = ...,
    ) -> StreamUnaryCall[Request, Response]: ...

class StreamStream(Protocol[Request, Response]):
    def __call__(
        self,
        request_iterator: AsyncIterable[Request] | Iterable[Request] | None = ...,
        *,
        timeout: float | None = ...,
        metadata: Metadata = ...,
        wait_for_ready: bool | None = ...,
    ) -> StreamStreamCall[Request, Response]: ...
