"""The guide as code: finds what a service does against its rules, and repairs what is safe to repair."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.check.baseline import Baseline
    from mysingle.tooling.check.checking import CheckReport, check_paths, check_text, fix_paths
    from mysingle.tooling.check.configuration import CheckConfig, find_pyproject, read_config
    from mysingle.tooling.check.errors import CheckError
    from mysingle.tooling.check.findings import Finding
    from mysingle.tooling.check.formats import FORMATS, written
    from mysingle.tooling.check.rules import FAMILIES, RULES, Rule

__all__ = [
    "FAMILIES",
    "FORMATS",
    "RULES",
    "Baseline",
    "CheckConfig",
    "CheckError",
    "CheckReport",
    "Finding",
    "Rule",
    "check_paths",
    "check_text",
    "find_pyproject",
    "fix_paths",
    "read_config",
    "written",
]

_MODULES = {
    ".baseline": "Baseline",
    ".checking": "CheckReport check_paths check_text fix_paths",
    ".configuration": "CheckConfig find_pyproject read_config",
    ".errors": "CheckError",
    ".findings": "Finding",
    ".formats": "FORMATS written",
    ".rules": "FAMILIES RULES Rule",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}
)
