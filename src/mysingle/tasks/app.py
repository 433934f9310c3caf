"""The Celery app of a service: made from the settings, with typed tasks that know who sent them."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, overload

from celery import Celery, signals
from kombu.exceptions import EncodeError, OperationalError

from mysingle._kernel.call_identity import name_service
from mysingle._kernel.context import RequestContext
from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.logging import get_logger
from mysingle._kernel.naming import database_name_of
from mysingle._kernel.settings import CommonSettings, get_settings
from mysingle.database import MongoResource
from mysingle.tasks._broker import configuration, longest_delay
from mysingle.tasks._context import dump_context, load_context
from mysingle.tasks._logs import set_up_logs
from mysingle.tasks._loop import WorkerLoop, on_loop
from mysingle.tasks._seal import Errand, not_sent_by_us, seal_from_settings
from mysingle.tasks._task import BackgroundTask, ContextTask, broker_unavailable, sending_context

__all__ = ["TaskApp", "create_celery_app"]

Models: TypeAlias = Sequence[type[Any] | str]
P = ParamSpec("P")
R = TypeVar("R")

_HEADER = "mysingle"
_SENDERS = 8
_EMBEDDED = frozenset({"callbacks", "errbacks", "chain", "chord"})

log = get_logger("mysingle.tasks")


class TaskApp(Celery):  # type: ignore[misc]  # Celery brings no types
    """
    A Celery app whose tasks carry the sender's context and are signed; made by `create_celery_app`.

    `async def` tasks run on one event loop of the worker process, with the resources open. `close` closes those.
    """

    task_cls = ContextTask

    def __init__(
        self, service_name: str, settings: CommonSettings, resources: Sequence[Resource], **options: Any
    ) -> None:
        self.settings = settings
        self._service_name = service_name
        self._seal = seal_from_settings(settings, service_name)
        self._loop = WorkerLoop(resources)
        self.senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="mysingle-enqueue")
        """What `enqueue` sends with: a broker that hangs holds up no other threads of the process."""
        super().__init__(service_name, **options)

    @overload
    def task(self, function: Callable[P, R], /) -> BackgroundTask[P, R]: ...
    @overload
    def task(
        self, *, bind: Literal[True], **options: Any
    ) -> Callable[[Callable[Concatenate[Any, P], R]], BackgroundTask[P, R]]: ...
    @overload
    def task(self, **options: Any) -> Callable[[Callable[P, R]], BackgroundTask[P, R]]: ...
    def task(self, *functions: Any, **options: Any) -> Any:
        """
        Make a task of a function, `async` or not; the decorator and its options are Celery's.

        Its arguments and its result are JSON. It must bear being run twice: a worker that dies gives it back.
        """
        options.setdefault("shared", False)
        if functions:
            return self._task_of(functions[0], options)
        return lambda function: self._task_of(function, options)

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """
        Send a task to the workers of this service, with the context of now; Celery's options.

        Raises:
            UnavailableError: the broker does not answer.
            InvalidArgumentError: arguments that are not JSON, or a delay for longer than Redis keeps a task.
        """
        self._check_delay(name, options)
        task_id = options["task_id"] = options.get("task_id") or str(uuid.uuid4())
        options.setdefault("argsrepr", "(...)")  # tools for workers show these; arguments may be anybody's secrets
        options.setdefault("kwargsrepr", "{...}")
        try:
            envelope = self._envelope(name, task_id, args, kwargs, options)
            options["headers"] = {**(options.get("headers") or {}), _HEADER: envelope}
            return super().send_task(name, args, kwargs, **options)
        except OperationalError as error:
            raise broker_unavailable(name) from error
        except EncodeError as error:
            raise InvalidArgumentError(
                f"The task {name} cannot be sent: its arguments are not JSON ({error})", reason="TASK_NOT_JSON"
            ) from error

    def context_of(self, task: Any) -> RequestContext:
        """
        Return the context that a task's sender had.

        Raises:
            UnauthenticatedError: the task was not sent by this service.
        """
        return self._verified(task, task.request)

    def context_of_message(self, task: Any, request: Any, embedded: Any) -> RequestContext:
        """
        Return the context of a message that a worker has received and not begun.

        Raises:
            UnauthenticatedError: it was not sent by this service, or says of itself what only a worker knows.
        """
        if not _EMBEDDED.issuperset(embedded):
            raise not_sent_by_us(task.name)
        return self._verified(task, request)

    def _verified(self, task: Any, request: Any) -> RequestContext:
        headers = request.headers if isinstance(request.headers, dict) else {}
        envelope = headers.get(_HEADER)
        given = envelope if isinstance(envelope, dict) else {}
        text, signature = str(given.get("context", "{}")), str(given.get("signature", ""))
        followers = (request.callbacks, request.errbacks, request.chain, request.chord)
        errand = Errand(task.name, request.id, request.args, request.kwargs, followers)
        self._seal.verify(errand, text, signature)
        context = load_context(text, request.id)
        return context if self._seal.believes_users else context._replace(user=None)

    def close(self) -> None:
        """Close what tasks have opened, and the connections to the broker."""
        self._loop.close()
        self.senders.shutdown(wait=False, cancel_futures=True)
        super().close()

    def follow_worker(self) -> None:
        """Do what a worker's process needs: our log, a loop of its own in a forked child, and an end of that loop."""

        def begin(loglevel: Any = None, **_: Any) -> None:
            set_up_logs(self.settings, self._service_name, loglevel)

        signals.setup_logging.connect(begin, weak=False)
        signals.worker_process_init.connect(lambda **_: self._loop.forget(), weak=False)
        signals.worker_process_shutdown.connect(lambda **_: self._loop.close(), weak=False)
        signals.worker_shutdown.connect(lambda **_: self._loop.close(), weak=False)

    def _task_of(self, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
        runs = on_loop(self._loop, function) if asyncio.iscoroutinefunction(function) else function
        return super().task(**options)(runs)

    def _check_delay(self, name: str, options: Mapping[str, Any]) -> None:
        seconds = _seconds_until(options.get("eta")) or options.get("countdown") or 0
        longest = longest_delay(self.settings)
        if seconds > longest:
            raise InvalidArgumentError(
                f"The task {name} cannot be put off for {seconds:.0f} seconds, {longest} is the most: Redis would give "
                "it to a second worker meanwhile. Store the date, and let a periodic task look for what is due.",
                reason="TASK_DELAY_TOO_LONG",
            )

    def _envelope(self, name: str, task_id: str, args: Any, kwargs: Any, options: Mapping[str, Any]) -> dict[str, str]:
        context = sending_context(self.current_worker_task)
        user = context.user if self._seal.believes_users else None
        if user is not context.user:
            log.warning("task.user_dropped", **{"task.name": name}, remedy="set ENVIRONMENT or GRPC_SERVICE_KEYS")
        text = dump_context(context, user)
        followers = (
            _as_list(options.get("link")),
            _as_list(options.get("link_error")),
            options.get("chain"),
            options.get("chord"),
        )
        signature = self._seal.sign(Errand(name, task_id, args, kwargs, followers), text)
        return {"context": text, "signature": signature}


def create_celery_app(
    service_name: str,
    *,
    include: Sequence[str] = (),
    document_models: Models = (),
    database_name: str | None = None,
    resources: Sequence[Resource] = (),
    settings: CommonSettings | None = None,
) -> TaskApp:
    """
    Return the Celery app of a service. Nothing is connected before the first task is sent or a worker starts.

    Args:
        service_name: as in the service's configuration; the queue and the keys in Redis have this name.
        include: modules with tasks that a worker imports.
        document_models: what `async` tasks read and write in MongoDB; none, and it is not connected.
        database_name: as in the service's configuration; the service's name with `_db` behind it when not given.
        resources: what else `async` tasks need. Each worker process opens it all before its first one.
        settings: the process's settings when not given.

    Raises:
        SettingsError: production rules without `GRPC_SERVICE_KEYS`, or a Redis that cannot be a broker.
    """
    settings = settings or get_settings()
    name_service(service_name)
    if document_models:
        name = database_name or database_name_of(service_name)
        resources = [MongoResource(name, document_models, settings, service_name), *resources]
    app = TaskApp(service_name, settings, resources, include=list(include), set_as_current=False)
    app.conf.update(configuration(settings, service_name))
    app.follow_worker()
    return app


def _seconds_until(eta: Any) -> float:
    """Return how long it is until a moment; a naive one is in UTC, as Celery has it."""
    if isinstance(eta, str):
        eta = datetime.fromisoformat(eta)
    if not isinstance(eta, datetime):
        return 0.0
    moment = eta if eta.tzinfo else eta.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value
