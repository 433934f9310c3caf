"""What calls between services measure: durations, calls in flight, and what was refused or repeated."""

from collections.abc import Sequence
from functools import cache

from mysingle._kernel.histogram import DURATION_BUCKETS, DurationHistogram, DurationSeries, label_pairs

__all__ = ["RpcCount", "RpcFamily", "RpcMetrics", "client_metrics"]

_SYSTEM = "grpc"
_SERVER_LABELS = ("rpc_system_name", "rpc_method", "rpc_status_code", "error_type")
_CLIENT_LABELS = (*_SERVER_LABELS, "server_address", "server_port")


class RpcCount:
    """One number of one set of labels. It belongs to the event loop's thread."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Add to it."""
        self.value += amount

    def dec(self) -> None:
        """Take one from it."""
        self.value -= 1

    def set(self, value: float) -> None:
        """Replace it."""
        self.value = value


class RpcFamily:
    """A counter or a gauge with labels."""

    def __init__(self, name: str, help_text: str, kind: str, label_names: Sequence[str]) -> None:
        self.name, self.kind = name, kind
        self.label_names = tuple(label_names)
        self._help = help_text
        self._series: dict[tuple[str, ...], RpcCount] = {}

    def labels(self, *values: str) -> RpcCount:
        """Return the number of one set of label values, in the order of the names."""
        return self._series.setdefault(values, RpcCount()) if values not in self._series else self._series[values]

    def total(self) -> float:
        """Return the sum of all series."""
        return sum(count.value for count in self._series.values())

    def render(self, *, is_openmetrics: bool) -> list[str]:
        """Return the lines of the text format; none while nothing was counted."""
        if not self._series:
            return []
        sample = f"{self.name}_total" if self.kind == "counter" else self.name
        name = self.name if is_openmetrics else sample
        lines = [f"# HELP {name} {self._help}", f"# TYPE {name} {self.kind}"]
        for values, count in self._series.items():
            lines.append(f"{sample}{{{label_pairs(self.label_names, values)}}} {count.value!r}")
        return lines


class RpcMetrics:
    """The calls of one server, or those that one process makes to others (`is_client`)."""

    def __init__(self, *, is_client: bool) -> None:
        side = "client" if is_client else "server"
        labels = _CLIENT_LABELS if is_client else _SERVER_LABELS
        name = f"rpc_{side}_call_duration_seconds"
        self._durations = DurationHistogram(name, f"Duration of gRPC {side} calls.", labels, DURATION_BUCKETS)
        self._has_durations = False
        self.active = RpcFamily(f"rpc_{side}_active_calls", "gRPC calls in flight.", "gauge", ("rpc_method",))
        self.shed = RpcFamily("mysingle_shed", "Calls that the gate refused.", "counter", ("reason",))
        self.exhausted = RpcFamily(
            "mysingle_deadline_exhausted", "Calls not made, for want of time.", "counter", ("rpc_method",)
        )
        self.retries = RpcFamily(
            "grpc_client_call_retries", "Attempts after the first one.", "counter", ("grpc_method", "grpc_target")
        )
        self.hedges = RpcFamily(
            "grpc_client_call_hedges", "Second attempts that did not wait.", "counter", ("grpc_method", "grpc_target")
        )
        self.rejected = RpcFamily(
            "mysingle_breaker_rejected", "Calls that the breaker refused.", "counter", ("grpc_target",)
        )
        self.breaker = RpcFamily(
            "mysingle_breaker_state", "Probability with which the breaker refuses.", "gauge", ("grpc_target",)
        )
        self._families = (
            self.active,
            self.shed,
            self.exhausted,
            self.retries,
            self.hedges,
            self.rejected,
            self.breaker,
        )

    def duration(self, method: str, code: str, error_type: str, *address: str) -> DurationSeries:
        """Return where durations of calls with one end are counted; a client adds the address and the port."""
        self._has_durations = True
        return self._durations.labels(_SYSTEM, method, code, error_type, *address)

    def count(self) -> int:
        """Return how many calls have ended."""
        return sum(sum(series.counts) for series in self._durations.series())

    def render(self, *, is_openmetrics: bool) -> bytes:
        """Return the families in the text format; only those that have counted something."""
        durations = self._durations.render(with_exemplars=is_openmetrics) if self._has_durations else b""
        lines = [line for family in self._families for line in family.render(is_openmetrics=is_openmetrics)]
        return durations + "".join(f"{line}\n" for line in lines).encode()


@cache
def client_metrics() -> RpcMetrics:
    """Return what this process measures of the calls that it makes."""
    return RpcMetrics(is_client=True)
