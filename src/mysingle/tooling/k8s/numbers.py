"""The numbers of a Kubernetes manifest, from the settings and the code that they have to agree with."""

import math
from typing import NamedTuple

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.settings import HttpSettings, ProjectSettings, TaskSettings
from mysingle._kernel.shutdown import CLUSTER_DRAIN_SECONDS, longest_end

__all__ = ["UNSTATED", "ClusterNumbers", "StatedNumbers", "cluster_numbers", "default_numbers", "task_end_seconds"]

_PERIOD_SECONDS = 1
_FAILURES = 2
_STEP_SECONDS = 5
_TASK_ENDING_SECONDS = 60


class StatedNumbers(NamedTuple):
    """Seconds that somebody has chosen for a service; None leaves them to the code."""

    drain_delay_seconds: float | None = None
    shutdown_grace_seconds: float | None = None
    startup_timeout_seconds: float | None = None
    task_limit_seconds: float | None = None

    def completed(self) -> "StatedNumbers":
        """Return what then holds in a cluster."""
        pairs = zip(self, default_numbers(), strict=True)
        return StatedNumbers(*(usual if mine is None else mine for mine, usual in pairs))


UNSTATED = StatedNumbers()


class ClusterNumbers(NamedTuple):
    """Seconds and counts for probes and the end of a pod, in whole numbers."""

    drain_delay_seconds: int
    shutdown_grace_seconds: int
    termination_grace_seconds: int
    probe_period_seconds: int
    readiness_failures: int
    startup_failures: int
    pre_stop_seconds: int = 0


def default_numbers() -> StatedNumbers:
    """Return the seconds of a service in a cluster for which nobody has chosen any."""
    return StatedNumbers(
        CLUSTER_DRAIN_SECONDS,
        HttpSettings.model_fields["SHUTDOWN_GRACE_SECONDS"].default,
        ProjectSettings.model_fields["STARTUP_TIMEOUT_SECONDS"].default,
        TaskSettings.model_fields["TASKS_TIME_LIMIT_SECONDS"].default,
    )


def cluster_numbers(stated: StatedNumbers = UNSTATED, pre_stop_seconds: int = 0) -> ClusterNumbers:
    """
    Return the numbers that match this version, and the seconds that were chosen for the service.

    A pod stays ready for `probe_period_seconds * readiness_failures` after it has begun to drain, which is shorter
    than the drain delay; and Kubernetes kills no sooner than the slowest clean end. A pause before SIGTERM is a part
    of the drain, so the service itself drains for what is left.

    Raises:
        InvalidArgumentError: the drain is too short for any probe to see it.
    """
    drain, grace, start = (float(seconds or 0) for seconds in stated.completed()[:3])
    own_drain = max(0, math.ceil(drain) - pre_stop_seconds)
    seen_after = min(_FAILURES, math.ceil((own_drain + pre_stop_seconds) / _PERIOD_SECONDS) - 1)
    if seen_after < 1:
        raise InvalidArgumentError(
            f"a drain of {drain:g} s ends before a probe can see it: "
            f"set DRAIN_DELAY_SECONDS to {_PERIOD_SECONDS + 1} or more, {CLUSTER_DRAIN_SECONDS:g} is usual"
        )
    longest = pre_stop_seconds + longest_end(own_drain, grace)
    return ClusterNumbers(
        drain_delay_seconds=own_drain,
        shutdown_grace_seconds=math.ceil(grace),
        termination_grace_seconds=math.ceil(longest / _STEP_SECONDS) * _STEP_SECONDS,
        probe_period_seconds=_PERIOD_SECONDS,
        readiness_failures=seen_after,
        startup_failures=2 * math.ceil(start / _PERIOD_SECONDS),
        pre_stop_seconds=pre_stop_seconds,
    )


def task_end_seconds(limit_seconds: float | None = None) -> int:
    """
    Return how long a worker may take to end: a task that has just begun has its whole time, and a minute more.

    `limit_seconds` is `TASKS_TIME_LIMIT_SECONDS`, its default when not given.
    """
    limit = default_numbers().task_limit_seconds if limit_seconds is None else limit_seconds
    return math.ceil(limit or 0) + _TASK_ENDING_SECONDS
