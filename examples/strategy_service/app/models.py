"""What the service stores, and what it says and hears over HTTP."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from mysingle.core.base import BaseResponseSchema, BaseTimeDocWithUserId

Name = Annotated[str, Field(min_length=1, max_length=80)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9.-]{1,15}$")]
Interval = Literal["1m", "5m", "1h", "1d"]
Status = Literal["draft", "running"]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Source = Annotated[str, Field(min_length=1, max_length=32_768)]


class Strategy(BaseTimeDocWithUserId):
    """A strategy, owned by one user."""

    name: Name
    symbol: Symbol
    interval: Interval = "1d"
    status: Status = "draft"
    source: Source
    parameters: dict[str, float] = Field(default_factory=dict)

    class Settings:
        name = "strategies"
        indexes: ClassVar[list[str]] = ["user_id"]
        require_owner = True


class StrategyIn(BaseModel, extra="forbid"):
    """What a user sends to create or replace a strategy."""

    name: Name
    symbol: Symbol
    interval: Interval = "1d"
    source: Source
    parameters: dict[Parameter, Number] = Field(default_factory=dict)


class StrategyOut(BaseResponseSchema):
    """A strategy as the API shows it."""

    user_id: str
    name: str
    symbol: str
    interval: Interval
    status: Status
    source: str
    parameters: dict[str, float]
    created_at: datetime
    updated_at: datetime


class StrategyPage(BaseModel):
    """One page of a user's strategies; `next_cursor` is None on the last one."""

    items: list[StrategyOut]
    next_cursor: str | None
