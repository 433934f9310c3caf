"""`mysingle dsl sweep`: many parameters over one file of bars, and the best of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mysingle.cli._dsl_common import bars_of, check_data, compiled, params_of, say, say_json, terminal_paint, write_file
from mysingle.cli._progress import Progress

if TYPE_CHECKING:
    from mysingle.dsl.workbench.sweeping import Sweeping

__all__ = ["add_arguments", "execute"]

_METRICS = ("total_return", "sharpe", "max_drawdown", "win_rate", "trades")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes, beside what all commands of strategies take."""
    parser.add_argument("--param", action="append", required=True, metavar="NAME=VALUES",
                        help="what to try: FROM:TO:STEP, or values with commas; once for each parameter")  # fmt: skip
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION",
                        help="try only what meets it, such as 'fast<slow'; may be given more than once")  # fmt: skip
    parser.add_argument("--random", type=_number, metavar="N", help="try N of the combinations, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="which of them; the same seed chooses the same")
    parser.add_argument("--metric", choices=_METRICS, default="sharpe", help="what makes the best")
    parser.add_argument("--top", type=_number, default=10, help="how many of the best to show")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every combination with its value")
    parser.add_argument("--chart", type=_picture, help="draw two parameters as a heat map: a .png file")


def execute(arguments: argparse.Namespace, source: str) -> int:
    """Sweep, print, write, and return the exit code."""
    from mysingle.dsl.engine.broker import BrokerSettings
    from mysingle.dsl.workbench.grid import choose, read_condition, read_space
    from mysingle.dsl.workbench.sweeping import sweep_document, sweep_over, sweep_text

    space = read_space(arguments.param)
    space = {**{name: [value] for name, value in params_of(arguments.params).items() if name not in space}, **space}
    conditions = [read_condition(text, list(space)) for text in arguments.where]
    combinations = choose(space, conditions, count=arguments.random, seed=arguments.seed)
    if arguments.chart:
        from mysingle.dsl.workbench.heat_map import varied_in

        varied_in(combinations)
    data = bars_of(arguments)
    program = compiled(arguments, source, data.columns)
    check_data(arguments, program, data, also=("close",))
    account = BrokerSettings(
        capital=arguments.capital, commission=arguments.commission, slippage=arguments.slippage
    )  # fmt: skip
    with Progress("combinations") as progress:
        found = sweep_over(
            program, data, combinations, metric=arguments.metric, top=arguments.top, account=account,
            warmup=arguments.warmup, on_progress=progress,
        )  # fmt: skip
    name = program.metadata.get("name", str(arguments.file))
    if arguments.json:
        say_json(sweep_document(name, data, found))
    else:
        say(sweep_text(name, data, found, terminal_paint()))
    _write_files(arguments, name, found)
    return 0


def _write_files(arguments: argparse.Namespace, name: str, found: "Sweeping") -> None:
    if arguments.csv:
        from mysingle.dsl.workbench.sweeping import write_csv

        write_file(arguments.csv, lambda: write_csv(found, arguments.csv))
    if arguments.chart:
        from mysingle.dsl.workbench.heat_map import write_heat_map

        write_file(arguments.chart, lambda: write_heat_map(name, found, arguments.chart))


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return int(text)


def _picture(text: str) -> Path:
    if not text.endswith(".png"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png")
    return Path(text)
