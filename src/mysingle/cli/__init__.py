"""The command line: `mysingle` and `mysingle-proto`."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.cli._main import main, proto_main

__all__ = ["main", "proto_main"]

__getattr__, __dir__ = lazy_exports(__name__, {"main": "._main", "proto_main": "._main"})
