"""`mysingle dsl`: strategies from the command line. The longer commands are modules of their own."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mysingle.cli import _dsl_backtest, _dsl_playground, _dsl_sweep
from mysingle.cli._dsl_common import (
    add_costs,
    bars_of,
    check_data,
    compiled,
    count,
    params_of,
    read_source,
    say,
    say_json,
    terminal_paint,
)

if TYPE_CHECKING:
    from mysingle.dsl import DSLError

__all__ = ["add_arguments", "execute"]

_FAILED = 1
_CHARTS = (".png", ".html")
_COST_BARS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{check,run,explain,sweep,backtest}")
    check = actions.add_parser("check", help="compile, and show every finding with its place")
    run = actions.add_parser("run", help="run over a file of bars, and show what it would have brought")
    explain = actions.add_parser("explain", help="show what a strategy reads, takes, gives and costs")
    sweep = actions.add_parser("sweep", help="try many parameters over a file of bars, and show the best")
    backtest = actions.add_parser("backtest", help="follow a strategy with costs and sizes, and show the account")
    for action in (check, run, explain, sweep, backtest):
        action.add_argument("file", type=Path, help="the strategy; - is standard input")
        action.add_argument("--profile", choices=("standard", "mysingle-1"), default="standard",
                            help="which definitions of the indicators hold when the source does not say")  # fmt: skip
        action.add_argument("--mode", choices=("strict", "research"), default="strict",
                            help="research reports look-ahead instead of refusing it")  # fmt: skip
        action.add_argument("--language", choices=("en", "ko"), default="en", help="of the findings")
        action.add_argument("--json", action="store_true", help="write data instead of text")
    for action in (run, explain, sweep, backtest):
        action.add_argument("--params", nargs="*", default=[], metavar="NAME=VALUE",
                            help="parameters, each NAME=VALUE or one JSON object")  # fmt: skip
        action.add_argument("--allow-missing", action="store_true", help="take bars whose values are missing as na")
        action.add_argument("--data", type=Path, required=action is not explain, help="the bars: a CSV or Parquet file")
    for action in (run, sweep, backtest):
        action.add_argument("--warmup", choices=("first_valid", "converged", "off"), default="first_valid",
                            help="which first bars give no signals")  # fmt: skip
        add_costs(action)
    for action in (run, backtest):
        action.add_argument("--chart", type=_chart_file, help="where to draw the run: a .png or .html file")
        action.add_argument("--last", type=count, default=None, help="draw only so many of the last bars")
    _dsl_sweep.add_arguments(sweep)
    _dsl_backtest.add_arguments(backtest)
    explain.add_argument("--bar", type=int, default=-1, help="whose values to show; negative counts from the end")
    _dsl_playground.add_command(actions)


def execute(arguments: argparse.Namespace) -> int:
    """Do what the action says, and return the exit code."""
    if arguments.action == "playground":
        return _dsl_playground.execute(arguments)
    from mysingle._kernel.extras import require
    from mysingle.dsl import DSLDataError, DSLError, DSLParameterError

    require("dsl", f"mysingle dsl {arguments.action}")
    if getattr(arguments, "chart", None) and arguments.chart.suffix == ".png":
        require("charts", "a chart as PNG")
    source = read_source(arguments.file)
    try:
        return _ACTIONS[arguments.action](arguments, source)
    except (DSLDataError, DSLParameterError):
        raise
    except DSLError as error:
        return _refused(arguments, error)


def _refused(arguments: argparse.Namespace, error: "DSLError") -> int:
    from mysingle.dsl.workbench.report import diagnostics_of, findings, findings_document

    found, name = diagnostics_of(error), str(arguments.file)
    if arguments.json:
        say_json(findings_document(name, found))
    else:
        say(findings(name, found, arguments.language, terminal_paint()))
    return _FAILED


def _check(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.workbench.report import findings, findings_document, summary

    program, name, paint = compiled(arguments, source), str(arguments.file), terminal_paint()
    if arguments.json:
        say_json(findings_document(name, program.warnings))
        return 0
    if program.warnings:
        say(findings(name, program.warnings, arguments.language, paint))
    say([summary(name, program, paint)])
    return 0


def _run(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.engine.broker import BrokerSettings
    from mysingle.dsl.engine.performance import measure
    from mysingle.dsl.workbench.outcome import outcome, outcome_document

    data = bars_of(arguments)
    program = compiled(arguments, source, data.columns)
    check_data(arguments, program, data)
    account = BrokerSettings(
        capital=arguments.capital, commission=arguments.commission, slippage=arguments.slippage
    )  # fmt: skip
    params = params_of(arguments.params)
    result = program.run(data, params, warmup=arguments.warmup, broker=account)
    performance, name = measure(result, data, account), program.metadata.get("name", str(arguments.file))
    if arguments.json:
        say_json(outcome_document(name, data, result, performance))
    else:
        say(outcome(name, data, result, performance, terminal_paint()))
    if arguments.chart:
        _draw(arguments, name, data, result, performance, program.trace(data, params))
    return 0


def _explain(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.workbench.outcome import label
    from mysingle.dsl.workbench.report import explanation, explanation_document, shown, values_at

    data = None if arguments.data is None else bars_of(arguments)
    program, name, paint = (
        compiled(arguments, source, () if data is None else data.columns),
        str(arguments.file),
        terminal_paint(),
    )
    n_bars, values, where = _COST_BARS, [], ""
    if data is not None:
        check_data(arguments, program, data)
        n_bars = len(data)
        values = program.explain(data, _bar(arguments.bar, n_bars), params_of(arguments.params))
        where = label(data.index, arguments.bar)
    if arguments.json:
        found = {item: shown(value) for item, _, value in values}
        say_json(explanation_document(name, program, n_bars) | ({"bar": where, "values": found} if where else {}))
        return 0
    say(explanation(name, source, program, n_bars, paint))
    if where:
        say(["", *values_at(values, where, paint)])
    return 0


def _bar(bar: int, size: int) -> int:
    from mysingle.dsl import DSLDataError

    if not -size <= bar < size:
        raise DSLDataError(f"--bar {bar}: the data has the bars 0 to {size - 1}, and -1 to {-size} from the end")
    return bar


def _draw(
    arguments: argparse.Namespace, name: str, data: Any, result: Any, performance: Any, trace: Any
) -> None:  # fmt: skip
    from mysingle.dsl import DSLDataError
    from mysingle.dsl.workbench.chart import build_chart

    chart = build_chart(name, data, result, performance, trace, arguments.last)
    if arguments.chart.suffix == ".png":
        from mysingle.dsl.workbench.chart_png import write_png as write
    else:
        from mysingle.dsl.workbench.chart_html import write_html as write
    try:
        write(chart, arguments.chart)
    except OSError as error:
        raise DSLDataError(f"{arguments.chart}: the chart cannot be written: {error.strerror}") from error
    sys.stderr.write(f"{arguments.chart} is written\n")


def _chart_file(text: str) -> Path:
    if not text.endswith(_CHARTS):
        raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(_CHARTS)}")
    return Path(text)


_ACTIONS: Mapping[str, Callable[[argparse.Namespace, str], int]] = {
    "backtest": _dsl_backtest.execute,
    "check": _check,
    "explain": _explain,
    "run": _run,
    "sweep": _dsl_sweep.execute,
}
