"""With a byte order mark."""

from mysingle.base import BaseDocument


class Item(BaseDocument): ...
