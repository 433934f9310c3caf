"""The package inside of a service, as a git submodule: add it, update it, see how it stands, give changes back."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.submodule.checkout import DEFAULT_PATH, Checkout, Standing, SubmoduleError
    from mysingle.tooling.submodule.installing import install_editable, origin
    from mysingle.tooling.submodule.workflow import Workflow

__all__ = [
    "DEFAULT_PATH",
    "Checkout",
    "Standing",
    "SubmoduleError",
    "Workflow",
    "install_editable",
    "origin",
]

_MODULES = {
    ".checkout": "DEFAULT_PATH Checkout Standing SubmoduleError",
    ".installing": "install_editable origin",
    ".workflow": "Workflow",
}

__getattr__, __dir__ = lazy_exports(
    __name__, {name: module for module, names in _MODULES.items() for name in names.split()}
)
