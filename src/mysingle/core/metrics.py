"""Metrics: one registry an app, one for what the process shares."""

from mysingle._kernel.metrics import DURATION_BUCKETS, OTHER, ProcessMetrics, ServiceMetrics, process_metrics

__all__ = ["DURATION_BUCKETS", "OTHER", "ProcessMetrics", "ServiceMetrics", "process_metrics"]
