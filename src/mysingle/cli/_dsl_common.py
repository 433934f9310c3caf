"""What the commands of `mysingle dsl` share: sources, bars, parameters, numbers on the command line, and text."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mysingle.dsl import Program
    from mysingle.dsl.workbench.paint import Paint

__all__ = [
    "add_costs",
    "amount",
    "bars_of",
    "between",
    "check_data",
    "compiled",
    "count",
    "params_of",
    "read_source",
    "say",
    "say_json",
    "share",
    "terminal_paint",
    "write_file",
]


def read_source(file: Path) -> str:
    """Read a source; bytes that are no UTF-8 reach the compiler, which says so with a place."""
    from mysingle.dsl import DSLDataError

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise DSLDataError(f"{file}: the file cannot be read: {error.strerror}") from error
    return content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def compiled(arguments: argparse.Namespace, source: str, columns: Iterable[str] = ()) -> "Program":
    """Compile as the options say."""
    from mysingle.dsl import compile as compile_strategy

    return compile_strategy(source, profile=arguments.profile, mode=arguments.mode, columns=columns)


def bars_of(arguments: argparse.Namespace) -> Any:
    """Read the file of bars."""
    from mysingle.dsl.workbench.datafile import read_bars

    return read_bars(arguments.data)


def check_data(arguments: argparse.Namespace, program: "Program", data: Any, also: Iterable[str] = ()) -> None:
    """Check the columns that the strategy reads, and those of `also`."""
    from mysingle.dsl.workbench.datafile import check_bars

    prices = ("open", "high", "low", "close") if program.ir.orders else ()
    needed = tuple(dict.fromkeys((*program.columns, *prices, *also)))
    check_bars(arguments.data, data, needed, allow_missing=arguments.allow_missing)


def params_of(given: list[str]) -> dict[str, Any]:
    """Read parameters, each NAME=VALUE or one JSON object."""
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


def count(text: str) -> int:
    """Read a number of bars."""
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bars, at least 2")
    return int(text)


def add_costs(parser: argparse.ArgumentParser) -> None:
    """Add the options of a simulated account."""
    parser.add_argument("--capital", type=amount, default=100_000.0, help="what the simulated account begins with")
    parser.add_argument("--commission", type=share, default=0.0, help="of each fill, as a fraction of its price")
    parser.add_argument("--slippage", type=share, default=0.0, help="of each fill, as a fraction of its price")


def amount(text: str) -> float:
    """Read an amount of money, above 0."""
    return between(text, 1e-9, 1e15)


def share(text: str) -> float:
    """Read a fraction, from 0 to a half."""
    return between(text, 0.0, 0.5)


def between(text: str, low: float, high: float) -> float:
    """Read a number within bounds."""
    try:
        value = float(text)
    except ValueError:
        value = low - 1.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between {low:g} and {high:g}")
    return value


def terminal_paint() -> "Paint":
    """Return colours for a terminal, and none for a pipe."""
    from mysingle.dsl.workbench.paint import Paint

    return Paint(sys.stdout.isatty())


def say(lines: Iterable[str]) -> None:
    """Print lines; what the terminal's encoding does not have becomes a question mark."""
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))


def say_json(document: dict[str, Any]) -> None:
    """Print a document as JSON."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def write_file(file: Path, write: Callable[[], object]) -> None:
    """
    Write a file that was asked for, and say so.

    Raises:
        DSLDataError: it cannot be written.
    """
    from mysingle.dsl import DSLDataError

    try:
        write()
    except OSError as error:
        raise DSLDataError(f"{file}: the file cannot be written: {error.strerror}") from error
    sys.stderr.write(f"{file} is written\n")
