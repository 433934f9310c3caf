"""Background tasks: Celery on the platform's Redis databases, JSON only, with the caller's context in every task."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tasks._task import BackgroundTask
    from mysingle.tasks.app import TaskApp, create_celery_app
    from mysingle.tasks.worker import run_beat, run_worker

__all__ = ["BackgroundTask", "TaskApp", "create_celery_app", "run_beat", "run_worker"]

_MODULES = {
    "._task": "BackgroundTask",
    ".app": "TaskApp create_celery_app",
    ".worker": "run_beat run_worker",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}, extra="tasks"
)
