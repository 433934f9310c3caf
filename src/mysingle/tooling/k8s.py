"""The numbers of a Kubernetes manifest, from the settings and the code that they have to agree with."""

import math
from typing import NamedTuple

from mysingle._kernel.settings import HttpSettings, ProjectSettings, TaskSettings
from mysingle._kernel.shutdown import CLUSTER_DRAIN_SECONDS, longest_end

__all__ = ["ClusterNumbers", "cluster_numbers", "task_end_seconds"]

_PERIOD_SECONDS = 1
_FAILURES = 2
_STEP_SECONDS = 5
_TASK_ENDING_SECONDS = 60


class ClusterNumbers(NamedTuple):
    """Seconds and counts for probes and the end of a pod, in whole numbers."""

    drain_delay_seconds: int
    shutdown_grace_seconds: int
    termination_grace_seconds: int
    probe_period_seconds: int
    readiness_failures: int
    startup_failures: int


def cluster_numbers() -> ClusterNumbers:
    """
    Return the numbers that match the defaults of this version.

    A pod stays ready for `probe_period_seconds * readiness_failures` after it has begun to drain, which is shorter
    than the drain delay; and Kubernetes kills no sooner than the slowest clean end.
    """
    grace = HttpSettings.model_fields["SHUTDOWN_GRACE_SECONDS"].default
    start = ProjectSettings.model_fields["STARTUP_TIMEOUT_SECONDS"].default
    longest = longest_end(CLUSTER_DRAIN_SECONDS, grace)
    return ClusterNumbers(
        drain_delay_seconds=math.ceil(CLUSTER_DRAIN_SECONDS),
        shutdown_grace_seconds=math.ceil(grace),
        termination_grace_seconds=math.ceil(longest / _STEP_SECONDS) * _STEP_SECONDS,
        probe_period_seconds=_PERIOD_SECONDS,
        readiness_failures=_FAILURES,
        startup_failures=2 * math.ceil(start / _PERIOD_SECONDS),
    )


def task_end_seconds() -> int:
    """Return how long a worker may take to end: a task that has just begun has its whole time, and a minute more."""
    limit: int = TaskSettings.model_fields["TASKS_TIME_LIMIT_SECONDS"].default
    return limit + _TASK_ENDING_SECONDS
