"""All passes in order: text, header, parser, whitelist, lowering, analyses; the result is a program or all errors."""

import ast
import re
import warnings
from collections.abc import Iterable
from os import devnull
from typing import Final, NamedTuple

from mysingle.dsl.errors import Diagnostic, Severity, error_of
from mysingle.dsl.ir.causality import find_lookahead
from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.passes import prune
from mysingle.dsl.ir.program import Named, Output, ParamSpec, Program, State
from mysingle.dsl.ir.regions import blockers
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.bar_loop import assigned_names
from mysingle.dsl.lang.check import as_node
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.diagnostics import Exhausted, Refusal, Reporter, nearest
from mysingle.dsl.lang.grammar import Grammar
from mysingle.dsl.lang.header import Header, read_header
from mysingle.dsl.lang.identifiers import identifier_problem
from mysingle.dsl.lang.messages import SYNTAX
from mysingle.dsl.lang.params import literal_of
from mysingle.dsl.lang.source import Problem, Source, Span, check_text, scan
from mysingle.dsl.lang.statements import inline, run_block
from mysingle.dsl.lang.states import finish_state
from mysingle.dsl.lang.values import DictValue, Fill, Frame, ListValue, Record, Ref, Value
from mysingle.dsl.limits import LIMITS

__all__ = ["LANGUAGE", "METADATA", "MODES", "PROFILES", "Compiled", "compile_source"]

LANGUAGE: Final = (1, 0)
PROFILES: Final = ("standard", "mysingle-1")
MODES: Final = ("strict", "research")
_MAY_WARN: Final = re.compile(r"\\|(?<![\w.])\.?\d[\d_.]*+[A-Za-z]")
"""What Python's parser warns of: unknown escapes, and a number that runs into a word. Muting is for the process."""
METADATA: Final = frozenset({
    "name", "title", "description", "author", "version", "lang", "profile", "category", "tags", "symbol", "interval",
    "timeframe", "type", "license", "created", "updated", "group", "label", "overlay", "id",
})  # fmt: skip


class Compiled(NamedTuple):
    """A program with the warnings of its compile and the metadata of its header."""

    program: Program
    warnings: tuple[Diagnostic, ...]
    metadata: dict[str, str]


def compile_source(
    text: str, *, profile: str = "standard", mode: str = "strict", columns: Iterable[str] = ()
) -> Compiled:
    """
    Compile a strategy.

    Raises:
        DSLError: of the class of the first error; `diagnostics` holds all of them.
    """
    source = Source(text)
    reporter = Reporter(source)
    ctx = Context(reporter, profile=profile, mode=mode, known_columns=frozenset(columns), inline=inline)
    try:
        statements, header = _parsed(source, reporter)
        _read_entries(ctx, header)
        program = _lowered(ctx, statements, source)
        if not reporter.has_errors:
            _judge(ctx, program)
    except Problem as problem:
        reporter.report(problem.key, problem.span, **problem.values)
    except (Exhausted, Refusal):
        pass
    except RecursionError:
        reporter.report("limit", None, limit="nesting", value=LIMITS.nesting, actual="more")
    if reporter.has_errors:
        raise error_of(sorted(reporter.found, key=lambda item: (item.line, item.column)))
    metadata = {entry.key: entry.value for entry in header.entries if entry.section == "metadata"}
    return Compiled(program, tuple(reporter.found), metadata)


def _parsed(source: Source, reporter: Reporter) -> tuple[tuple[n.Stmt, ...], Header]:
    check_text(source)
    header = read_header(source)
    scan(Source(header.text))
    tree = _tree(header.text, reporter)
    if tree is None:
        raise Refusal
    return Grammar(reporter, header).program(tree), header


def _tree(text: str, reporter: Reporter) -> ast.Module | None:
    """Run Python's parser, which builds a tree and executes nothing."""
    try:
        # For a syntax error Python looks for the line in a file of this name; the null device has none.
        if _MAY_WARN.search(text) is None:
            return ast.parse(text, filename=devnull)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=devnull)
    except SyntaxError as error:
        line, column = error.lineno or 1, max((error.offset or 1) - 1, 0)
        line_text = reporter.source.line(line)
        start = len(line_text[:column].encode("utf-8", "ignore"))
        message = (error.msg or "invalid syntax").partition(". Maybe you meant")[0]
        message = _HEADED.sub(lambda found: _section(reporter.source, found), message)
        hint, hint_ko = _meant(line_text)
        reporter.report("syntax", Span(line, start, line, start + 1), text=message[:120], hint=hint, hint_ko=hint_ko)
    except (RecursionError, MemoryError):
        reporter.report("syntax", None, text="nested too deeply for the parser")
    except ValueError as error:
        reporter.report("syntax", None, text=str(error)[:80])
    return None


_HEADED: Final = re.compile(r"'if' statement on line (\d+)")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|#.*")


def _section(source: Source, found: re.Match[str]) -> str:
    """Name the section that the parser saw as `if 1:`."""
    line = source.line(int(found[1])).strip()
    return f"'{line}' on line {found[1]}" if line.startswith("@") else found[0]


def _meant(line: str) -> tuple[str, str]:
    """Return what to write instead of what other languages write."""
    code = _QUOTED.sub("", line)
    for pattern, hint, hint_ko in SYNTAX:
        if re.search(pattern, code):
            return hint, hint_ko
    return "", ""


# the header


def _read_entries(ctx: Context, header: Header) -> None:
    for entry in header.entries:
        problem = identifier_problem(entry.key)
        if problem:
            ctx.reporter.report(problem, entry.span, name=entry.key)
        elif entry.section == "metadata":
            _metadata(ctx, entry.key, entry.value.strip("\"'"), entry.span)
        else:
            _param_entry(ctx, entry.key, entry.value, entry.description, entry.span)


def _metadata(ctx: Context, key: str, value: str, span: Span) -> None:
    if key == "profile":
        if value not in PROFILES:
            ctx.reporter.report("option", span, name="profile", options=", ".join(PROFILES))
        else:
            ctx.profile = value
    elif key == "lang" and value not in {"1", "1.0"}:
        ctx.reporter.report("language_version", span, version=value[:20])
    elif key not in METADATA and nearest(key, METADATA):
        ctx.warn("unknown_metadata", span, name=key, near=nearest(key, METADATA))


def _param_entry(ctx: Context, key: str, text: str, description: str, span: Span) -> None:
    if key in ctx.params.specs:
        ctx.reporter.report("param_twice", span, name=key)
        return
    try:
        value = literal_of(text)
    except ValueError:
        ctx.reporter.report("param_literal", span, name=key)
        return
    kinds: dict[type, Kind] = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.STR}
    kind = kinds.get(type(value), Kind.FLOAT)
    ctx.params.declare(
        ParamSpec(key, kind, required=False, default=value, nullable=value is None, description=description[:256])
    )


# the program


def _lowered(ctx: Context, statements: tuple[n.Stmt, ...], source: Source) -> Program:
    ctx.assigned = assigned_names(statements).plain
    _declare_functions(ctx, statements)
    run_block(ctx, statements)
    for name, number in ctx.state_of.items():
        try:
            finish_state(ctx, number, ctx.scope[name], Span(ctx.lines.get(name, 1), 0, ctx.lines.get(name, 1), 1))
        except Refusal:
            continue
    shape, outputs = _result(ctx)
    if len(ctx.params.specs) > LIMITS.parameters:
        ctx.exhaust("parameters", LIMITS.parameters, len(ctx.params.specs))
    states = tuple(State(item.name, item.kind, item.init, item.update, item.title) for item in ctx.states)
    program = Program(
        nodes=tuple(ctx.builder.nodes), locs=_places(ctx, source), params=tuple(ctx.params.specs.values()),
        grids=tuple(ctx.grids), states=states, shape=shape, outputs=outputs, guards=tuple(ctx.guards),
        orders=tuple(ctx.orders), plots=tuple(ctx.plots), alerts=tuple(ctx.alerts), names=_names(ctx), lang=LANGUAGE,
        profile=ctx.profile, mode=ctx.mode, source_sha256=source.sha256,
    )  # fmt: skip
    return prune(program)


def _places(ctx: Context, source: Source) -> tuple[tuple[int, int], ...]:
    """Return line and column of each node, as people count them."""
    return tuple([(line, source.column(line, byte) if line else 0) for line, byte in ctx.builder.locs])


def _declare_functions(ctx: Context, statements: tuple[n.Stmt, ...]) -> None:
    """Refuse names that would hide what the language itself needs."""
    for statement in statements:
        if isinstance(statement, n.Function) and statement.name in {"data", "params"}:
            ctx.reporter.report("assign_reserved", statement.span, name=statement.name)


def _names(ctx: Context) -> tuple[Named, ...]:
    return tuple(
        Named(name, value.node, ctx.lines.get(name, 0)) for name, value in ctx.scope.items()
        if isinstance(value, Ref) and "[" not in name and not ctx.builder.is_constant(value.node)
    )  # fmt: skip


def _result(ctx: Context) -> tuple[str, tuple[Output, ...]]:
    value = ctx.scope.get("result")
    span = Span(ctx.lines.get("result", 1), 0, ctx.lines.get("result", 1), len("result"))
    if value is None:
        return "none", ()
    if isinstance(value, Record | Frame | DictValue):
        fields = value.entries if isinstance(value, DictValue) else {**value.fields}
        return "frame", _columns(ctx, {str(name): item for name, item in fields.items()}, span)
    if isinstance(value, ListValue):
        raise ctx.refuse("wanted", span, wanted="a series, record or dict of series", found="a list")
    node = as_node(ctx, value, span, "a series, record or dict of series")
    is_series = ctx.type(node).phase is Phase.SERIES or isinstance(value, Fill)
    return "series" if is_series else "scalar", (_output(ctx, "result", Ref(node), span),)


def _columns(ctx: Context, fields: dict[str, Value], span: Span) -> tuple[Output, ...]:
    """Return the columns of a result; a number beside a series stands on every bar."""
    found = [_output(ctx, name, item, span) for name, item in fields.items()]
    if not any(ctx.type(item.node).phase is Phase.SERIES for item in found):
        return tuple(found)
    return tuple(
        item if ctx.type(item.node).phase is Phase.SERIES
        else item._replace(node=ctx.emit(span, "broadcast", item.node)) for item in found
    )  # fmt: skip


def _output(ctx: Context, name: str, value: Value, span: Span) -> Output:
    node = ctx.on_base(as_node(ctx, value, span, "a series"))
    kind = ctx.type(node).kind
    if kind not in {Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TIME, Kind.NONE}:
        raise ctx.refuse("wanted", span, wanted="a series of numbers or bools", found=kind.value)
    return Output(name, node)


# analyses


def _judge(ctx: Context, program: Program) -> None:
    for index in blockers(program):
        line, column = program.locs[index]
        ctx.reporter.report("state_window", _point(ctx, line, column), op=program.nodes[index].op)
    for finding in find_lookahead(program):
        strict = ctx.mode == "strict" and finding.is_harmful
        if finding.reaches != "guard":
            ctx.reporter.report(
                "lookahead", _point(ctx, finding.line, finding.column), text=finding.message,
                severity=Severity.ERROR if strict else Severity.WARNING,
            )  # fmt: skip


def _point(ctx: Context, line: int, column: int) -> Span | None:
    if not line:
        return None
    start = len(ctx.reporter.source.line(line)[: column - 1].encode("utf-8", "ignore"))
    return Span(line, start, line, start + 1)
