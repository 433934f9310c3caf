"""Documents of the service."""

from mysingle.base.models import BaseTimeDocWithUserId, BaseTimeDocument  # documents
from mysingle.base.schemas import BaseResponseSchema


class Order(BaseTimeDocWithUserId):
    # what is traded
    symbol: str


class Trade(BaseTimeDocument):
    price: float


class OrderOut(BaseResponseSchema):
    symbol: str
