"""New services from a template, and later templates into services that people have edited."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.scaffold.answers import Answers, ScaffoldError
    from mysingle.tooling.scaffold.creation import create
    from mysingle.tooling.scaffold.merging import Change, Outcome
    from mysingle.tooling.scaffold.update import Update, finish_interrupted, plan_update

__all__ = ["Answers", "Change", "Outcome", "ScaffoldError", "Update", "create", "finish_interrupted", "plan_update"]

_MODULES = {
    ".answers": "Answers ScaffoldError",
    ".creation": "create",
    ".merging": "Change Outcome",
    ".update": "Update finish_interrupted plan_update",
}

__getattr__, __dir__ = lazy_exports(
    __name__,
    {name: module for module, names in _MODULES.items() for name in names.split()},
    extra="dev",
)
