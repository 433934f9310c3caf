"""What the command line says about a strategy: its findings, its meaning, and the outcome of a run."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mysingle.dsl.api import Program
from mysingle.dsl.errors import Diagnostic, DSLError, Severity
from mysingle.dsl.lang.diagnostics import render
from mysingle.dsl.workbench.paint import Paint, clean, table

__all__ = ["diagnostics_of", "explanation", "explanation_document", "findings", "findings_document", "values_at"]

_BAR: Final = 24


def diagnostics_of(error: DSLError) -> tuple[Diagnostic, ...]:
    """Return everything that a failed compile has found, or the error itself."""
    return error.diagnostics or (Diagnostic(code=error.dsl_code, message=error.message, line=error.line or 0),)


# findings


def findings(name: str, found: Sequence[Diagnostic], language: str, paint: Paint) -> Iterator[str]:
    """Give each finding with its place and advice, then their number."""
    for item in found:
        yield from _finding(item, language, paint)
        yield ""
    errors = sum(item.severity is Severity.ERROR for item in found)
    warnings = len(found) - errors
    counts = [_count(errors, "error"), *([_count(warnings, "warning")] if warnings else [])]
    yield f"{name}: {paint.bad(', '.join(counts)) if errors else paint.warn(', '.join(counts[1:]))}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _finding(item: Diagnostic, language: str, paint: Paint) -> Iterator[str]:
    is_error = item.severity is Severity.ERROR
    mark = paint.bad if is_error else paint.warn
    head, *rest = clean(render(item, language)).split("\n")
    yield mark(head if is_error else f"warning {head}")
    for line in rest:
        if line.startswith("  -->"):
            yield paint.dim(line)
        elif line.startswith("     = "):
            yield paint.note(line)
        elif set(line.partition("|")[2].strip()) == {"^"}:
            yield mark(line)
        else:
            yield line
    advice = "\n".join(rest)
    for fix in item.fixits:
        if fix.text not in advice:
            yield paint.note(f"     = {'수정' if language == 'ko' else 'fix'}: {clean(fix.text)}")


def findings_document(name: str, found: Sequence[Diagnostic]) -> dict[str, Any]:
    """Return the findings as data."""
    is_ok = all(item.severity is not Severity.ERROR for item in found)
    return {"file": name, "ok": is_ok, "diagnostics": [item.document() for item in found]}


# what a program means


def summary(name: str, program: Program, paint: Paint) -> str:
    """Return one line about a program that compiles."""
    warm_up = program.warmup()
    parts = [
        f"{len(program.ir.nodes)} nodes",
        f"reads {', '.join(program.columns) or 'no column'}",
        f"first valid bar {_bars(warm_up.first_valid)}",
    ]
    return f"{name}: {paint.good('ok')}, {', '.join(parts)}"


def explanation(name: str, source: str, program: Program, n_bars: int, paint: Paint) -> Iterator[str]:
    """Give what a program reads, takes and gives, when its values are valid, and what each line costs."""
    title = program.metadata.get("name") or program.metadata.get("title") or name
    yield paint.bold(clean(title))
    yield from table(_facts(program))
    if program.ir.params:
        yield ""
        yield from table(_parameters(program), ("parameter", "type", "default", "allowed", "meaning"), paint)
    by_output = program.warmup().by_output
    if by_output:
        yield ""
        rows = [(key, _bars(first), _bars(far)) for key, (first, far) in by_output.items()]
        yield from table(rows, ("decision", "first valid bar", "independent of the start after"), paint)
    yield ""
    yield from _costs(source, program, n_bars, paint)
    for finding in program.lookahead:
        word = "look-ahead" if finding.is_harmful else "looks ahead, decides nothing"
        yield paint.warn(f"line {finding.line}: {word}: {finding.message}")


def _facts(program: Program) -> list[tuple[str, str]]:
    ir = program.ir
    orders = ", ".join(dict.fromkeys(f"{order.action} {order.id}".strip() for order in ir.orders))
    facts = [
        ("reads", ", ".join(program.columns) or "no column"),
        ("gives", ", ".join(program.outputs)),
        ("orders", orders),
        ("alerts", ", ".join(alert.message for alert in ir.alerts)),
        ("plots", ", ".join(plot.title or plot.name for plot in ir.plots)),
        ("state", ", ".join(state.name for state in ir.states)),
        ("timeframes", ", ".join(f"{grid.size}{grid.unit}" for grid in ir.grids[1:])),
        ("mode", f"{program.mode}, profile {program.profile}, language {'.'.join(map(str, ir.lang))}"),
        ("program", program.hash[:16]),
    ]
    return [(key, value) for key, value in facts if value]


def _parameters(program: Program) -> list[tuple[str, ...]]:
    return [
        (spec.name, spec.kind.value, "required" if spec.required else str(spec.default), _allowed(spec),
         spec.description or spec.title)
        for spec in program.ir.params
    ]  # fmt: skip


def _allowed(spec: Any) -> str:
    if spec.options:
        return ", ".join(map(str, spec.options))
    low, high = spec.minimum, spec.maximum
    bounds = f"{'' if low is None else low}..{'' if high is None else high}" if (low, high) != (None, None) else "any"
    return bounds + (f" step {spec.step}" if spec.step else "")


def _bars(number: float) -> str:
    return "the start decides" if math.isinf(number) else f"{int(number):,}"


def _costs(source: str, program: Program, n_bars: int, paint: Paint) -> Iterator[str]:
    cost = program.cost(n_bars)
    most = max(cost.by_line.values(), default=1)
    yield paint.bold(f"  line       gas{'':{_BAR + 3}}source")
    for number, text in enumerate(source.splitlines(), 1):
        gas = cost.by_line.get(number, 0)
        bar = "#" * max(round(gas / most * _BAR), 1 if gas else 0)
        shown = f"{gas:>10,}" if gas else " " * 10
        yield f"  {number:>4}{shown} {paint.note(f'{bar:<{_BAR}}')}  {clean(text)}".rstrip()
    yield paint.dim(f"  {cost.gas:,} gas and {cost.peak_mb:.1f} MB for {n_bars:,} bars")


def values_at(rows: Sequence[tuple[str, int, Any]], label: str, paint: Paint) -> Iterator[str]:
    """Give every variable at one bar."""
    yield paint.bold(f"values at {label}")
    yield from table([(name, str(line), shown(value)) for name, line, value in rows], ("name", "line", "value"), paint)


def shown(value: Any) -> str:
    """Write a value as people read it; a missing one is na."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "na"
    if isinstance(value, bool):
        return str(value)
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def explanation_document(name: str, program: Program, n_bars: int) -> dict[str, Any]:
    """Return what a program means as data."""
    cost, warm_up = program.cost(n_bars), program.warmup()
    return {
        "file": name,
        "metadata": program.metadata,
        "hash": program.hash,
        "mode": program.mode,
        "profile": program.profile,
        "columns": list(program.columns),
        "outputs": list(program.outputs),
        "parameters": program.params_schema,
        "warmup": {
            key: {"first_valid": int(first), "converged": None if math.isinf(far) else int(far)}
            for key, (first, far) in warm_up.by_output.items()
        },
        "cost": {"bars": n_bars, "gas": cost.gas, "peak_mb": round(cost.peak_mb, 3), "by_line": cost.by_line},
        "lookahead": [
            {"line": item.line, "column": item.column, "message": item.message, "harmful": item.is_harmful}
            for item in program.lookahead
        ],
    }
