"""What may be wrong around a service: settings, reachability, clocks, trust, targets, drain."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.doctor.examining import Subject, examine
    from mysingle.tooling.doctor.report import Line, Report, Section, Status

__all__ = ["Line", "Report", "Section", "Status", "Subject", "examine"]

_MODULES = {".examining": "Subject examine", ".report": "Line Report Section Status"}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}
)
