from enum import StrEnum


# TODO(mysingle v2): TaskStatus was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class TaskStatus(StrEnum):
    DONE = "done"
    RUNNING = "running"

STATUS = TaskStatus.RUNNING
OTHER = TaskStatus.DONE
