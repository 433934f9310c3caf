"""Whether a manifest agrees with the code: probes that see a drain, and a pod that is not killed before its end."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.extras import MissingExtraError
from mysingle._kernel.shutdown import longest_end
from mysingle.tooling.k8s.numbers import UNSTATED, StatedNumbers, task_end_seconds

__all__ = ["Disagreement", "check_manifest"]

_MAX_BYTES = 1_000_000
_WITH_TEMPLATE = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
# What Kubernetes takes when a manifest does not say: its API reference, Probe v1 and PodSpec v1.
_USUAL_TERMINATION, _USUAL_PERIOD, _USUAL_FAILURES = 30, 10, 3
_USUAL_PORT = 8000
_VARIABLES = ("DRAIN_DELAY_SECONDS", "SHUTDOWN_GRACE_SECONDS", "STARTUP_TIMEOUT_SECONDS")
_TASK_LIMIT = "TASKS_TIME_LIMIT_SECONDS"
_PATHS = {"startupProbe": "/startup", "livenessProbe": "/live", "readinessProbe": "/ready"}
_SLEEP = re.compile(r"\bsleep\s+(\d+(?:\.\d+)?)s?\b")


class Disagreement(NamedTuple):
    """One value that does not agree: where it stands, what it is, what it has to be, and why."""

    where: str
    field: str
    found: str
    needed: str
    why: str


def check_manifest(file: Path, stated: StatedNumbers = UNSTATED) -> tuple[Disagreement, ...]:
    """
    Return what does not agree with the code and the seconds that were chosen; nothing when all is well.

    Raises:
        InvalidArgumentError: the file cannot be read, is no YAML, or runs no service of this package.
        MissingExtraError: the library for YAML is not installed.
    """
    pods = [(where, spec) for document in _documents(file) for where, spec in _pods(document)]
    found: list[Disagreement] = []
    services = 0
    for where, spec in pods:
        for container in _services(spec):
            services += 1
            place = f"{where}, container {container.get('name', '?')}"
            if "worker" in _words(container):
                found += _of_worker(place, spec, container, stated)
            else:
                found += _Service(place, spec, container, stated).disagreements()
    if not services:
        raise InvalidArgumentError(
            f"{file} has no pod that runs `mysingle run` or a worker: name the file with the Deployment"
        )
    return tuple(found)


def _documents(file: Path) -> list[Any]:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("embedded", "yaml", "mysingle k8s render --check") from error
    try:
        content = file.read_bytes()
        if len(content) > _MAX_BYTES:
            raise InvalidArgumentError(f"{file} has more than {_MAX_BYTES:,} bytes")
        return list(yaml.safe_load_all(content))
    except OSError as error:
        raise InvalidArgumentError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        raise InvalidArgumentError(f"{file} is no YAML; of a chart, check what it renders: {cause}") from None


def _pods(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    kind, name = _get(document, "kind"), _get(document, "metadata", "name")
    if kind == "List":
        for item in _items(_get(document, "items")):
            yield from _pods(item)
    spec = _get(document, "spec", "template", "spec") if kind in _WITH_TEMPLATE else _get(document, "spec")
    if isinstance(spec, dict) and (kind in _WITH_TEMPLATE or kind == "Pod"):
        yield f"{kind} {name}", spec


def _services(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers that run a service; the only container of a pod is one, whatever its image runs."""
    containers = [item for item in _items(spec.get("containers")) if isinstance(item, dict)]
    ours = [item for item in containers if "mysingle" in _words(item)]
    return ours or (containers if len(containers) == 1 else [])


class _Service:
    """One container, compared value by value."""

    def __init__(self, where: str, spec: dict[str, Any], container: dict[str, Any], stated: StatedNumbers) -> None:
        self._where = where
        self._spec = spec
        self._container = container
        self._stated = stated
        self._written = [_variable(container, name) for name in _VARIABLES]
        rows = zip(_VARIABLES, self._written, stated[:3], UNSTATED.completed()[:3], strict=True)
        self._drain, self._grace, self._start = (
            _holds(container, name, text, chosen, usual) for name, text, chosen, usual in rows
        )
        self._pause = _pause(container)

    def disagreements(self) -> Iterator[Disagreement]:
        """Yield what does not agree, from the variables to the probes."""
        yield from self._variables()
        yield from self._termination()
        yield from self._startup()
        yield from self._liveness()
        yield from self._readiness()
        yield from self._port()

    def _variables(self) -> Iterator[Disagreement]:
        for name, text, stated, holds in zip(
            _VARIABLES, self._written, self._stated[:3], (self._drain, self._grace, self._start), strict=True
        ):
            if text is not None and not (isinstance(text, str) and _number(text) is not None):
                yield self._find(f"env {name}", repr(text), "a number in quotes", "Kubernetes takes text alone")
            elif stated is not None and holds != stated:
                found = "not set" if text is None else f"{holds:g}"
                yield self._find(f"env {name}", found, f'"{stated:g}"', "the settings of the service say so")

    def _termination(self) -> Iterator[Disagreement]:
        needed = math.ceil(self._pause + longest_end(self._drain, self._grace))
        text = self._spec.get("terminationGracePeriodSeconds")
        found = _USUAL_TERMINATION if text is None else _number(text)
        if found is None or found < needed:
            why = f"drain {self._drain:g} s + grace {self._grace:g} s + {longest_end(0, 0):g} s to close and leave"
            why = f"pause {self._pause:g} s + {why}" if self._pause else why
            shown = f"not set, so {_USUAL_TERMINATION}" if text is None else str(text)
            yield self._find("terminationGracePeriodSeconds", shown, f"at least {needed}", why)

    def _startup(self) -> Iterator[Disagreement]:
        yield from self._path("startupProbe")
        seconds = self._seconds("startupProbe")
        if seconds is not None and seconds <= self._start:
            yield self._find("startupProbe", f"gives up after {seconds:g} s", f"more than {self._start:g} s",
                             "the service waits so long for what it needs (STARTUP_TIMEOUT_SECONDS)")  # fmt: skip

    def _liveness(self) -> Iterator[Disagreement]:
        yield from self._path("livenessProbe")

    def _readiness(self) -> Iterator[Disagreement]:
        yield from self._path("readinessProbe")
        seconds, drain = self._seconds("readinessProbe"), self._pause + self._drain
        if seconds is not None and seconds >= drain:
            yield self._find("readinessProbe", f"sees a drain after {seconds:g} s", f"less than {drain:g} s",
                             "periodSeconds times failureThreshold is shorter than the drain")  # fmt: skip

    def _path(self, name: str) -> Iterator[Disagreement]:
        probe = self._container.get(name)
        if not isinstance(probe, dict):
            yield self._find(name, "not there", f"httpGet {_PATHS[name]}", "nothing else tells this state")
            return
        path = _get(probe, "httpGet", "path")
        if "tcpSocket" in probe:
            yield self._find(name, "tcpSocket", f"httpGet {_PATHS[name]}", "the port is open while the service drains")
        elif path is not None and str(path).rstrip("/") != _PATHS[name]:
            yield self._find(name, str(path), _PATHS[name], _REASONS[name])

    def _seconds(self, name: str) -> float | None:
        probe = self._container.get(name)
        if not isinstance(probe, dict):
            return None
        period = _number(probe.get("periodSeconds", _USUAL_PERIOD))
        failures = _number(probe.get("failureThreshold", _USUAL_FAILURES))
        delay = _number(probe.get("initialDelaySeconds", 0)) if name == "startupProbe" else 0
        return None if period is None or failures is None else period * failures + (delay or 0)

    def _port(self) -> Iterator[Disagreement]:
        listens = _listening_port(self._container)
        for name in _PATHS:
            port = _get(self._container, name, "httpGet", "port")
            number = self._named_ports().get(port, port) if isinstance(port, str) else port
            if listens is not None and port is not None and str(number) != str(listens):
                yield self._find(f"{name} port", str(port), str(listens), "the service listens there")

    def _named_ports(self) -> dict[str, Any]:
        ports = [item for item in _items(self._container.get("ports")) if isinstance(item, dict)]
        return {str(item.get("name")): item.get("containerPort") for item in ports}

    def _find(self, field: str, found: str, needed: str, why: str) -> Disagreement:
        return Disagreement(self._where, field, found, needed, why)


def _of_worker(
    where: str, spec: dict[str, Any], container: dict[str, Any], stated: StatedNumbers
) -> Iterator[Disagreement]:
    """Compare a worker of background tasks, which has no probes: SIGTERM lets the tasks that run end."""
    written, chosen = _variable(container, _TASK_LIMIT), stated.task_limit_seconds
    limit = _holds(container, _TASK_LIMIT, written, chosen, UNSTATED.completed().task_limit_seconds)
    if chosen is not None and limit != chosen:
        found = "not set" if written is None else f"{limit:g}"
        yield Disagreement(where, f"env {_TASK_LIMIT}", found, f'"{chosen:g}"', "the settings of the service say so")
    needed, text = math.ceil(_pause(container)) + task_end_seconds(limit), spec.get("terminationGracePeriodSeconds")
    given = _USUAL_TERMINATION if text is None else _number(text)
    if given is None or given < needed:
        shown = f"not set, so {_USUAL_TERMINATION}" if text is None else str(text)
        why = f"a task may run for {limit:g} s, and the worker ends within a minute behind it"
        yield Disagreement(where, "terminationGracePeriodSeconds", shown, f"at least {needed}", why)


_REASONS = {
    "startupProbe": "it is 200 when the service has started, and stays so",
    "livenessProbe": "it looks at the process alone, so an outage of a database restarts nothing",
    "readinessProbe": "it is 503 from the beginning of a drain",
}


def _get(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(container: dict[str, Any]) -> list[str]:
    return [
        str(word) for key in ("command", "args") for item in _items(container.get(key)) for word in str(item).split()
    ]


def _listening_port(container: dict[str, Any]) -> int | None:
    """Return where `mysingle run` listens; None when the image alone knows what it runs."""
    words = _words(container)
    if "mysingle" not in words:
        return None
    for index, word in enumerate(words):
        value = words[index + 1] if word == "--port" and index + 1 < len(words) else word.partition("--port=")[2]
        if value.isdecimal():
            return int(value)
    return _USUAL_PORT


def _variable(container: dict[str, Any], name: str) -> Any:
    for item in _items(container.get("env")):
        if _get(item, "name") == name and _get(item, "valueFrom") is None:
            return _get(item, "value")
    return None


def _holds(container: dict[str, Any], name: str, text: Any, stated: float | None, usual: float | None) -> float:
    """Return what the service gets; what comes from elsewhere in the cluster is believed to be what was chosen."""
    number = _number(text)
    if number is not None:
        return number
    entries = [item for item in _items(container.get("env")) if _get(item, "name") == name]
    is_elsewhere = bool(container.get("envFrom")) or any(_get(item, "valueFrom") is not None for item in entries)
    return float((stated if is_elsewhere and stated is not None else usual) or 0)


def _pause(container: dict[str, Any]) -> float:
    """Return how long a hook holds SIGTERM back: Kubernetes' own sleep, or the command."""
    hook = _get(container, "lifecycle", "preStop")
    own = _number(_get(hook, "sleep", "seconds"))
    if own is not None:
        return own
    said = _SLEEP.search(" ".join(str(word) for word in _items(_get(hook, "exec", "command"))))
    return float(said[1]) if said else 0.0


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
