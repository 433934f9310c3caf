"""Kubernetes manifests whose numbers are those of the code: made, and compared."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.k8s.checking import Disagreement, check_manifest
    from mysingle.tooling.k8s.numbers import ClusterNumbers, StatedNumbers, cluster_numbers, task_end_seconds
    from mysingle.tooling.k8s.rendering import Workload, render_manifest
    from mysingle.tooling.k8s.subject import stated_numbers, workload_of

__all__ = [
    "ClusterNumbers",
    "Disagreement",
    "StatedNumbers",
    "Workload",
    "check_manifest",
    "cluster_numbers",
    "render_manifest",
    "stated_numbers",
    "task_end_seconds",
    "workload_of",
]

_MODULES = {
    ".checking": "Disagreement check_manifest",
    ".rendering": "Workload render_manifest",
    ".numbers": "ClusterNumbers StatedNumbers cluster_numbers task_end_seconds",
    ".subject": "stated_numbers workload_of",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}
)
