"""The whole examination: everything that is asked is asked at the same time, and everything is bounded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.extras import MissingExtraError
from mysingle._kernel.settings import CommonSettings
from mysingle._kernel.settings.discovery import discovered_targets
from mysingle.tooling.doctor.facts import drain, settings_section, versions
from mysingle.tooling.doctor.reach import Answer, ask_jwks, ask_smtp, bounded
from mysingle.tooling.doctor.report import Line, Report, Section, Status
from mysingle.tooling.doctor.targets import grpc_targets

__all__ = ["Subject", "examine"]

_SKEW_WARN_SECONDS = 2.0
_MARGIN_SECONDS = 0.5
_NAMES = {
    "mongodb": ("MONGODB_URL", "MONGODB_SERVER"),
    "redis": ("REDIS_HOST", "REDIS_NODES"),
    "smtp": ("SMTP_HOST",),
    "jwks": ("IAM_JWKS_URL",),
}
"""What is asked → the settings that say that it is meant."""


class _Probe(Protocol):
    """What a server's answer looks like; the probes of the database package have this shape."""

    @property
    def address(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def skew_seconds(self) -> float | None: ...


class _Trust(Protocol):
    """What the identity rules mean for the start; `mysingle.auth.startup` returns this shape."""

    @property
    def problems(self) -> tuple[str, ...]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    What is examined.

    `probes` ask servers by name, `audit` returns what breaks the Redis allocation, `proofs` describes the trust.
    """

    settings: CommonSettings
    trust: _Trust
    drain_delay_seconds: float
    probes: Mapping[str, Callable[[], Awaitable[_Probe]]]
    audit: Callable[[], Awaitable[Sequence[str]]]
    timeout_seconds: float


async def examine(subject: Subject) -> Report:
    """Ask everything, and return the report."""
    settings = subject.settings
    asked, targets = await asyncio.gather(
        _ask_all(subject), grpc_targets(discovered_targets(), subject.timeout_seconds)
    )
    reached = Section("reachability", tuple(line for line, _ in asked.values()))
    has_redis = asked["redis"][1] is not None
    return Report(
        (
            versions(),
            settings_section(settings),
            reached,
            _clocks({name: answer for name, (_, answer) in asked.items() if answer}, settings),
            _trust(subject.trust, settings),
            await _audit(subject, has_redis=has_redis),
            targets,
            drain(settings, subject.drain_delay_seconds),
        )
    )


async def _ask_all(subject: Subject) -> dict[str, tuple[Line, _Probe | None]]:
    settings, seconds = subject.settings, subject.timeout_seconds
    calls: dict[str, Callable[[], Awaitable[_Probe]]] = dict(subject.probes)
    if settings.SMTP_HOST:
        calls["smtp"] = partial(_in_thread, partial(ask_smtp, settings, seconds), seconds)
    if settings.IAM_JWKS_URL:
        calls["jwks"] = partial(_in_thread, partial(ask_jwks, str(settings.IAM_JWKS_URL), seconds), seconds)
    lines = await asyncio.gather(*(_ask(name, call, settings, seconds) for name, call in calls.items()))
    unasked = {name: _line(name, Status.NOTE, "not configured") for name in _NAMES if name not in calls}
    return {**dict(zip(calls, lines, strict=True)), **{name: (line, None) for name, line in unasked.items()}}


async def _in_thread(call: Callable[[], Answer], seconds: float) -> _Probe:
    return await bounded(call, seconds)


async def _ask(
    name: str, call: Callable[[], Awaitable[_Probe]], settings: CommonSettings, seconds: float
) -> tuple[Line, _Probe | None]:
    try:
        async with asyncio.timeout(seconds + _MARGIN_SECONDS):
            answer = await call()
    except MissingExtraError as error:
        return _line(name, Status.NOTE, str(error)), None
    except (MySingleError, OSError, ValueError) as error:
        is_meant = not settings.model_fields_set.isdisjoint(_NAMES[name])
        text = _cause(error, seconds) if is_meant else f"nothing is set, and nobody answers: {_cause(error, seconds)}"
        return _line(name, Status.FAIL if is_meant else Status.NOTE, text), None
    said = f"{answer.address}{_more(answer)}"
    return Line(name=name, status=Status.OK, text=said, milliseconds=answer.seconds * 1000), answer


def _more(answer: _Probe) -> str:
    return f", {answer.text}" if isinstance(answer, Answer) and answer.text else ""


def _cause(error: Exception, seconds: float) -> str:
    if isinstance(error, MySingleError):
        return f"{error} ({error.details['server']})" if "server" in error.details else str(error)
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    reason: Any = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _line(name: str, status: Status, text: str) -> Line:
    return Line(name=name, status=status, text=" ".join(text.split()))


def _clocks(answers: Mapping[str, _Probe], settings: CommonSettings) -> Section:
    """Judge the clocks: beyond what signed requests allow, the gateway's proofs fail."""
    allowed = float(settings.GATEWAY_HMAC_MAX_SKEW_SECONDS)
    lines = []
    for name, answer in answers.items():
        skew = answer.skew_seconds
        if skew is None:
            continue
        far = abs(skew)
        status = Status.FAIL if far > allowed else Status.WARN if far > _SKEW_WARN_SECONDS else Status.OK
        text = f"{far:.2f} s {'ahead' if skew > 0 else 'behind'}; signed requests allow {allowed:g} s"
        lines.append(Line(name=name, status=status, text=text, data={"skew_seconds": round(skew, 3)}))
    return Section("clocks", tuple(lines) or (_line("none", Status.NOTE, "no server has told its time"),))


def _trust(trust: _Trust, settings: CommonSettings) -> Section:
    verdict = Status.WARN if settings.is_relaxed else Status.FAIL
    problems = [_line("problem", verdict, text) for text in trust.problems]
    warnings = [_line("warning", Status.WARN, text) for text in trust.warnings]
    sound = [_line("trust", Status.OK, "identity headers are believed only with a proof, or never read")]
    return Section("gateway trust", tuple([*problems, *warnings] or sound))


async def _audit(subject: Subject, *, has_redis: bool) -> Section:
    title = "redis allocation"
    if not has_redis:
        return Section(title, (_line("audit", Status.NOTE, "Redis was not reached"),))
    try:
        violations = await subject.audit()
    except MySingleError as error:
        return Section(title, (_line("audit", Status.WARN, f"not possible: {error}"),))
    lines = [_line("violation", Status.FAIL, text) for text in violations]
    return Section(title, tuple(lines or [_line("audit", Status.OK, "the allocation is kept")]))
