"""The workshop beside the house: tools that build and check services, and are never part of one."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.protos import ProtoWorkspace

__all__ = ["ProtoWorkspace"]

__getattr__, __dir__ = lazy_exports(__name__, {"ProtoWorkspace": ".protos"})
