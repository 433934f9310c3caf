"""What a folder says about its service: the name, the version, the parts, and the seconds that were chosen."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.settings import CommonSettings, GrpcSettings
from mysingle.tooling.k8s.numbers import StatedNumbers
from mysingle.tooling.k8s.rendering import Workload

__all__ = ["stated_numbers", "workload_of"]

_REMEMBERED = ".mysingle-template.json"
_GRPC_PORT = GrpcSettings.model_fields["GRPC_SERVER_PORT"].default


def stated_numbers(folder: Path) -> StatedNumbers:
    """
    Return the seconds that the environment, or the `.env` of the folder, gives to a service.

    Raises:
        SettingsError: some setting is wrong.
    """
    settings = CommonSettings(_env_file=folder / ".env")
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return StatedNumbers(
        values.get("DRAIN_DELAY_SECONDS"),
        values.get("SHUTDOWN_GRACE_SECONDS"),
        values.get("STARTUP_TIMEOUT_SECONDS"),
        values.get("TASKS_TIME_LIMIT_SECONDS"),
    )


def workload_of(folder: Path, *, name: str | None = None, image: str | None = None) -> Workload:
    """
    Return what runs: the project of the folder, and the parts with which `mysingle new` has made it.

    Args:
        folder: of the service.
        name: instead of the project's own.
        image: instead of the name with the version as its tag.

    Raises:
        InvalidArgumentError: there is no name, or one that cannot be used.
    """
    project = _project(folder)
    found = name or project.get("name")
    if not isinstance(found, str):
        raise InvalidArgumentError(
            f"{folder} has no pyproject.toml with a project's name: name the folder of a service, or give --name"
        )
    version = project.get("version", "0.1.0") if name in (None, project.get("name")) else "0.1.0"
    tag = str(version).replace("+", "-")  # which a tag of an image may not have
    workload = Workload(name=found, image=image or f"{found}:{tag}")
    answers = _answers(folder)
    return replace(
        workload,
        is_iam=answers.get("service_type") == "iam",
        has_tasks=answers.get("tasks") is True,
        grpc_port=_GRPC_PORT if answers.get("grpc") is True else None,
    )


def _project(folder: Path) -> dict[str, Any]:
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidArgumentError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InvalidArgumentError(f"{file} cannot be read: {error}") from None
    return project if isinstance(project, dict) else {}


def _answers(folder: Path) -> dict[str, Any]:
    """Return what the service remembers of its making; a service that was made otherwise remembers nothing."""
    try:
        answers = json.loads((folder / _REMEMBERED).read_text(encoding="utf-8"))["answers"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return answers if isinstance(answers, dict) else {}
