from mysingle.core.base import BaseDocument


class Item(BaseDocument): ...
