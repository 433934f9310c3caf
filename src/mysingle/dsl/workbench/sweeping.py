"""A sweep for people: every combination measured, the best of them with all their figures."""

import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mysingle.dsl.api import Program
from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.metrics import METRICS, Market, holdings
from mysingle.dsl.engine.performance import measure
from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.workbench.outcome import FIGURES, label
from mysingle.dsl.workbench.paint import Paint, clean, table

__all__ = ["Sweeping", "sweep_document", "sweep_over", "sweep_text", "write_csv"]

_SMALLER_IS_BETTER: Final = frozenset({"max_drawdown"})
_SHOWN: Final = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """All combinations with their value, best first in `order`, and all figures of the best."""

    metric: str
    combinations: tuple[Mapping[str, Any], ...]
    values: Any
    order: tuple[int, ...]
    figures: tuple[Mapping[str, float], ...]
    seconds: float

    @property
    def best(self) -> Mapping[str, Any]:
        """The parameters of the first in order."""
        return self.combinations[self.order[0]]


def sweep_over(
    program: Program, data: pd.DataFrame, combinations: Sequence[Mapping[str, Any]], *, metric: str, top: int,
    account: BrokerSettings, warmup: str = "first_valid", on_progress: Progress = lambda done, total: None,
) -> Sweeping:  # fmt: skip
    """
    Measure every combination.

    Signals are measured by the sweep engine; a strategy of orders runs once for each combination, with the simulated
    broker of `account`.

    Raises:
        DSLParameterError: a value that the strategy refuses, or no result that can be measured.
        DSLError: of the run, such as too much work.
    """
    began = time.perf_counter()
    if program.ir.orders:
        values = _by_orders(program, data, combinations, metric, account, warmup, on_progress)
    else:
        values = _by_signals(program, data, combinations, metric, warmup, on_progress)
    seconds = time.perf_counter() - began
    keys = np.where(np.isnan(values), np.inf, values if metric in _SMALLER_IS_BETTER else -values)
    order = tuple(np.argsort(keys, kind="stable")[: max(top, 1)].tolist())
    figures = tuple(_figures(program, data, combinations[at], account, warmup) for at in order[:top])
    return Sweeping(
        metric=metric, combinations=tuple(combinations), values=values, order=order, figures=figures, seconds=seconds
    )  # fmt: skip


def _by_signals(
    program: Program, data: pd.DataFrame, combinations: Sequence[Mapping[str, Any]], metric: str, warmup: str,
    on_progress: Progress,
) -> Any:  # fmt: skip
    if not {"entry", "exit"} <= set(program.outputs) and len(program.outputs) != 1:
        raise DSLParameterError("the strategy gives neither orders nor `entry` with `exit`, nor one condition")
    compute, market = METRICS[metric], Market(data["close"].to_numpy(dtype=np.float64))
    done = 0

    def measured(outputs: Mapping[str, Any]) -> float:
        nonlocal done
        done += 1
        on_progress(done, len(combinations))
        return compute(holdings(outputs), market)

    return program.sweep(data, combinations, metric=measured, top=1, warmup=warmup).values


def _by_orders(
    program: Program, data: pd.DataFrame, combinations: Sequence[Mapping[str, Any]], metric: str,
    account: BrokerSettings, warmup: str, on_progress: Progress,
) -> Any:  # fmt: skip
    values = np.full(len(combinations), np.nan)
    for at, params in enumerate(combinations):
        values[at] = _figures(program, data, params, account, warmup)[metric]
        on_progress(at + 1, len(combinations))
    return values


def _figures(
    program: Program, data: pd.DataFrame, params: Mapping[str, Any], account: BrokerSettings, warmup: str
) -> Mapping[str, float]:
    result = program.run(data, params, warmup=warmup, broker=account)
    performance = measure(result, data, account)
    return performance.figures if performance is not None else dict.fromkeys(METRICS, 0.0)


def sweep_text(name: str, data: pd.DataFrame, found: Sweeping, paint: Paint) -> Iterator[str]:
    """Give the best combinations as a table, and what else there is to know."""
    ends = f"{label(data.index, 0)} to {label(data.index, -1)}"
    yield paint.bold(f"{clean(name)}: {len(data):,} bars, {ends}")
    count = len(found.combinations)
    yield f"{count:,} combinations in {found.seconds:.2f} s, the best by {found.metric}:"
    yield ""
    others = [key for key in _SHOWN if key != found.metric]
    rows = [
        (
            str(rank),
            *(str(value) for value in found.combinations[at].values()),
            *(_shown(key, figures.get(key, math.nan)) for key in (found.metric, *others)),
        )
        for rank, (at, figures) in enumerate(zip(found.order, found.figures, strict=False), 1)
    ]
    head = ("#", *found.best, *(FIGURES[key][0] for key in (found.metric, *others)))
    yield from table(rows, head, paint)
    if found.figures:
        yield ""
        yield f"buy and hold: {_shown('buy_and_hold', found.figures[0].get('buy_and_hold', math.nan))}"
    yield paint.dim("The best of many is lucky too: try it on bars that the sweep has not seen.")


def _shown(key: str, value: float) -> str:
    return FIGURES[key][1](value) if math.isfinite(value) else "na"


def sweep_document(name: str, data: pd.DataFrame, found: Sweeping) -> dict[str, Any]:
    """Return the sweep as data that JSON can hold: a missing or infinite number is null."""
    best = [
        {
            "params": dict(found.combinations[at]),
            "value": _number(float(found.values[at])),
            "figures": {key: _number(value) for key, value in figures.items()},
        }
        for at, figures in zip(found.order, found.figures, strict=False)
    ]
    return {
        "strategy": name,
        "bars": len(data),
        "metric": found.metric,
        "combinations": len(found.combinations),
        "seconds": round(found.seconds, 3),
        "best": best,
    }


def write_csv(found: Sweeping, path: Path) -> None:
    """
    Write every combination with its value, in the order of the grid.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow((*found.best, found.metric))
        for params, value in zip(found.combinations, found.values.tolist(), strict=True):
            rows.writerow((*params.values(), "" if math.isnan(value) else repr(value)))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
