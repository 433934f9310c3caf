"""From answers to files: the template that is part of this package, rendered by Copier."""

import re
import warnings
from dataclasses import asdict
from pathlib import Path

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.extras import MissingExtraError
from mysingle.tooling.k8s import Workload, cluster_numbers, render_manifest, task_end_seconds
from mysingle.tooling.scaffold.answers import Answers, is_available

__all__ = ["TEMPLATE", "render", "render_stubs", "version"]

TEMPLATE = Path(__file__).with_name("service")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_PROTOS = "protos"
_GRPC_PORT = 50051


def version() -> str:
    """Return the version of mysingle whose template this is."""
    from mysingle import __version__

    return __version__


def render(answers: Answers, target: Path, template: Path = TEMPLATE) -> None:
    """
    Write the files of a service into an empty folder.

    Raises:
        MissingExtraError: Copier is not installed. OSError: the folder cannot be written.
    """
    try:
        from copier import Settings, run_copy
    except ModuleNotFoundError as error:
        raise MissingExtraError("dev", error.name or "copier", "mysingle new") from error
    data = {
        **asdict(answers),
        **cluster_numbers()._asdict(),
        **_versions(),
        "task_end_seconds": task_end_seconds(),
        "manifest": _manifest(answers),
        "word": answers.word,
        "checks": _has_linter(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about Git, of which this use of Copier needs nothing
        run_copy(str(template), target, data=data, settings=Settings(), defaults=True, overwrite=True, quiet=True)


def _manifest(answers: Answers) -> str:
    name = answers.service_name
    workload = Workload(
        name=name,
        image=f"{name}:0.1.0",
        grpc_port=_GRPC_PORT if answers.grpc else None,
        is_iam=answers.service_type == "iam",
        has_tasks=answers.tasks,
    )
    return render_manifest(workload, cluster_numbers()).rstrip("\n")


def render_stubs(folder: Path) -> None:
    """Generate the Python stubs of a service that has protos."""
    if not (folder / _PROTOS).is_dir():
        return
    from mysingle.tooling.protos import ProtoWorkspace

    if ProtoWorkspace(folder / _PROTOS).generate():
        raise MySingleError(f"the stubs of {folder / _PROTOS} cannot be generated; `mysingle-proto validate` says why")


def _has_linter() -> bool:
    return is_available("mysingle.tooling.check")


def _versions() -> dict[str, str]:
    found = _RELEASE.match(version())
    release = found[0] if found else "0"
    return {"mysingle_version": release, "mysingle_next": str(int(release.split(".")[0]) + 1)}
