"""`mysingle dsl check`, `run` and `explain`: strategies from the command line."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mysingle.dsl import DSLError, Program
    from mysingle.dsl.workbench.paint import Paint

__all__ = ["add_arguments", "execute"]

_FAILED = 1
_CHARTS = (".png", ".html")
_COST_BARS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{check,run,explain}")
    check = actions.add_parser("check", help="compile, and show every finding with its place")
    run = actions.add_parser("run", help="run over a file of bars, and show what it would have brought")
    explain = actions.add_parser("explain", help="show what a strategy reads, takes, gives and costs")
    for action in (check, run, explain):
        action.add_argument("file", type=Path, help="the strategy; - is standard input")
        action.add_argument("--profile", choices=("standard", "mysingle-1"), default="standard",
                            help="which definitions of the indicators hold when the source does not say")  # fmt: skip
        action.add_argument("--mode", choices=("strict", "research"), default="strict",
                            help="research reports look-ahead instead of refusing it")  # fmt: skip
        action.add_argument("--language", choices=("en", "ko"), default="en", help="of the findings")
        action.add_argument("--json", action="store_true", help="write data instead of text")
    for action in (run, explain):
        action.add_argument("--params", nargs="*", default=[], metavar="NAME=VALUE",
                            help="parameters, each NAME=VALUE or one JSON object")  # fmt: skip
        action.add_argument("--allow-missing", action="store_true", help="take bars whose values are missing as na")
        action.add_argument("--data", type=Path, required=action is run, help="the bars: a CSV or Parquet file")
    run.add_argument("--warmup", choices=("first_valid", "converged", "off"), default="first_valid",
                     help="which first bars give no signals")  # fmt: skip
    run.add_argument("--capital", type=_amount, default=100_000.0, help="what the simulated account begins with")
    run.add_argument("--commission", type=_share, default=0.0, help="of each fill, as a fraction of its price")
    run.add_argument("--slippage", type=_share, default=0.0, help="of each fill, as a fraction of its price")
    run.add_argument("--chart", type=_chart_file, help="where to draw the run: a .png or .html file")
    run.add_argument("--last", type=_count, default=None, help="draw only so many of the last bars")
    explain.add_argument("--bar", type=int, default=-1, help="whose values to show; negative counts from the end")


def execute(arguments: argparse.Namespace) -> int:
    """Check, run or explain, and return the exit code."""
    from mysingle._kernel.extras import require
    from mysingle.dsl import DSLDataError, DSLError, DSLParameterError

    require("dsl", f"mysingle dsl {arguments.action}")
    if getattr(arguments, "chart", None) and arguments.chart.suffix == ".png":
        require("charts", "a chart as PNG")
    source = _read(arguments.file)
    action: Callable[[argparse.Namespace, str], int] = {"check": _check, "run": _run, "explain": _explain}[
        arguments.action
    ]
    try:
        return action(arguments, source)
    except (DSLDataError, DSLParameterError):
        raise
    except DSLError as error:
        return _refused(arguments, error)


def _read(file: Path) -> str:
    """Read a source; bytes that are no UTF-8 reach the compiler, which says so with a place."""
    from mysingle.dsl import DSLDataError

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise DSLDataError(f"{file}: the file cannot be read: {error.strerror}") from error
    return content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def _refused(arguments: argparse.Namespace, error: "DSLError") -> int:
    from mysingle.dsl.workbench.report import diagnostics_of, findings, findings_document

    found, name = diagnostics_of(error), str(arguments.file)
    if arguments.json:
        _write_json(findings_document(name, found))
    else:
        _write(findings(name, found, arguments.language, _paint()))
    return _FAILED


def _check(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.workbench.report import findings, findings_document, summary

    program, name, paint = _compiled(arguments, source), str(arguments.file), _paint()
    if arguments.json:
        _write_json(findings_document(name, program.warnings))
        return 0
    if program.warnings:
        _write(findings(name, program.warnings, arguments.language, paint))
    _write([summary(name, program, paint)])
    return 0


def _run(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.engine.broker import BrokerSettings
    from mysingle.dsl.engine.performance import measure
    from mysingle.dsl.workbench.outcome import outcome, outcome_document

    data = _bars(arguments)
    program = _compiled(arguments, source, data.columns)
    _check_data(arguments, program, data)
    account = BrokerSettings(
        capital=arguments.capital, commission=arguments.commission, slippage=arguments.slippage
    )  # fmt: skip
    params = _params(arguments.params)
    result = program.run(data, params, warmup=arguments.warmup, broker=account)
    performance, name = measure(result, data, account), program.metadata.get("name", str(arguments.file))
    if arguments.json:
        _write_json(outcome_document(name, data, result, performance))
    else:
        _write(outcome(name, data, result, performance, _paint()))
    if arguments.chart:
        _draw(arguments, name, data, result, performance, program.trace(data, params))
    return 0


def _explain(arguments: argparse.Namespace, source: str) -> int:
    from mysingle.dsl.workbench.outcome import label
    from mysingle.dsl.workbench.report import explanation, explanation_document, shown, values_at

    data = None if arguments.data is None else _bars(arguments)
    program, name, paint = (
        _compiled(arguments, source, () if data is None else data.columns),
        str(arguments.file),
        _paint(),
    )
    n_bars, values, where = _COST_BARS, [], ""
    if data is not None:
        _check_data(arguments, program, data)
        n_bars = len(data)
        values = program.explain(data, _bar(arguments.bar, n_bars), _params(arguments.params))
        where = label(data.index, arguments.bar)
    if arguments.json:
        found = {item: shown(value) for item, _, value in values}
        _write_json(explanation_document(name, program, n_bars) | ({"bar": where, "values": found} if where else {}))
        return 0
    _write(explanation(name, source, program, n_bars, paint))
    if where:
        _write(["", *values_at(values, where, paint)])
    return 0


def _compiled(arguments: argparse.Namespace, source: str, columns: Iterable[str] = ()) -> "Program":
    from mysingle.dsl import compile as compile_strategy

    return compile_strategy(source, profile=arguments.profile, mode=arguments.mode, columns=columns)


def _bars(arguments: argparse.Namespace) -> Any:
    from mysingle.dsl.workbench.datafile import read_bars

    return read_bars(arguments.data)


def _check_data(arguments: argparse.Namespace, program: "Program", data: Any) -> None:
    from mysingle.dsl.workbench.datafile import check_bars

    needed = list(program.columns)
    if program.ir.orders:
        needed += [name for name in ("open", "high", "low", "close") if name not in needed]
    check_bars(arguments.data, data, needed, allow_missing=arguments.allow_missing)


def _bar(bar: int, size: int) -> int:
    from mysingle.dsl import DSLDataError

    if not -size <= bar < size:
        raise DSLDataError(f"--bar {bar}: the data has the bars 0 to {size - 1}, and -1 to {-size} from the end")
    return bar


def _params(given: list[str]) -> dict[str, Any]:
    from mysingle.dsl import DSLParameterError
    from mysingle.dsl.lang.params import literal_of

    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if text.lstrip().startswith("{"):
            found |= _json_params(text)
        elif not equals or not name.isidentifier():
            raise DSLParameterError(f"--params {text}: write NAME=VALUE, or one JSON object")
        else:
            try:
                found[name] = literal_of(value)
            except ValueError:
                found[name] = value
    return found


def _json_params(text: str) -> dict[str, Any]:
    from mysingle.dsl import DSLParameterError

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DSLParameterError(f"--params: not JSON: {error}") from error
    return dict(found)


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


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bars, at least 2")
    return int(text)


def _amount(text: str) -> float:
    return _between(text, 1e-9, 1e15)


def _share(text: str) -> float:
    return _between(text, 0.0, 0.5)


def _between(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = low - 1.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between {low:g} and {high:g}")
    return value


def _paint() -> "Paint":
    from mysingle.dsl.workbench.paint import Paint

    return Paint(sys.stdout.isatty())


def _write(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))


def _write_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
