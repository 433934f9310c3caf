"""The first files of a service's own protos."""

import re

from mysingle._kernel.errors import InvalidArgumentError

__all__ = ["first_files"]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ORGANISATION = re.compile(r"[a-z][a-z0-9_]{0,62}")

_BUF = """\
version: v2
lint:
  use:
    - STANDARD
    - COMMENTS
breaking:
  use:
    - FILE
"""

_GENERATE = """\
version: v2
clean: true
plugins:
  - local: [python, -m, mysingle.tooling.stubs]
    out: {out}
    strategy: all
"""

_PROTO = """\
// What {service} does.
syntax = "proto3";

package {package};

// Asks for one item.
message GetItemRequest {{
  // Its id.
  string item_id = 1;
}}

// One item.
message GetItemResponse {{
  // Its id.
  string item_id = 1;
}}

// Keeps items.
service {title} {{
  // Returns one item; NOT_FOUND when there is none.
  rpc GetItem(GetItemRequest) returns (GetItemResponse) {{
    option idempotency_level = NO_SIDE_EFFECTS;
  }}
}}
"""


def first_files(service: str, organisation: str, out: str) -> dict[str, str]:
    """
    Return the files that a folder of protos begins with, by name.

    Raises:
        InvalidArgumentError: a service or an organisation that is no name.
    """
    if not _NAME.fullmatch(service):
        raise InvalidArgumentError(f"{service!r} is no name of a service, such as order-service", reason="PROTO_NAME")
    if not _ORGANISATION.fullmatch(organisation):
        raise InvalidArgumentError(f"{organisation!r} is no name of a package, such as acme", reason="PROTO_NAME")
    word = service.removesuffix("-service").replace("-", "_") or "service"
    title = "".join(part.capitalize() for part in word.split("_")) + "Service"
    package = f"{organisation}.{word}.v1"
    return {
        "buf.yaml": _BUF,
        "buf.gen.yaml": _GENERATE.format(out=out),
        f"{organisation}/{word}/v1/{word}.proto": _PROTO.format(service=service, package=package, title=title),
    }
