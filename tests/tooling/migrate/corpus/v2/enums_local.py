def status() -> str:
    # late, because of a cycle

    return TaskStatus.QUEUED.value


from enum import StrEnum


# TODO(mysingle v2): TaskStatus was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class TaskStatus(StrEnum):
    QUEUED = "queued"


assert status() == "queued"
