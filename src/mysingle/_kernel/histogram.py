"""A histogram of durations that is cheap to add to and to scrape, because it runs for every request."""

import time
from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["DURATION_BUCKETS", "DurationHistogram", "DurationSeries", "label_pairs"]

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds. Source: OpenTelemetry semantic conventions, HTTP and RPC metrics."""


class DurationSeries:
    """The durations of one set of labels. Not for use by several threads: it belongs to the event loop's one."""

    __slots__ = ("_bounds", "_exemplars", "_prefixes", "_tail", "counts", "total")

    def __init__(self, name: str, labels: str, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._exemplars: dict[int, str] = {}
        edges = [*map(repr, bounds), "+Inf"]
        self._prefixes = [f'{name}_bucket{{{labels},le="{edge}"}} ' for edge in edges]
        self._tail = (f"{name}_count{{{labels}}} ", f"{name}_sum{{{labels}}} ")

    def observe(self, seconds: float, trace_id: str | None = None) -> None:
        """Add one duration; `trace_id`, of a sampled trace, becomes the exemplar of its bucket."""
        index = bisect_left(self._bounds, seconds)
        self.counts[index] += 1
        self.total += seconds
        if trace_id is not None:
            self._exemplars[index] = f' # {{trace_id="{trace_id}"}} {seconds!r} {time.time():.3f}'

    def lines(self, with_exemplars: bool) -> list[str]:
        """Return the series in the text format, buckets cumulated."""
        lines, running = [], 0
        for index, (prefix, count) in enumerate(zip(self._prefixes, self.counts, strict=True)):
            running += count
            exemplar = self._exemplars.get(index, "") if with_exemplars else ""
            lines.append(f"{prefix}{running}.0{exemplar}")
        lines += (f"{self._tail[0]}{running}.0", f"{self._tail[1]}{self.total!r}")
        return lines


class DurationHistogram:
    """
    A family of series, named in seconds. Its labels are rendered once, so a scrape only writes numbers.

    Source of the formats: Prometheus text exposition 0.0.4, OpenMetrics 1.0 (exemplars).
    """

    def __init__(self, name: str, help_text: str, label_names: Sequence[str], bounds: Sequence[float]) -> None:
        self._name = name
        self._head = [f"# HELP {name} {help_text}", f"# TYPE {name} histogram"]
        self._label_names = tuple(label_names)
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, ...], DurationSeries] = {}

    def labels(self, *values: str) -> DurationSeries:
        """Return the series of one set of label values, in the order of the names."""
        series = self._series.get(values)
        if series is None:
            labels = label_pairs(self._label_names, values)
            series = self._series[values] = DurationSeries(self._name, labels, self._bounds)
        return series

    def series(self) -> list[DurationSeries]:
        """Return all series so far."""
        return list(self._series.values())

    def render(self, with_exemplars: bool) -> bytes:
        """Return the family in the text format, with its line breaks."""
        lines = [*self._head]
        for series in self._series.values():
            lines += series.lines(with_exemplars)
        return "\n".join([*lines, ""]).encode()


def label_pairs(names: Sequence[str], values: Sequence[str]) -> str:
    """Return labels as both text formats write them between the braces."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
