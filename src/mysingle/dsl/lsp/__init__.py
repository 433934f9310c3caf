"""The editor service: findings, completion, hover and signature help, as pure functions over source text."""

from mysingle._kernel.extras import lazy_exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mysingle.dsl.lsp.catalog import functions_document
    from mysingle.dsl.lsp.service import (
        Completion,
        Hover,
        Item,
        Signature,
        analyse,
        complete,
        diagnostics,
        hover,
        signature_help,
    )

__all__ = [
    "Completion",
    "Hover",
    "Item",
    "Signature",
    "analyse",
    "complete",
    "diagnostics",
    "functions_document",
    "hover",
    "signature_help",
]

_SERVICE = tuple(name for name in __all__ if name != "functions_document")

__getattr__, __dir__ = lazy_exports(
    __name__, {**dict.fromkeys(_SERVICE, ".service"), "functions_document": ".catalog"}, extra="dsl"
)
