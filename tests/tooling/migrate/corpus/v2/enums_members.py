from enum import StrEnum


# TODO(mysingle v2): LogLevel was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class LogLevel(StrEnum):
    INFO = "info"


# TODO(mysingle v2): SeverityLevel was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class SeverityLevel(StrEnum):
    CRITICAL = "critical"


# TODO(mysingle v2): TaskStatus was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class TaskStatus(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    PENDING = "pending"


class Job:
    status = TaskStatus.PENDING

    def finish(self, failed: bool) -> TaskStatus:
        self.status = TaskStatus.FAILED if failed else TaskStatus.COMPLETED
        return self.status


LEVEL = LogLevel.INFO
WORST: SeverityLevel = SeverityLevel.CRITICAL
assert Job().finish(False).value == "completed"
