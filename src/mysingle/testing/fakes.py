"""A stand-in for a gRPC service, made from its proto: it notes the requests and answers what the test says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message

import grpc

__all__ = ["FakeService"]


class FakeService:
    """
    Answers for each method what it is given; a method without an answer returns an empty message, or an empty stream.

    An answer is a message, an exception that is raised, or a function of the request (of the list of requests, when
    they are streamed) that returns one of the two. A streamed answer is a list of messages. `calls` holds the requests
    of each method, `answers` may be changed while the server runs.

    Args:
        service: the descriptor, such as `market_data_pb2.DESCRIPTOR.services_by_name["MarketDataService"]`.
        answers: by the method's name.
    """

    def __init__(self, service: Any, **answers: Any) -> None:
        unknown = answers.keys() - service.methods_by_name.keys()
        if unknown:
            raise TypeError(f"{service.full_name} has no method {', '.join(sorted(unknown))}")
        self.answers: dict[str, Any] = dict(answers)
        self.calls: dict[str, list[Any]] = defaultdict(list)
        self._service = service

    def register(self, server: Any) -> None:
        """Add the service to a server; what `grpc_pair` takes."""
        handlers = {name: self._handler(method) for name, method in self._service.methods_by_name.items()}
        generic = grpc.method_handlers_generic_handler(self._service.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))

    def _handler(self, method: Any) -> Any:
        request, response = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        make: Callable[..., Any] = getattr(grpc, f"{kind}_rpc_method_handler")
        answer = self._stream(method) if method.server_streaming else self._single(method, response)
        return make(answer, request.FromString, response.SerializeToString)

    def _single(self, method: Any, response: Callable[[], Message]) -> Callable[..., Any]:
        async def answer(request: Any, context: Any) -> Any:
            said = await self._answer(method, request)
            return response() if said is None else said

        return answer

    def _stream(self, method: Any) -> Callable[..., Any]:
        async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
            said: Iterable[Any] = await self._answer(method, request) or ()
            for message in said:
                yield message

        return answer

    async def _answer(self, method: Any, request: Any) -> Any:
        heard = [message async for message in request] if method.client_streaming else request
        self.calls[method.name].append(heard)
        said = self.answers.get(method.name)
        if callable(said):
            said = said(heard)
        if asyncio.iscoroutine(said):
            said = await said
        if isinstance(said, Exception):
            raise said
        return said
