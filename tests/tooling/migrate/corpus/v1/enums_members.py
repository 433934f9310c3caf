from mysingle.base.enums import LogLevel, SeverityLevel, TaskStatus


class Job:
    status = TaskStatus.PENDING

    def finish(self, failed: bool) -> TaskStatus:
        self.status = TaskStatus.FAILED if failed else TaskStatus.COMPLETED
        return self.status


LEVEL = LogLevel.INFO
WORST: SeverityLevel = SeverityLevel.CRITICAL
assert Job().finish(False).value == "completed"
