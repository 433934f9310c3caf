def status() -> str:
    # late, because of a cycle
    from mysingle.base.enums import TaskStatus

    return TaskStatus.QUEUED.value


assert status() == "queued"
