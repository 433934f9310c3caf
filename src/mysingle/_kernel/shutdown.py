"""How long the end of a service may take: the numbers that the server, the documentation and Kubernetes share."""

__all__ = ["CLOSE_SECONDS", "CLUSTER_DRAIN_SECONDS", "LEAVE_SECONDS", "longest_end"]

CLUSTER_DRAIN_SECONDS = 5.0
"""How long a draining service goes on serving in Kubernetes and under production rules, when nobody says."""

CLOSE_SECONDS = 20.0
"""How long the service's own lifespan and its resources may take to end."""

LEAVE_SECONDS = 3.0
"""How long threads may hold up the exit of the process."""


def longest_end(drain_delay_seconds: float, shutdown_grace_seconds: float) -> float:
    """Return the seconds from SIGTERM to the end of the process, when every step takes all of its time."""
    return drain_delay_seconds + shutdown_grace_seconds + CLOSE_SECONDS + LEAVE_SECONDS
