"""The workshop beside the house: tools that build and check services, and are never part of one."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.proto_template import first_files
    from mysingle.tooling.protos import ProtoMethod, ProtoWorkspace

__all__ = ["ProtoMethod", "ProtoWorkspace", "first_files"]

__getattr__, __dir__ = lazy_exports(
    __name__, {"ProtoMethod": ".protos", "ProtoWorkspace": ".protos", "first_files": ".proto_template"}
)
