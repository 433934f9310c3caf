"""`mysingle dsl backtest`: a strategy through the simulated broker, with costs, sizes, figures and every trade."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mysingle.cli._dsl_common import (
    amount,
    bars_of,
    between,
    check_data,
    compiled,
    params_of,
    say,
    say_json,
    terminal_paint,
    write_file,
)

if TYPE_CHECKING:
    from mysingle.dsl.engine.broker import BrokerSettings

__all__ = ["add_arguments", "execute"]

_WHOLE = 100.0
_PRICES = ("open", "high", "low", "close")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes, beside what all commands of strategies take."""
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quantity", type=amount, help="how much an entry takes that says nothing itself")
    sizes.add_argument("--percent", type=_percent, help="for signals: how much of the account an entry takes")
    parser.add_argument("--pyramiding", type=_entries, default=0, help="how many entries more a position may have")
    parser.add_argument("--fill", choices=("open", "close"), default="open",
                        help="of market orders: the next open, or the close of the bar that decides")  # fmt: skip
    parser.add_argument("--trades", type=Path, metavar="FILE", help="write every trade as CSV")
    parser.add_argument("--equity", type=Path, metavar="FILE", help="write the account at each bar as CSV")


def execute(arguments: argparse.Namespace, source: str) -> int:
    """Run, follow, print, write, and return the exit code."""
    from mysingle.dsl.engine.backtest import backtest
    from mysingle.dsl.workbench.backtest_report import backtest_document, backtest_text

    data = bars_of(arguments)
    program = compiled(arguments, source, data.columns)
    check_data(arguments, program, data, also=_PRICES)
    account, params = _account(arguments), params_of(arguments.params)
    result = program.run(data, params, warmup=arguments.warmup, broker=account)
    usual = None if arguments.quantity or program.ir.orders else _WHOLE
    found = backtest(result, data, account, arguments.percent or usual)
    name = program.metadata.get("name", str(arguments.file))
    if arguments.json:
        say_json(backtest_document(name, data, found, arguments.capital))
    else:
        say(backtest_text(name, data, found, arguments.capital, terminal_paint()))
    for warning in (*result.warnings, *_cautions(arguments, result)):
        sys.stderr.write(f"warning: {''.join(char if char.isprintable() else '?' for char in warning)}\n")
    _write_files(arguments, name, data, (program, params, result, found))
    return 0


def _account(arguments: argparse.Namespace) -> "BrokerSettings":
    from mysingle.dsl.engine.broker import BrokerSettings

    return BrokerSettings(
        capital=arguments.capital,
        commission=arguments.commission,
        slippage=arguments.slippage,
        pyramiding=arguments.pyramiding,
        quantity=arguments.quantity or 1.0,
        fill=arguments.fill,
    )


def _cautions(arguments: argparse.Namespace, result: Any) -> list[str]:
    cautions = []
    if result.lookahead:
        cautions.append("the strategy looks ahead; these figures cannot be reached in real time")
    if arguments.fill == "close":
        cautions.append("orders fill at the close that decides them, which is hard to reach in real time")
    return cautions


def _write_files(arguments: argparse.Namespace, name: str, data: Any, run: Any) -> None:
    from mysingle.dsl.workbench.backtest_report import write_equity, write_trades

    found = run[-1]
    if arguments.trades:
        write_file(arguments.trades, lambda: write_trades(data, found, arguments.trades))
    if arguments.equity:
        write_file(arguments.equity, lambda: write_equity(data, found, arguments.equity))
    if arguments.chart:
        write_file(arguments.chart, lambda: _draw(arguments, name, data, run))


def _draw(arguments: argparse.Namespace, name: str, data: Any, run: Any) -> None:
    from mysingle.dsl.workbench.backtest_report import backtest_html
    from mysingle.dsl.workbench.chart import build_chart

    program, params, result, found = run
    chart = build_chart(name, data, result, found, program.trace(data, params), arguments.last)
    if arguments.chart.suffix == ".png":
        from mysingle.dsl.workbench.chart_png import write_png

        write_png(chart, arguments.chart)
    else:
        from mysingle.dsl.workbench.chart_html import write_html

        write_html(chart, arguments.chart, below=backtest_html(data, found, arguments.capital))


def _percent(text: str) -> float:
    return between(text, 0.01, 1000.0)


def _entries(text: str) -> int:
    return int(between(text, 0, 100)) if text.isdecimal() else int(between("no number", 0, 100))
