"""Strategies in case files: programs one after the other, and the code that a refused line is expected to give."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from mysingle.dsl.api import compile as compile_program
from mysingle.dsl.errors import DSLError, Severity

__all__ = ["StrategyCase", "check_strategy", "strategy_cases"]

_SEPARATOR: Final = re.compile(r"^---[ \t]*$", re.MULTILINE)
_EXPECTED: Final = re.compile(r"#\s*(DSL-0\d\d)\s*$")


class StrategyCase(NamedTuple):
    """One program of a case file; `expected` holds line and code of each error, none for a good program."""

    name: str
    source: str
    expected: tuple[tuple[int, str], ...]


def strategy_cases(path: Path) -> tuple[StrategyCase, ...]:
    """Return the programs of a case file, or of all `*.dsl` files of a folder; a line `---` stands between two."""
    if path.is_dir():
        return tuple(case for file in sorted(path.glob("*.dsl")) for case in strategy_cases(file))
    parts = (part.strip("\n") for part in _SEPARATOR.split(path.read_text(encoding="utf-8")))
    return tuple(_case(path.stem, number, part) for number, part in enumerate(parts, 1) if part.strip())


def _case(file: str, number: int, source: str) -> StrategyCase:
    first = source.splitlines()[0]
    title = first.lstrip("# ") if first.startswith("#") else str(number)
    lines = enumerate(source.splitlines(), 1)
    expected = tuple((line, match[1]) for line, text in lines if (match := _EXPECTED.search(text)))
    return StrategyCase(f"{file}: {title}", source, expected)


def check_strategy(
    case: StrategyCase, data: Any = None, params: dict[str, Any] | None = None, *, mode: str = "strict"
) -> None:
    """
    Check that a program compiles, or is refused exactly where and how its comments say.

    With data a good program also runs over it, and no bar of its result may change when more bars follow.

    Raises:
        AssertionError: it does something else.
    """
    try:
        program = compile_program(case.source, mode=mode)
    except DSLError as error:
        found = {(item.line, item.code.value) for item in error.diagnostics if item.severity is Severity.ERROR}
        _demand(found == set(case.expected), case, f"expected {list(case.expected)}, found {sorted(found)}: {error}")
        return
    _demand(not case.expected, case, f"expected {list(case.expected)}, and it compiles")
    if data is not None:
        changes = program.verify_causality(data, params)
        _demand(not changes, case, f"more bars change what was said before: {changes[:3]}")


def _demand(is_so: bool, case: StrategyCase, message: str) -> None:
    if not is_so:
        raise AssertionError(f"{case.name}: {message}")
