"""What visitors ask for, computed; every function here runs in a thread and ends within its tier and deadline."""

import sys
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Final, TypeVar

import pandas as pd

from mysingle.dsl import lsp
from mysingle.dsl.api import Program
from mysingle.dsl.api import compile as compile_strategy
from mysingle.dsl.engine.bind import bind
from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.budget import CancelToken
from mysingle.dsl.engine.performance import Performance, measure
from mysingle.dsl.engine.result import Result
from mysingle.dsl.engine.run import RunOptions
from mysingle.dsl.errors import Diagnostic, DSLError, DSLParameterError, DSLTimeoutError, Severity
from mysingle.dsl.limits import TIERS, ResourceLimits
from mysingle.dsl.playground.picture import number, numbers, picture
from mysingle.dsl.playground.prices import check_columns, read_prices
from mysingle.dsl.playground.requests import CheckRequest, ExplainRequest, RunRequest, SweepRequest
from mysingle.dsl.sandbox.pool import WorkerPool
from mysingle.dsl.workbench.outcome import label
from mysingle.dsl.workbench.report import explanation_document, shown

__all__ = ["DEADLINE_SECONDS", "Pool", "check", "explain", "run", "sweep", "with_findings"]

DEADLINE_SECONDS: Final = 10
_TIER: Final = "free"
_HERE: Final = TIERS["in_process"]
"""Up to this much work is done in the process itself: no kernel of it holds the interpreter for long."""
_LIMITS: Final = ResourceLimits(MAX_EXECUTION_TIME_SECONDS=DEADLINE_SECONDS)
_PRICES: Final = ("open", "high", "low", "close")
_MOST_COMBINATIONS: Final = 3_600
_BEST: Final = 20
Document = dict[str, Any]
T = TypeVar("T")


class Pool:
    """The workers for runs that are too large for the process; they start with the first such run."""

    def __init__(self, size: int) -> None:
        self._workers = WorkerPool(max(size, 1))

    def run(self, program: Program, data: Any, params: Mapping[str, Any], options: RunOptions) -> Result | None:
        """Run in a worker; None where the system has none, and the run must be done here."""
        if not sys.platform.startswith("linux"):
            return None
        return self._workers.run(program.ir, data, params, options)

    def close(self) -> None:
        """End the workers."""
        self._workers.close()


def check(request: CheckRequest, _pool: Pool, _cancel: CancelToken) -> Document:
    """Return what is wrong and what the program means; with a position, what may stand there."""
    if request.position is not None:
        return _at_position(request, request.position.line, request.position.column)
    program, found = lsp.analyse(
        request.source, profile=request.profile, mode=request.mode, columns=_names(request.columns)
    )
    return {
        "ok": program is not None and all(item.severity is not Severity.ERROR for item in found),
        "diagnostics": [item.document() for item in found],
        "program": program and _meaning(program),
    }


def _names(columns: list[str]) -> tuple[str, ...]:
    return tuple(name for name in columns if name.isidentifier() and not name.startswith("_"))


def _at_position(request: CheckRequest, line: int, column: int) -> Document:
    columns = _names(request.columns)
    signature = lsp.signature_help(request.source, line, column)
    hover = lsp.hover(request.source, line, column, columns=columns)
    return {
        "completion": lsp.complete(request.source, line, column, columns=columns).document(),
        "signature": signature and signature.document(),
        "hover": hover and hover.document(),
    }


def _meaning(program: Program) -> Document:
    found = explanation_document(str(program.metadata.get("name", "")), program, 10_000)
    return {**found, "has_result": bool(program.outputs), "has_orders": bool(program.ir.orders)}


def run(request: RunRequest, pool: Pool, cancel: CancelToken) -> Document:
    """Run a strategy, and return the picture of it with its figures and trades."""
    data, program = _prepared(request)
    params = bind(program.ir, request.params)
    account = BrokerSettings(**request.account.model_dump())
    cost = program.cost(len(data), params)
    options = RunOptions(
        warmup=request.warmup, broker=account, tier=TIERS[_TIER], limits=_LIMITS, cancel=cancel
    )  # fmt: skip
    result = pool.run(program, data, params, options) if cost.gas > _HERE.gas else None
    trace: list[tuple[str, int, Any]] = []
    if result is None:
        result = program.run(
            data, params, warmup=request.warmup, broker=account, tier=_TIER, limits=_LIMITS, cancel=cancel
        )
        trace = program.trace(data, params, broker=account, tier=_TIER, limits=_LIMITS, cancel=cancel)
    performance = measure(result, data, account)
    first = max(len(data) - request.count, 0) if request.first is None else min(request.first, len(data) - 2)
    return {
        "name": program.metadata.get("name", ""),
        "picture": picture(data, result, performance, trace, max(first, 0), request.count),
        **_outcome(data, result, performance),
        "lookahead": _lookahead(program),
        "cost": {"gas": cost.gas, "peak_mb": round(cost.peak_mb, 2), "by_line": cost.by_line, "bars": len(data)},
    }


def _prepared(request: Any) -> tuple[pd.DataFrame, Program]:
    """Read the data, compile the source for its columns, and check that it has what the program reads."""
    data = read_prices(request.data)
    program = compile_strategy(request.source, request.profile, request.mode, list(data.columns))
    needed = list(program.columns)
    needed += [name for name in _PRICES if program.ir.orders and name not in needed]
    check_columns(data, needed)
    return data, program


def _outcome(data: pd.DataFrame, result: Result, performance: Performance | None) -> Document:
    trades = performance.trades if performance else ()
    return {
        "basis": performance.basis if performance else None,
        "figures": {key: number(value) for key, value in performance.figures.items()} if performance else {},
        "trades": [_trade(data, trade) for trade in trades[-100:]],
        "trades_total": len(trades),
        "signals": {key: int(values.sum()) for key, values in result.signals.items()},
        "orders": len(result.orders),
        "alerts": [{"bar": label(data.index, row.bar), "message": row.message} for row in result.alerts[-50:]],
        "alerts_total": len(result.alerts),
        "warnings": list(result.warnings),
        "looks_ahead": result.lookahead,
    }


def _trade(data: pd.DataFrame, trade: Any) -> Document:
    found = {key: number(value) for key, value in trade._asdict().items() if key != "direction"}
    ends = {"entry": label(data.index, trade.entry_bar), "exit": label(data.index, trade.exit_bar)}
    return {**found, **ends, "direction": "long" if trade.direction > 0 else "short"}


def _lookahead(program: Program) -> list[Document]:
    return [
        {"line": item.line, "column": item.column, "message": item.message, "harmful": item.is_harmful}
        for item in program.lookahead
    ]


def sweep(request: SweepRequest, _pool: Pool, cancel: CancelToken) -> Document:
    """Run every combination of one or two parameters, and return the metric of each."""
    data, program = _prepared(request)
    names = list(request.space)
    axes = [list(dict.fromkeys(request.space[name])) for name in names]
    combinations = [{**request.params, **dict(zip(names, values, strict=True))} for values in product(*axes)]
    _refuse_too_many(program, len(data), combinations)
    values = _metrics(program, data, combinations, request, cancel)
    order = sorted(
        (at for at, value in enumerate(values) if value is not None), key=lambda at: -_worth(request, values[at])
    )  # fmt: skip
    best = [{"params": {name: combinations[at][name] for name in names}, "value": values[at]} for at in order[:_BEST]]
    columns = len(axes[1]) if len(axes) > 1 else 1
    rows = [values[at : at + columns] for at in range(0, len(values), columns)]
    return {"metric": request.metric, "names": names, "axes": axes, "values": rows, "best": best,
            "combinations": len(combinations)}  # fmt: skip


def _worth(request: SweepRequest, value: float | None) -> float:
    """Order by what is better: of falls the smaller one."""
    known = value or 0.0
    return -known if request.metric == "max_drawdown" else known


def _refuse_too_many(program: Program, bars: int, combinations: list[dict[str, Any]]) -> None:
    if len(combinations) > _MOST_COMBINATIONS:
        raise DSLTimeoutError(f"{len(combinations):,} combinations are too many, the limit is {_MOST_COMBINATIONS:,}")
    dearest = max(program.cost(bars, bind(program.ir, item)).gas for item in _corners(combinations))
    if dearest > _HERE.gas:
        raise DSLTimeoutError(f"One run needs {dearest:,} gas, a sweep allows {_HERE.gas:,}: use fewer bars")
    if dearest * len(combinations) > TIERS[_TIER].gas:
        raise DSLTimeoutError(
            f"{len(combinations):,} runs need up to {dearest * len(combinations):,} gas, the limit is "
            f"{TIERS[_TIER].gas:,}: use fewer bars or fewer values"
        )


def _corners(combinations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the combination of the largest value of each parameter: none costs more."""
    found = dict(combinations[0])
    for item in combinations:
        found |= {name: value for name, value in item.items() if _is_larger(value, found[name])}
    return [combinations[0], found]


def _is_larger(value: Any, other: Any) -> bool:
    return isinstance(value, int | float) and isinstance(other, int | float) and value > other


def _metrics(
    program: Program, data: pd.DataFrame, combinations: list[dict[str, Any]], request: SweepRequest, cancel: CancelToken
) -> list[float | None]:
    options: dict[str, Any] = {"limits": _LIMITS, "cancel": cancel}
    if not program.outputs and program.ir.orders:
        return [_of_orders(program, data, item, request, options) for item in combinations]
    if not program.outputs:
        raise DSLParameterError("A sweep needs a strategy with a result or orders")
    found = program.sweep(data, combinations, request.metric, 1, tier=_HERE, **options)
    return numbers(found.values)


def _of_orders(
    program: Program, data: pd.DataFrame, params: dict[str, Any], request: SweepRequest, options: dict[str, Any]
) -> float | None:
    """Measure the account of a strategy that gives orders and no result."""
    account = BrokerSettings(**request.account.model_dump())
    result = program.run(data, params, broker=account, tier=_TIER, **options)
    performance = measure(result, data, account)
    return number(performance.figures[request.metric]) if performance else 0.0


def explain(request: ExplainRequest, _pool: Pool, cancel: CancelToken) -> Document:
    """Return what a strategy reads, takes, gives and costs, and every variable at one bar."""
    data, program = _prepared(request)
    if not -len(data) <= request.bar < len(data):
        raise DSLParameterError(f"There is no bar {request.bar}: the data has {len(data):,}")
    _refuse_large(program, data, request.params)
    rows = program.trace(data, request.params, tier=_TIER, limits=_LIMITS, cancel=cancel)
    values = [
        {"name": name, "line": line, "value": shown(_at(value, request.bar, len(data)))} for name, line, value in rows
    ]
    return {**_meaning(program), "bar": label(data.index, request.bar), "values": values}


def _refuse_large(program: Program, data: pd.DataFrame, params: Mapping[str, Any]) -> None:
    gas = program.cost(len(data), bind(program.ir, params)).gas
    if gas > _HERE.gas:
        raise DSLTimeoutError(f"The values of {len(data):,} bars need {gas:,} gas, the limit is {_HERE.gas:,}")


def _at(value: Any, bar: int, size: int) -> Any:
    if not hasattr(value, "size"):
        return value
    return value[bar].item() if value.size == size else None


def with_findings(work: Callable[[], T]) -> T:
    """Give an error that has no list of findings one, so that the page can show its place."""
    try:
        return work()
    except DSLError as error:
        if error.diagnostics:
            raise
        found = Diagnostic(code=error.dsl_code, message=error.message, line=error.line or 0, column=error.column or 0)
        raise type(error)(error.message, str(error.code), error.line, error.column, diagnostics=[found]) from error
