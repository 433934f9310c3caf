"""One run: bind, refuse what is too much, compute, and give the result in the form of the data."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from mysingle.dsl.engine.bars import run_region
from mysingle.dsl.engine.bind import bind
from mysingle.dsl.engine.broker import Broker, BrokerSettings, FixedBroker, SimulatedBroker
from mysingle.dsl.engine.budget import Budget, CancelToken
from mysingle.dsl.engine.events import alert_rows, order_rows, plot_rows
from mysingle.dsl.engine.frames import Frame, SeriesByName, column_names, read_frame, write_series, write_table
from mysingle.dsl.engine.plan import make_plan
from mysingle.dsl.engine.result import Result
from mysingle.dsl.engine.stream import Stream, StreamCode
from mysingle.dsl.engine.vector import VectorCode, VectorRun
from mysingle.dsl.errors import DSLExecutionError, DSLLookaheadError, DSLWarmupError
from mysingle.dsl.ir.causality import find_lookahead
from mysingle.dsl.ir.gas import Cost, cost_of, refuse_over_budget
from mysingle.dsl.ir.kinds import Const, Phase
from mysingle.dsl.ir.program import Guard, Program
from mysingle.dsl.ir.warmup import warm_up
from mysingle.dsl.kernels.talib_kernels import assert_settings, version
from mysingle.dsl.limits import TIERS, ResourceLimits, Tier

__all__ = ["RunOptions", "Runner", "columns_read", "run_program"]

_PREPARED: Final = 16
_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """
    How to run.

    Args:
        warmup: "first_valid" keeps signals False before their first valid bar, "converged" until the start of the
            data no longer matters, "off" not at all.
        broker: the simulated account, or constants that `strategy.equity` and the like read.
        tier: what the run may use.
        limits: the host's own limits.
        cancel: ends the run before its next operation.
        meta: symbol, sector and the like, by name.
        is_lenient: ignore unknown parameters and warn when the data is too short, as older callers expect.
    """

    warmup: str = "first_valid"
    broker: BrokerSettings | Mapping[str, float] | None = None
    tier: Tier = TIERS["premium"]
    limits: ResourceLimits | None = None
    cancel: CancelToken | None = None
    meta: Mapping[str, Const] | None = None
    is_lenient: bool = False


def run_program(
    program: Program, data: Any, params: Mapping[str, Any] | None = None, options: RunOptions | None = None
) -> Result:
    """
    Run a verified program over data.

    Raises:
        DSLParameterError: a parameter is missing, unknown or refused.
        DSLDataError: the data cannot be computed with.
        DSLTimeoutError: too much work, too long, or cancelled.
        DSLMemoryError: too much memory or output.
        DSLExecutionError: a guard ended the run, or nothing was computed.
    """
    return Runner(program).run(data, params, options)


def columns_read(program: Program, data: Any) -> tuple[str, ...]:
    """Give the columns that a run needs: the program's own, and the prices at which its account fills orders."""
    if not any(node.op == "broker" for node in program.nodes):
        return program.columns
    present = column_names(data)
    return (*program.columns, *(name for name in _PRICES if name in present and name not in program.columns))


class Runner:
    """A program made ready to run often: what does not depend on the data is worked out once for each binding."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.is_lookahead = any(finding.is_harmful for finding in find_lookahead(program))
        self._ready: dict[tuple[Any, ...], _Ready] = {}

    def run(self, data: Any, params: Mapping[str, Any] | None = None, options: RunOptions | None = None) -> Result:
        """Run over data; raises what `run_program` raises."""
        return self.run_frame(self.read(data), params, options)

    def read(self, data: Any) -> Frame:
        """Give the columns of the data that the program needs."""
        return read_frame(data, columns_read(self.program, data))

    def run_frame(self, frame: Frame, params: Mapping[str, Any] | None, options: RunOptions | None) -> Result:
        """Run over columns that have been read."""
        chosen = options or RunOptions()
        assert_settings()
        bound = bind(self.program, params, is_lenient=chosen.is_lenient)
        ready = self._prepare(bound, chosen)
        cost = ready.cost(frame.size)
        refuse_over_budget(cost, chosen.tier)
        budget = Budget(chosen.tier.gas - cost.gas, chosen.limits, chosen.cancel)
        return _Run(self, ready, frame, budget, chosen).finish()

    def trace(
        self, data: Any, params: Mapping[str, Any] | None = None, options: RunOptions | None = None
    ) -> list[tuple[str, int, Any]]:
        """Give name, line and value of every variable: an array with one value a bar, or a number."""
        chosen = options or RunOptions()
        bound = bind(self.program, params, is_lenient=chosen.is_lenient)
        frame = self.read(data)
        refuse_over_budget(cost_of(self.program, frame.size, bound), chosen.tier)
        roots = [item.node for item in self.program.names]
        code = VectorCode(make_plan(self.program, bound, roots, chosen.meta), roots)
        broker = _make_broker(chosen.broker)
        run = VectorRun(code, frame, Budget(None, chosen.limits, chosen.cancel), lambda run: run_region(run, broker))
        values = [(item.name, item.line, run.advance(item.node)) for item in self.program.names]
        return [(name, line, value.copy() if isinstance(value, np.ndarray) else value) for name, line, value in values]

    def explain(
        self, data: Any, bar: int, params: Mapping[str, Any] | None = None, options: RunOptions | None = None
    ) -> list[tuple[str, int, Any]]:
        """Give name, line and value of every variable at one bar; negative bars count from the end."""
        frame = self.read(data)
        found = self.trace(data, params, options)
        return [(name, line, _at_bar(value, bar, frame.size)) for name, line, value in found]

    def stream(
        self,
        params: Mapping[str, Any] | None = None,
        options: RunOptions | None = None,
        zone: str = "UTC",
        program_hash: str = "",
    ) -> Stream:
        """
        Give the program as a stream.

        Raises:
            DSLLookaheadError: a decision needs bars of the future.
        """
        chosen = options or RunOptions()
        if self.is_lookahead:
            raise DSLLookaheadError("A strategy that looks ahead cannot run as a stream")
        bound = bind(self.program, params, is_lenient=chosen.is_lenient)
        ready = self._prepare(bound, chosen)
        hidden = (
            {}
            if chosen.warmup == "off"
            else {
                name: first if chosen.warmup == "first_valid" or converged == float("inf") else max(first, converged)
                for name, (first, converged) in ready.warm_up.by_output.items()
            }
        )
        shown = replace(self.program, plots=())  # a stream has none, but what is drawn may also be traded
        plan = make_plan(self.program, bound, shown.roots(), chosen.meta)
        return Stream(StreamCode(plan, zone), _make_broker(chosen.broker), hidden, program_hash)

    def _prepare(self, bound: Mapping[str, Const], options: RunOptions) -> "_Ready":
        # 1, 1.0 and True are equal keys and different arguments.
        key = tuple((type(value), value) for value in (*bound.values(), *(options.meta or {}).items()))
        if key not in self._ready:
            if len(self._ready) >= _PREPARED:
                self._ready.clear()
            self._ready[key] = _Ready(self.program, bound, options)
        return self._ready[key]


class _Ready:
    """A program with its parameters."""

    def __init__(self, program: Program, bound: Mapping[str, Const], options: RunOptions) -> None:
        roots = program.roots()
        self._program, self._bound = program, dict(bound)
        self.code = VectorCode(make_plan(program, bound, roots, options.meta), roots)
        self.warm_up = warm_up(program, bound)
        self._cost: tuple[int, Cost] | None = None

    def cost(self, bars: int) -> Cost:
        """Give the cost of a run over that many bars."""
        if self._cost is None or self._cost[0] != bars:
            self._cost = bars, cost_of(self._program, bars, self._bound)
        return self._cost[1]


def _at_bar(value: Any, bar: int, size: int) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return value[bar].item() if value.size == size else None


def _make_broker(chosen: BrokerSettings | Mapping[str, float] | None) -> Broker:
    if isinstance(chosen, Mapping):
        return FixedBroker(chosen)
    return SimulatedBroker(chosen or BrokerSettings())


class _Run:
    """One run from bound parameters to the result."""

    def __init__(self, runner: Runner, ready: _Ready, frame: Frame, budget: Budget, options: RunOptions) -> None:
        self.program, self.frame, self.budget, self.options = runner.program, frame, budget, options
        self.is_lookahead = runner.is_lookahead
        self.warnings = list(frame.warnings)
        broker = self.broker = _make_broker(options.broker)
        # Not of `self`: in a cycle the columns of a run would live until the next collection.
        self.run = VectorRun(ready.code, frame, budget, lambda run: run_region(run, broker))
        self.warm_up = ready.warm_up

    def finish(self) -> Result:
        """Compute everything: guards first."""
        for guard in self.program.guards:
            self._guard(guard)
        self._refuse_nothing()
        self._refuse_short_data()
        outputs = {output.name: self._output(output.name, output.node) for output in self.program.outputs}
        self.budget.refuse_output(sum(values.nbytes for values in outputs.values()))
        orders = order_rows(
            self.run, [self._mask(f"{o.action} {o.id}".strip(), o.mask) for o in self.program.orders], self.warnings
        )
        alerts = alert_rows(self.program, [self._mask(f"alert {a.message}", a.mask) for a in self.program.alerts])
        return Result(
            result=self._result(outputs),
            signals=SeriesByName(
                self.frame, {name: values for name, values in outputs.items() if values.dtype == np.bool_}
            ),
            orders=orders,
            alerts=alerts,
            plots=plot_rows(self.run, self.frame, self.budget),
            stats=self._stats(),
            warnings=tuple(self.warnings),
            lookahead=self.is_lookahead,
            metadata=self._metadata(),
        )

    def _guard(self, guard: Guard) -> None:
        found = self.run.advance(guard.mask)
        if found.any() if isinstance(found, np.ndarray) else found is True:
            raise DSLExecutionError(guard.message, line=guard.line or None, column=guard.column or None)

    def _refuse_nothing(self) -> None:
        program = self.program
        if not (program.outputs or program.orders or program.plots or program.alerts):
            raise DSLExecutionError("Variable 'result' not found")

    def _refuse_short_data(self) -> None:
        needed = self.warm_up.first_valid
        if self.options.warmup == "off" or self.frame.size > needed:
            return
        text = f"The data has {self.frame.size} bars, the first valid one would be number {int(needed) + 1}"
        if not self.options.is_lenient:
            raise DSLWarmupError(text + ": pass more bars")
        self.warnings.append(text)

    def _output(self, name: str, index: int) -> Any:
        value = self.run.advance(index)
        if not isinstance(value, np.ndarray):
            if self.program.nodes[index].phase is not Phase.SERIES:
                raise DSLExecutionError("The result is one number, not a series: combine it with a column")
            value = self.run.series(index)
        return self._masked(name, value)

    def _mask(self, name: str, index: int) -> Any:
        value = self.run.advance(index)
        return self._masked(name, value if isinstance(value, np.ndarray) else self.run.series(index))

    def _masked(self, name: str, values: Any) -> Any:
        hidden = self._hidden(name, values.size)
        # A column of the data may be handed in unchanged; a result never shares its memory.
        values = values.copy() if hidden or not values.flags.owndata or not values.flags.writeable else values
        values[:hidden] = False if values.dtype == np.bool_ else np.nan
        return values

    def _hidden(self, name: str, size: int) -> int:
        if self.options.warmup == "off":
            return 0
        first, converged = self.warm_up.by_output.get(name, (0, 0))
        if self.options.warmup == "converged":
            if converged == float("inf"):
                self.warnings.append(f"{name}: depends on where the data starts and never converges")
                converged = first
            first = max(first, converged)
        return int(min(first, size))

    def _result(self, outputs: Mapping[str, Any]) -> Any:
        if self.program.shape == "none" or not outputs:
            return None
        if self.program.shape == "series":
            return write_series(self.frame, next(iter(outputs.values())))
        return write_table(self.frame, outputs)

    def _stats(self) -> dict[str, float]:
        broker = self.broker
        if not isinstance(broker, SimulatedBroker) or not broker.equity_curve:
            return {}
        wins = sum(trade.profit > 0 for trade in broker.trades)
        return {
            "equity": broker.read("equity"),
            "realized_pnl": broker.read("realized_pnl"),
            "trades": float(len(broker.trades)),
            "win_rate": wins / len(broker.trades) if broker.trades else 0.0,
        }

    def _metadata(self) -> dict[str, Any]:
        return {
            "bars": self.frame.size,
            "profile": self.program.profile,
            "lang": self.program.lang,
            "arch": platform.machine(),
            "talib": version(),
            "operations": self.run.counted,
            "warmup": self.warm_up.first_valid,
            "converged": self.warm_up.converged,
        }
