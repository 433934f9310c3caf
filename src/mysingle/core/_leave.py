"""The end of a process that nothing can hold up: not a thread that sleeps, not a task that ignores its cancellation."""

import os
import threading

from mysingle._kernel.logging import flush_logs, get_logger

__all__ = ["leave_within"]

log = get_logger("mysingle.core")


def leave_within(seconds: float, exit_code: int) -> threading.Timer:
    """
    End the process for good unless the returned timer is cancelled in time; say which threads were still there.

    Python itself waits at its exit for every thread that is not a daemon, without a limit.
    """

    def leave() -> None:
        names = sorted(thread.name for thread in threading.enumerate() if not thread.daemon)
        log.critical("service.stuck", threads=names, waited_s=seconds)
        flush_logs()
        os._exit(exit_code)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
    return timer
