"""With a byte order mark."""

from mysingle.core.base import BaseDocument


class Item(BaseDocument): ...
