"""Windows."""

from mysingle.base.enums import TaskStatus
from mysingle.base import BaseDocument


class Item(BaseDocument):
    status: TaskStatus = TaskStatus.OPEN
