"""The stack around every request, plain ASGI, one file a layer; `core._assemble.MIDDLEWARE` is its order."""
