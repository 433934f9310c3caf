"""Documents of the service."""

from mysingle.core.base import BaseTimeDocWithUserId, BaseTimeDocument  # documents
from mysingle.core.base import BaseResponseSchema


class Order(BaseTimeDocWithUserId):
    # what is traded
    symbol: str


class Trade(BaseTimeDocument):
    price: float


class OrderOut(BaseResponseSchema):
    symbol: str
