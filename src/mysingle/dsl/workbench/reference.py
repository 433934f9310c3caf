"""
The generated pages of the reference: every function of the op table, every code of a diagnostic.

`python -m mysingle.dsl.workbench.reference docs/reference/dsl` writes them; the tests compare them with the tables.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import talib
import talib.abstract

from mysingle.dsl import api
from mysingle.dsl.ir.ops import OPS, REQUIRED, Arg, Flag, Op
from mysingle.dsl.lang.methods import EWM_METHODS, EXPANDING_METHODS, ROLLING_METHODS, SERIES_METHODS, Method
from mysingle.dsl.lang.numeric import NUMERIC
from mysingle.dsl.lang.tables import INDICATOR_NAMES
from mysingle.dsl.limits import LIMITS, TIERS
from mysingle.dsl.workbench.codes import errors_page

__all__ = ["functions_page", "pages", "write_pages"]

COMMAND: Final = "python -m mysingle.dsl.workbench.reference docs/reference/dsl"
_WINDOW: Final = 20
_SECOND: Final = frozenset({"b", "series2", "real1"})
"""Arguments that get another column than the first one, or the compiler would fold both into one."""
_library: Any = talib  # its functions have no types
_REDUCTIONS: Final = frozenset(
    "mean sum min max median count prod first last std var quantile any all corr cov rank".split()  # noqa: SIM905
)
_HEAD: Final = (
    "# Functions of the strategy language\n",
    f"This page is made from the op table by `{COMMAND}`.",
    "What a program may look like: [the language](language.md).\n",
    "## How to read the tables\n",
    "- An argument without a default must be given.",
    f"- A window is a number of bars, 1 to {LIMITS.window:,}: a constant or a parameter.",
    "- *Gives* is a series of numbers, a series of bools, or the names of the outputs.",
    "  After `m = MACD(close)` the outputs are `m.signal` or `m['signal']`.",
    "- *First* is the first bar with a value, counted from 0.",
    "- *Settled* is the bar after which the start of the data changes nothing beyond 1e-10; `start` is never.",
    "- *Gas* is the cost of one bar in nominal nanoseconds.",
    f"- The numbers hold for the defaults, for windows of {_WINDOW} where there is none, and for data without gaps.",
    "- No function has a value where its inputs have none: windows need all their bars, recursive averages wait.\n",
)


def pages() -> Mapping[str, str]:
    """Return file name → text of every generated page."""
    return {"functions.md": functions_page(), "errors.md": errors_page(COMMAND)}


def write_pages(folder: Path) -> None:
    """Write the generated pages into a folder."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def functions_page() -> str:
    """Return the page of all functions, methods and limits."""
    own = [row for row in OPS.values() if row.has(Flag.COMPOSITE)]
    parts = [
        *_HEAD,
        "## Functions of the language\n",
        "They follow TA-Lib and the usual definitions; the other spellings mean the same.\n",
        *_function_table(((row.names[0], row) for row in own), is_own=True),
        "\n## Functions of TA-Lib\n",
        f"All {len(_functions())} functions of TA-Lib are there as `indicator.name(...)`, with its own argument names,",
        "and under the bare lower-case name where Python or the language has no such name.",
        "Those that a function of the language replaces under the same name are not listed again.",
        "Columns that are not given come from the data: `indicator.adx(timeperiod=14)`.\n",
        *_talib_sections(),
        "## Candle patterns\n",
        "`pattern.name()` gives `is_bullish` and `is_bearish`, from the open, high, low and close of the data.\n",
        *_pattern_table(),
        *_method_sections(),
        *_numeric_section(),
        *_limits_section(),
    ]
    return "\n".join(parts) + "\n"


def _function_table(rows: Iterable[tuple[str, Op]], *, is_own: bool) -> Iterator[str]:
    yield "| Function | Gives | Meaning | First | Settled | Gas |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, row in rows:
        other = [f"`{alias}`" for alias in row.names if alias != name]
        meaning = row.doc if is_own else _title(row.name)
        meaning += f" Also {', '.join(other)}." if other else ""
        program = _compiled(name if is_own else f"indicator.{name}", row)
        meaning += " With the defaults it looks ahead." if program.lookahead else ""
        first, settled, gas = _measured(program)
        call = f"{name}({', '.join(_written(arg) for arg in row.args)})"
        yield f"| `{call}` | {_gives(row)} | {_cell(meaning)} | {first} | {settled} | {gas} |"


def _title(name: str) -> str:
    return str(_library.abstract.Function(name).info["display_name"]) + "."


def _written(arg: Arg) -> str:
    star = "*" if arg.variadic else ""
    return star + (arg.name if arg.default is REQUIRED else f"{arg.name}={arg.default!r}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _gives(row: Op) -> str:
    if len(row.outputs) == 1:
        return "bool" if row.outputs[0].kind == "bool" or row.result == "bool" else "number"
    return ", ".join(f"`{output.name}`" for output in row.outputs)


def _compiled(name: str, row: Op) -> api.Program:
    """Compile one call: what the page says of it is what the compiler says."""
    arguments = ", ".join(text for arg in row.args if (text := _sample(arg)))
    return api.compile(f"result = {name}({arguments})", mode="research")


def _measured(program: api.Program) -> tuple[str, str, str]:
    found = list(program.warmup().by_output.values())
    gas = (program.cost(200_000).gas - program.cost(100_000).gas) / 100_000
    return _joined(first for first, _ in found), _joined(settled for _, settled in found), f"{gas:.3g}"


def _sample(arg: Arg) -> str:
    if arg.name == "data":
        return "data"
    if arg.column:
        return arg.column
    if arg.default is not REQUIRED:
        return ""
    if arg.kind == "bool":
        return "close > open"
    return str(_WINDOW) if arg.is_window else "open" if arg.name in _SECOND else "close"


def _joined(numbers: Iterable[float]) -> str:
    texts = ["start" if math.isinf(number) else f"{int(number)}" for number in numbers]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _talib_sections() -> Iterator[str]:
    for group, names in _library.get_function_groups().items():
        rows = [(OPS[name].names[0], OPS[name]) for name in names]
        rows = [(name, row) for name, row in rows if INDICATOR_NAMES[name] == row.name and not row.has(Flag.CANDLE)]
        if rows:
            yield f"### {group}\n"
            yield from _function_table(rows, is_own=False)
            yield ""


def _functions() -> list[str]:
    return list(_library.get_functions())


def _pattern_table() -> Iterator[str]:
    yield "| Pattern | Meaning | First |"
    yield "| --- | --- | --- |"
    for row in OPS.values():
        if row.has(Flag.CANDLE):
            short = row.names[0].removeprefix("cdl")
            call = f"pattern.{short if short.isidentifier() else row.names[0]}()"
            yield f"| `{call}` | {_title(row.name)} | {int(row.first(()))} |"


def _method_sections() -> Iterator[str]:
    yield "\n## Methods of a series\n"
    apart = _REDUCTIONS | {"rolling", "ewm", "expanding"}
    plain = {name: method for name, method in SERIES_METHODS.items() if name not in apart}
    yield _calls("x", plain) + ".\n"
    yield "`x.values` and `x.series` are the series itself, and `x[k]` is its value `k` bars ago.\n"
    yield "These make one number of the whole series, and so look ahead:"
    yield _calls("x", {name: SERIES_METHODS[name] for name in sorted(_REDUCTIONS)}) + ".\n"
    yield "Over windows:\n"
    yield f"- `x.rolling(window, min_periods=window)` has {_calls('', ROLLING_METHODS)}."
    yield f"- `x.ewm(span=...)`, with `com`, `halflife` or `alpha` instead of `span`, has {_calls('', EWM_METHODS)}."
    yield "  Its other arguments are `adjust=True`, `min_periods=0` and `ignore_na=False`."
    yield f"- `x.expanding(min_periods=1)` has {_calls('', EXPANDING_METHODS)}."


def _calls(owner: str, methods: Mapping[str, Method]) -> str:
    shown = (f"`{owner}.{name}({', '.join(_written(arg) for arg in method.args)})`" for name, method in methods.items())
    return ", ".join(shown)


def _numeric_section() -> Iterator[str]:
    yield "\n## np, pd and Python's functions\n"
    yield "They are names of the language, never the modules; a domain error gives no value.\n"
    own = [f"`{name}`" for name in NUMERIC if not name.startswith("builtin.")]
    yield ", ".join(own) + ".\n"
    yield "Constants: `np.nan`, `np.pi`, `np.e`.\n"
    plain = [f"`{name.removeprefix('builtin.')}`" for name in NUMERIC if name.startswith("builtin.")]
    yield "Python's functions: " + ", ".join(plain) + "."


def _limits_section() -> Iterator[str]:
    yield "\n## Limits\n"
    yield "They are the same on every machine; a message about one names it, its value and the actual number.\n"
    yield "| Limit | Value |"
    yield "| --- | --- |"
    for name, value in asdict(LIMITS).items():
        yield f"| {name.replace('_', ' ')} | {value:,} |"
    yield "\nWhat one run may use, by tier:\n"
    yield "| Tier | Gas | Memory in MB |"
    yield "| --- | --- | --- |"
    for title, tier in TIERS.items():
        yield f"| {title.replace('_', ' ')} | {tier.gas:,} | {tier.memory_bytes // 1_048_576} |"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
