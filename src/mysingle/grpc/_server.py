"""A gRPC server with everything around its handlers: in the process of a web service, or alone."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from grpc_reflection.v1alpha import reflection

import grpc
from mysingle._kernel.call_identity import CallVerifier, name_service
from mysingle._kernel.errors import ErrorCode, MySingleError, UnavailableError
from mysingle._kernel.health import HealthRegistry, ServiceState
from mysingle._kernel.logging import get_logger
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.rpc_metrics import RpcMetrics
from mysingle.grpc._config import GrpcConfigError, GrpcServerConfig
from mysingle.grpc._credentials import server_credentials
from mysingle.grpc._handlers import UNKNOWN_METHOD, Listing, Registrar, Wrapper, WrapUnary
from mysingle.grpc._health import SERVICE as HEALTH_SERVICE
from mysingle.grpc._health import HealthService
from mysingle.grpc._interceptors.auth import AuthLayer, ExemptMethods
from mysingle.grpc._interceptors.context import ContextLayer
from mysingle.grpc._interceptors.errors import ErrorsLayer, Running, answer_stopped
from mysingle.grpc._interceptors.gate import GateLayer, LoopLag
from mysingle.grpc._interceptors.idempotency import IdempotentCalls
from mysingle.grpc._interceptors.observe import ObserveLayer
from mysingle.grpc._interceptors.rate_limit import RateLimitLayer
from mysingle.grpc._threads import HandlerThreads
from mysingle.grpc.cache import cache_rule

__all__ = ["SERVER", "BaseGrpcServer"]

_POLL_SECONDS = 0.01
_LAST_ANSWERS_SECONDS = 1.0
_CLOSE_MARGIN_SECONDS = 3.0

log = get_logger("mysingle.grpc")


class BaseGrpcServer:
    """
    A server; subclass it and register your servicers.

    Alone: `async with MyServer(config): ...` or `await server.serve()`. In a web service: hand it over as
    `create_service_config(..., grpc_server=MyServer(config))`; it then lives, becomes ready and drains with the app.
    """

    name = "grpc"

    def __init__(self, config: GrpcServerConfig) -> None:
        self.config = config
        self.health = HealthRegistry()
        self.metrics = RpcMetrics(is_client=False)
        self.port = config.port
        self.close_timeout_seconds = config.shutdown_grace_seconds + _CLOSE_MARGIN_SECONDS
        self._is_alone = True
        self._server: Any = None
        self._is_stopping = False
        self._stopped: asyncio.Task[None] | None = None
        self._running: Running = {}
        self.lag = LoopLag()
        self.gate = GateLayer(
            self.health,
            self.lag,
            self.metrics,
            max_calls=config.maximum_concurrent_rpcs,
            max_lag_seconds=config.max_loop_lag_seconds,
        )
        self.threads = HandlerThreads(config.worker_threads)

    async def register_servicers(self, server: Any) -> None:
        """Add your servicers: `add_MyServiceServicer_to_server(MyServicer(), server)`. May be a plain `def`."""
        raise NotImplementedError

    async def describe(self) -> tuple[tuple[str, str, bool], ...]:
        """Return each method: its path, its kind, and whether it may be called without a user."""
        listing = Listing()
        pending = self.register_servicers(listing)
        if pending is not None:
            await pending
        exempt = ExemptMethods(self.config.exempt_methods)
        return tuple((m.path, m.kind, not self.config.enable_auth or m.name in exempt) for m in listing.methods)

    async def before_start(self) -> None:
        """Run before the server listens."""

    async def after_start(self) -> None:
        """Run once the server listens."""

    async def before_stop(self) -> None:
        """Run while everything is still served."""

    async def after_stop(self) -> None:
        """Run when the last call has ended."""

    def join(self, health: HealthRegistry, metrics: ServiceMetrics) -> None:
        """Live with an app: its state is this server's, and its metrics hold what this server measures."""
        self._is_alone = False
        self.health, self.metrics = health, metrics.rpc
        self.gate = GateLayer(
            health,
            self.lag,
            self.metrics,
            max_calls=self.config.maximum_concurrent_rpcs,
            max_lag_seconds=self.config.max_loop_lag_seconds,
        )

    @property
    def running(self) -> Running:
        """The calls in flight, by their tasks."""
        return self._running

    @property
    def is_stopping(self) -> bool:
        """Whether calls that have not ended are being cut."""
        return self._is_stopping

    async def start(self) -> None:
        """
        Listen.

        Raises:
            GrpcConfigError: settings that are unsafe outside of development.
            UnavailableError: an address that cannot be listened on.
        """
        config = self.config
        self._guard()
        name_service(config.service_name)
        if self._is_alone:
            self.health.enter(ServiceState.STARTING)
        await self.before_start()
        self._is_stopping, self._stopped = False, None
        self._server = grpc.aio.server(interceptors=config.interceptors or None, options=_options(config))
        await self._register()
        self.port = self._listen()
        await self._server.start()
        self.lag.start()
        if self._is_alone:
            await self.health.start()
            self.health.enter(ServiceState.READY)
        log.info("grpc.listening", address=config.address, port=self.port)
        await self.after_start()

    async def _register(self) -> None:
        registrar = Registrar(self._server, self._make_wrapper())
        pending = self.register_servicers(registrar)
        if pending is not None:
            await pending
        if self.config.enable_health:
            health = HealthService(self.health, registrar.services)
            health.add_to(self._server)
            await health.follow()
        if self.config.enable_reflection:
            names = (*registrar.services, HEALTH_SERVICE, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        registrar.close()

    def _make_wrapper(self) -> Wrapper:
        made = [make(self) for make in SERVER]
        layers = [item for item in made if hasattr(item, "enter")]
        wraps: Sequence[WrapUnary] = [item for item in made if callable(item)]
        return Wrapper(layers, wraps, self.threads)

    def _guard(self) -> None:
        for warning in self.config.warnings:
            log.warning("grpc.trust", reason=warning)
        if self.config.problems:
            raise GrpcConfigError("; ".join(self.config.problems), reason="AUTH_CONFIGURATION")

    def _listen(self) -> int:
        config = self.config
        try:
            if config.use_tls:
                return int(self._server.add_secure_port(config.address, server_credentials(config)))
            return int(self._server.add_insecure_port(config.address))
        except RuntimeError as error:
            message = f"cannot listen on {config.address}"
            raise UnavailableError(message, reason="CANNOT_LISTEN") from error

    async def stop(self, grace_period: float | None = None) -> None:
        """
        Stop: alone, first drain; then take no new calls, let those in flight end, and cut what is left.

        A call that is cut ends as CANCELLED with the reason SERVER_STOPPED, which no client tries again by itself:
        its work may have been done.

        Args:
            grace_period: seconds for calls in flight; the configuration's when not given.
        """
        if self._server is None:
            return
        if self._is_alone and self.health.state is ServiceState.READY:
            self.health.enter(ServiceState.DRAINING)
            await asyncio.sleep(self.config.drain_delay_seconds)
        self.begin_stop(grace_period)
        assert self._stopped is not None
        await asyncio.shield(self._stopped)

    def begin_stop(self, grace_period: float | None = None) -> None:
        """Take no new calls from now on; `stop` waits for the rest."""
        if self._server is not None and self._stopped is None:
            grace = self.config.shutdown_grace_seconds if grace_period is None else grace_period
            self._stopped = asyncio.get_running_loop().create_task(self._end(grace), name="grpc:stop")

    async def _end(self, grace: float) -> None:
        await self.before_stop()
        loop = asyncio.get_running_loop()
        ends = loop.time() + grace
        closing = loop.create_task(self._server.stop(grace + 2 * _LAST_ANSWERS_SECONDS))
        while self._running and loop.time() < ends:  # noqa: ASYNC110  # an event would cost something at every call
            await asyncio.sleep(_POLL_SECONDS)
        self._is_stopping = True
        for task in list(self._running):
            task.cancel()
        while self._running and loop.time() < ends + _LAST_ANSWERS_SECONDS:  # noqa: ASYNC110  # as above
            await asyncio.sleep(_POLL_SECONDS)
        for call in list(self._running.values()):  # handlers that go on; gRPC would say UNAVAILABLE for them
            with contextlib.suppress(Exception):
                await answer_stopped(call, self.config.service_name)
        await closing
        self.lag.stop()
        self.threads.close()
        if self._is_alone:
            await self.health.stop()
            self.health.enter(ServiceState.STOPPED)
        await self.after_stop()
        self._server = None
        log.info("grpc.stopped")

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # gRPC's own name
        """Wait until the server has stopped; False when the time is over first."""
        return self._server is None or bool(await self._server.wait_for_termination(timeout))

    async def serve(self) -> None:
        """Serve until SIGTERM or Ctrl-C, drain, and return."""
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        try:
            async with self:
                await told.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def open(self) -> None:
        """Start, as a resource of an app."""
        await self.start()

    async def close(self) -> None:
        """Stop, as a resource of an app."""
        await self.stop()

    async def ping(self) -> None:
        """Raise when the server does not serve."""
        if self._server is None:
            raise MySingleError("the gRPC server is not running", code=ErrorCode.UNAVAILABLE)


def _options(config: GrpcServerConfig) -> list[tuple[str, int | str]]:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", int(config.min_ping_interval_seconds * 1000)),
        ("grpc.max_connection_age_ms", int(config.max_connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(config.max_connection_age_grace_seconds * 1000)),
        ("grpc.so_reuseport", int(config.reuse_port)),
        *config.options,
    ]


def _context(_: BaseGrpcServer) -> Any:
    return ContextLayer()


def _observe(server: BaseGrpcServer) -> Any:
    return ObserveLayer(server.metrics, logs=server.config.enable_logging, measures=server.config.enable_metrics)


def _errors(server: BaseGrpcServer) -> Any:
    return ErrorsLayer(server.config.service_name, lambda: server.is_stopping, server.running)


def _gate(server: BaseGrpcServer) -> Any:
    return server.gate


def _auth(server: BaseGrpcServer) -> Any:
    config = server.config
    if not config.enable_auth:
        return None
    verifier = None
    if config.keys or config.caller_keys:
        verifier = CallVerifier(config.keys, config.service_name, config.max_skew_seconds, config.caller_keys)
    exempt = ExemptMethods((*config.exempt_methods, UNKNOWN_METHOD))
    return AuthLayer(config.trust, verifier, exempt, config.on_auth_refused)


def _rate_limit(server: BaseGrpcServer) -> Any:
    limiter = server.config.rate_limiter
    return None if limiter is None else RateLimitLayer(limiter)


def _idempotency(server: BaseGrpcServer) -> Any:
    store = server.config.idempotency_store
    if store is None:
        return None
    calls = IdempotentCalls(store, server.config.service_name)
    return lambda method, behavior, handler: calls.wrap(handler)


def _cache(server: BaseGrpcServer) -> Any:
    cache = server.config.cache
    if cache is None:
        return None

    def wrap(method: Any, behavior: Any, handler: Any) -> Any:
        rule = cache_rule(behavior)
        return handler if rule is None else cache.wrap(method.name, rule, handler)

    return wrap


SERVER: tuple[Callable[[BaseGrpcServer], Any], ...] = (
    _context,
    _observe,
    _errors,
    _gate,
    _auth,
    _rate_limit,
    _idempotency,
    _cache,
)
"""What stands around a handler, outermost first."""
