"""What visitors send: the shape and the bounds of every field."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mysingle.dsl.limits import LIMITS

__all__ = [
    "MOST_SHOWN",
    "Account",
    "CheckRequest",
    "CsvData",
    "DemoData",
    "ExplainRequest",
    "RunRequest",
    "SweepRequest",
]

MOST_SHOWN: Final = 3_000
"""Bars in one picture."""
_CSV_CHARACTERS: Final = 8 * 1024 * 1024
_VALUES: Final = 60
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, StringConstraints(max_length=LIMITS.identifier)]
_Value = bool | int | float | Annotated[str, StringConstraints(max_length=LIMITS.string)] | None
_Params = Annotated[dict[_Name, _Value], Field(max_length=LIMITS.parameters)]


class _Strict(BaseModel):
    """A field that nobody knows is a mistake, and a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DemoData(_Strict):
    """Prices made from a number."""

    demo: Literal["market", "trend", "range", "crash", "wild"] = "market"
    bars: Annotated[int, Field(ge=20, le=5_000)] = 600
    seed: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class CsvData(_Strict):
    """A file of the visitor, as text; nothing of it is kept."""

    csv: Annotated[str, StringConstraints(max_length=_CSV_CHARACTERS)]


class Account(_Strict):
    """The simulated account; commission and slippage are fractions of the price of each fill."""

    capital: Annotated[_Finite, Field(ge=1.0, le=1e12)] = 100_000.0
    commission: Annotated[_Finite, Field(ge=0.0, le=0.5)] = 0.0
    slippage: Annotated[_Finite, Field(ge=0.0, le=0.5)] = 0.0


class _Source(_Strict):
    """A strategy."""

    source: Annotated[str, StringConstraints(max_length=2 * LIMITS.source_bytes)]
    mode: Literal["strict", "research"] = "strict"
    profile: Literal["standard", "mysingle-1"] = "standard"


class _Position(_Strict):
    """A place in the source; both count from 1."""

    line: Annotated[int, Field(ge=1, le=1_000_000)]
    column: Annotated[int, Field(ge=1, le=1_000_000)]


class CheckRequest(_Source):
    """A strategy to look at; with `position` the answer says what may stand there instead of what is wrong."""

    columns: Annotated[list[_Name], Field(max_length=200)] = []
    position: _Position | None = None


class _WithData(_Source):
    data: DemoData | CsvData = Field(default_factory=DemoData)
    params: _Params = Field(default_factory=dict)


class RunRequest(_WithData):
    """A run; at most `count` bars from `first` on are drawn, the last ones when `first` is not given."""

    warmup: Literal["first_valid", "converged", "off"] = "first_valid"
    account: Account = Field(default_factory=Account)
    first: Annotated[int, Field(ge=0, le=LIMITS.bars)] | None = None
    count: Annotated[int, Field(ge=2, le=MOST_SHOWN)] = MOST_SHOWN


class SweepRequest(_WithData):
    """A run for every combination of the values of one or two parameters."""

    space: Annotated[
        dict[_Name, Annotated[list[_Value], Field(min_length=1, max_length=_VALUES)]], Field(min_length=1, max_length=2)
    ]
    metric: Literal["total_return", "sharpe", "max_drawdown", "win_rate", "trades"] = "sharpe"
    account: Account = Field(default_factory=Account)


class ExplainRequest(_WithData):
    """The values of all variables at one bar; negative bars count from the end."""

    bar: Annotated[int, Field(ge=-LIMITS.bars, le=LIMITS.bars)] = -1
