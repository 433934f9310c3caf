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
    from mysingle.dsl.lsp.typescript import declarations

__all__ = [
    "Completion",
    "Hover",
    "Item",
    "Signature",
    "analyse",
    "complete",
    "declarations",
    "diagnostics",
    "functions_document",
    "hover",
    "signature_help",
]

_APART = {"declarations": ".typescript", "functions_document": ".catalog"}

__getattr__, __dir__ = lazy_exports(__name__, {**dict.fromkeys(__all__, ".service"), **_APART}, extra="dsl")
