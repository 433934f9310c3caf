"""Orders, and who placed them."""

from mysingle.base.models import BaseTimeDocWithUserId
from mysingle.base.schemas import BaseResponseSchema
from mysingle.base.enums import TaskStatus


class Order(BaseTimeDocWithUserId):
    symbol: str
    status: TaskStatus = TaskStatus.PENDING

    class Settings:
        name = "orders"


class OrderOut(BaseResponseSchema):
    symbol: str
    status: TaskStatus
