"""What can be said without asking anybody: versions, settings, drain numbers."""

import sys
from importlib import metadata

from mysingle._kernel import guard
from mysingle._kernel.settings import CommonSettings
from mysingle._kernel.settings.listing import DEFAULT, list_settings
from mysingle._kernel.shutdown import longest_end
from mysingle.tooling.doctor.report import Line, Section, Status
from mysingle.tooling.k8s import cluster_numbers

__all__ = ["drain", "settings_section", "versions", "wrong_settings"]

_OLDEST, _TOO_NEW = (3, 11), (3, 14)
_LIBRARIES = (
    *("pydantic", "fastapi", "starlette", "uvicorn", "joserfc", "httpx", "pymongo", "beanie", "redis", "duckdb"),
    *("grpcio", "protobuf", "numpy", "pandas", "celery"),
)
_KUBERNETES_SECONDS = 30.0


def versions() -> Section:
    """Say which Python, which version of this package and which libraries run."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    fits = _OLDEST <= sys.version_info[:2] < _TOO_NEW
    said = python if fits else f"{python}, which is not one of 3.11 to 3.13"
    lines = [
        Line(name="python", status=Status.OK if fits else Status.FAIL, text=said),
        Line(name="mysingle", status=Status.OK, text=_version("mysingle") or "not installed"),
    ]
    found = {name: version for name in _LIBRARIES if (version := _version(name))}
    return Section("versions", (*lines, *(Line(name=name, status=Status.OK, text=found[name]) for name in found)))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def wrong_settings(problems: tuple[str, ...]) -> Section:
    """Say why settings cannot be used."""
    lines = tuple(Line(name="unusable", status=Status.FAIL, text=problem) for problem in problems)
    return Section("settings", lines)


def settings_section(settings: CommonSettings) -> Section:
    """Say what every setting is and where it comes from, and what is unsafe; problems under production rules only."""
    verdict = Status.WARN if settings.is_relaxed else Status.FAIL
    unsafe = [Line(name="unsafe", status=verdict, text=problem) for problem in guard.problems(settings)]
    listed = [
        Line(
            name=item.name,
            status=Status.NOTE,
            text=item.value,
            data={"source": item.source, "secret": item.is_secret, "default": item.source == DEFAULT},
        )
        for item in list_settings(settings)
    ]
    return Section("settings", (*unsafe, *listed))


def drain(settings: CommonSettings, delay_seconds: float) -> Section:
    """Say how long the end of the service takes, and what the platform has to allow for it."""
    is_cluster = settings.KUBERNETES_SERVICE_HOST is not None
    grace = settings.SHUTDOWN_GRACE_SECONDS
    needed = longest_end(delay_seconds, grace)
    is_late = is_cluster and delay_seconds == 0
    is_long = is_cluster and needed > cluster_numbers().termination_grace_seconds
    advice = "; Kubernetes gives 30 s when the manifest says nothing" if needed > _KUBERNETES_SECONDS else ""
    return Section(
        "drain",
        (
            Line(
                name="drain delay",
                status=Status.WARN if is_late else Status.OK,
                text=f"{delay_seconds:g} s" + (", so balancers learn too late of the end" if is_late else ""),
            ),
            Line(name="grace", status=Status.OK, text=f"{grace:g} s"),
            Line(
                name="terminationGracePeriodSeconds",
                status=Status.WARN if is_long else Status.OK,
                text=f"at least {needed:g} s{advice}",
                data={"seconds": needed},
            ),
        ),
    )
