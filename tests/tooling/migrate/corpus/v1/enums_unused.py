from mysingle.base.enums import TaskStatus  # noqa: F401
from mysingle.base import BaseDocument


class Item(BaseDocument): ...
