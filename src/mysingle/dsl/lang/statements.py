"""What statements do: bind names, branch, unroll, inline functions, guard."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from mysingle.dsl.ir.kinds import Kind, Phase
from mysingle.dsl.ir.program import Guard
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.bar_loop import BarRange, assigned_names, bar_range
from mysingle.dsl.lang.branches import RETURNED, always_returns, has_return, merged, returns
from mysingle.dsl.lang.check import as_bool, as_node, as_number
from mysingle.dsl.lang.context import BarLoop, Context
from mysingle.dsl.lang.diagnostics import Refusal
from mysingle.dsl.lang.effects import declare_parameter
from mysingle.dsl.lang.expressions import evaluate, iterate
from mysingle.dsl.lang.operators import arithmetic
from mysingle.dsl.lang.resolve import LOCAL_COLUMN, data_column, resolve_name
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.states import finish_state, new_state
from mysingle.dsl.lang.values import (
    BarVariable,
    CallSite,
    ListValue,
    Record,
    Ref,
    UserFunction,
    Value,
)
from mysingle.dsl.limits import LIMITS

__all__ = ["inline", "run_block"]


def run_block(ctx: Context, body: tuple[n.Stmt, ...]) -> None:
    """Run statements one after the other; an error in one does not hide errors in the next."""
    for index, statement in enumerate(body):
        ctx.spend_statement(statement.span)
        rest = body[index + 1 :]
        early = bool(rest) and isinstance(statement, n.If) and has_return(statement)
        if early and isinstance(statement, n.If) and always_returns(statement.body) and not statement.orelse:
            statement = statement._replace(orelse=rest)
        elif rest and (early or isinstance(statement, n.Return)):
            ctx.reporter.report("return_last", statement.span)
        try:
            _RULES[type(statement)](ctx, statement)
        except Refusal:
            _lose(ctx, statement)
        if early:
            return


def _lose(ctx: Context, statement: n.Stmt) -> None:
    """Keep names known that a refused assignment would have bound, so that one mistake is reported once."""
    if isinstance(statement, n.Assign | n.Augmented | n.State):
        target = statement.name if isinstance(statement, n.State) else statement.target
        for item in target.items if isinstance(target, n.Targets) else (target,):
            if isinstance(item, n.Name):
                ctx.scope.setdefault(item.id, Ref(ctx.na()))


# assignments


def _assign(ctx: Context, node: n.Assign) -> None:
    if isinstance(node.target, n.Name) and isinstance(node.value, n.Call):
        special = _declaration(ctx, node.target, node.value)
        if special:
            return
    value = evaluate(ctx, node.value)
    if isinstance(node.target, n.Targets):
        _unpack(ctx, node.target, value)
    else:
        _bind(ctx, node.target, value)


def _declaration(ctx: Context, target: n.Name, call: n.Call) -> bool:
    """Handle `x = param.int(...)` and `x = var(...)`, which need the name that they are assigned to."""
    function = call.function
    if isinstance(function, n.Name) and function.id == "var":
        _declare_var(ctx, target, call)
        return True
    if not (isinstance(function, n.Attribute) and isinstance(function.value, n.Name) and function.value.id == "param"):
        return False
    if function.name not in {"int", "float", "bool", "str"}:
        return False
    site = CallSite(
        f"param.{function.name}", None, tuple(evaluate(ctx, item) for item in call.args),
        {key: evaluate(ctx, item) for key, item, _ in call.keywords}, call.span,
        tuple(item.span for item in call.args), {key: at for key, _, at in call.keywords},
    )  # fmt: skip
    _bind(ctx, target, declare_parameter(ctx, site, target.id))
    return True


def _declare_var(ctx: Context, target: n.Name, call: n.Call) -> None:
    args = [evaluate(ctx, item) for item in call.args]
    titles = [item for key, item, _ in call.keywords if key == "title"]
    name = ctx.value_of(args[0]) if args and isinstance(args[0], Ref) else None
    if isinstance(name, str) and len(args) == 2:
        _new_var(ctx, target, name, args[1], call.span)
        return
    if isinstance(name, str) and len(args) == 1:
        _bind(ctx, target, evaluate(ctx, call))
        return
    if len(args) != 1 or len(titles) != len(call.keywords):
        raise ctx.refuse("var_form", call.span)
    title = ctx.value_of(evaluate(ctx, titles[0])) if titles else ""
    _new_var(ctx, target, target.id, args[0], call.span, str(title or ""))


def _state(ctx: Context, node: n.State) -> None:
    _new_var(ctx, node.name, node.name.id, evaluate(ctx, node.value), node.span)


def _new_var(ctx: Context, target: n.Name, name: str, init: Value, span: Span, title: str = "") -> None:
    if ctx.block_depth or ctx.calls:
        raise ctx.refuse("var_place", span)
    if target.id in ctx.state_of:
        raise ctx.refuse("var_twice", span, name=target.id)
    number = new_state(ctx, name, as_node(ctx, init, span), span, title)
    ctx.state_of[target.id] = number
    _bind(ctx, target, Ref(ctx.states[number].leaf))


def _unpack(ctx: Context, target: n.Targets, value: Value) -> None:
    if isinstance(value, Record):
        value = ListValue(tuple(value.fields.values()))
    if not isinstance(value, ListValue) or len(value.items) != len(target.items):
        raise ctx.refuse("unpack", target.span, count=len(target.items))
    for item, found in zip(target.items, value.items, strict=True):
        _bind(ctx, item, found)


def _bind(ctx: Context, target: n.Target, value: Value) -> None:
    if isinstance(target, n.Column):
        ctx.scope[LOCAL_COLUMN + target.name] = Ref(as_node(ctx, value, target.span))
    elif isinstance(target, n.Element):
        _set_element(ctx, target, value)
    else:
        ctx.scope[target.id] = value
        if not ctx.calls:
            ctx.lines.setdefault(target.id, target.span.line)


def _set_element(ctx: Context, target: n.Element, value: Value) -> None:
    index = evaluate(ctx, target.position)
    if not isinstance(index, BarVariable):
        raise ctx.refuse("element_index", target.span)
    if index.back:
        raise ctx.refuse("element_now", target.span)
    old = ctx.scope.get(target.name) or ctx.module.get(target.name)
    if old is None:
        raise ctx.refuse("used_before_assignment", target.span, name=target.name)
    node = as_node(ctx, value, target.span)
    before = as_node(ctx, old, target.span)
    if ctx.type(before).kind is Kind.BOOL and ctx.type(node).kind in {Kind.INT, Kind.FLOAT}:
        node = as_bool(ctx, Ref(node), target.span)
    elif ctx.type(before).kind is Kind.FLOAT and ctx.type(node).kind is Kind.BOOL:
        node = as_number(ctx, Ref(node), target.span)
    ctx.scope[target.name] = Ref(ctx.choose(target.span, ctx.mask(), node, before))


def _augmented(ctx: Context, node: n.Augmented) -> None:
    target = node.target
    if isinstance(target, n.Name):
        if target.id not in ctx.scope and target.id not in ctx.module:
            raise ctx.refuse("used_before_assignment", target.span, name=target.id)
        old = resolve_name(ctx, target.id, target.span)
    elif isinstance(target, n.Column):
        old = data_column(ctx, target.name, target.span)
    else:
        raise ctx.refuse("target", target.span)
    _bind(ctx, target, arithmetic(ctx, node.op, old, evaluate(ctx, node.value), node.span))


# branches


def _if(ctx: Context, node: n.If) -> None:
    cond = as_bool(ctx, evaluate(ctx, node.test), node.test.span)
    if ctx.is_const(cond):
        run_block(ctx, node.body if ctx.value_of(cond) else node.orelse)
        return
    before = dict(ctx.scope)
    after_body = _branch(ctx, node.span, cond, node.body, before)
    after_else = _branch(ctx, node.span, ctx.emit(node.span, "not", cond), node.orelse, before)
    ctx.scope = merged(ctx, node.span, cond, before, after_body, after_else)


def _branch(
    ctx: Context, span: Span, cond: int, body: tuple[n.Stmt, ...], before: dict[str, Value]
) -> dict[str, Value]:
    ctx.scope = dict(before)
    ctx.block_depth += 1
    with ctx.under(span, cond):
        run_block(ctx, body)
    ctx.block_depth -= 1
    return ctx.scope


# loops


def _for(ctx: Context, node: n.For) -> None:
    if returns(node.body):
        ctx.reporter.report("return_last", node.span)
    bars = bar_range(ctx, node)
    if bars is not None:
        _bar_loop(ctx, node, bars)
        return
    items = iterate(ctx, evaluate(ctx, node.values), node.values.span)
    ctx.block_depth += 1
    for item in items:
        for name, value in _loop_names(ctx, node, item):
            ctx.scope[name] = value
        run_block(ctx, node.body)
    ctx.block_depth -= 1


def _loop_names(ctx: Context, node: n.For, item: Value) -> Iterator[tuple[str, Value]]:
    if len(node.names) == 1:
        yield node.names[0], item
        return
    if not isinstance(item, ListValue) or len(item.items) != len(node.names):
        raise ctx.refuse("unpack", node.span, count=len(node.names))
    yield from zip(node.names, item.items, strict=True)


def _bar_loop(ctx: Context, node: n.For, bars: BarRange) -> None:
    """Compile the body once: it says what happens at each bar; what it carries along becomes state."""
    if ctx.loop is not None or len(node.names) != 1:
        raise ctx.refuse("nested_bar_loop", node.span)
    names = assigned_names(node.body)
    loop = BarLoop(node.names[0], frozenset(names.elements))
    before = dict(ctx.scope)
    carried = _carry(ctx, node, loop, names.plain, names.elements)
    ctx.loop = loop
    ctx.scope[node.names[0]] = BarVariable(0)
    start = ctx.emit(node.span, "ge_exact", ctx.emit(node.span, "bar_index"), ctx.const(float(bars.start)))
    inside = dict(ctx.scope)
    try:
        with ctx.under(node.span, start):
            run_block(ctx, node.body)
    finally:
        ctx.loop = None
    _close(ctx, node, start, loop, carried, before, inside if bars.start else {})


def _carry(ctx: Context, node: n.For, loop: BarLoop, plain: frozenset[str], elements: frozenset[str]) -> dict[str, int]:
    """Give each name that the loop assigns, and that exists already, the value of the bar before."""
    carried: dict[str, int] = {}
    for name in sorted(plain):
        old = ctx.scope.get(name) or ctx.module.get(name)
        if name in loop.assigned or not isinstance(old, Ref) or not _can_be_carried(ctx, old.node):
            continue
        carried[name] = new_state(ctx, name, old.node, node.span)
        ctx.scope[name] = Ref(ctx.states[carried[name]].leaf)
    for name in sorted(elements):
        old = ctx.scope.get(name) or ctx.module.get(name)
        if old is None:
            continue
        kind = ctx.type(as_node(ctx, old, node.span)).kind
        ctx.scope[name] = Ref(as_node(ctx, old, node.span))
        empty = ctx.const(False) if kind is Kind.BOOL else ctx.na()
        loop.states[name] = new_state(ctx, name, empty, node.span)
    return carried


def _can_be_carried(ctx: Context, node: int) -> bool:
    found = ctx.type(node)
    return found.phase < Phase.SERIES and found.kind not in {Kind.STR, Kind.TIME}


def _close(
    ctx: Context, node: n.For, start: int, loop: BarLoop, carried: dict[str, int], before: dict[str, Value],
    inside: dict[str, Value],
) -> None:  # fmt: skip
    for name, number in loop.states.items():
        finish_state(ctx, number, ctx.scope[name], node.span)
    for name, number in carried.items():
        value = ctx.scope[name]
        if inside:
            value = Ref(ctx.choose(node.span, start, as_node(ctx, value, node.span), ctx.states[number].leaf))
        finish_state(ctx, number, value, node.span)
        last = ctx.emit(node.span, "at", ctx.states[number].update, ctx.const(-1))
        ctx.scope[name] = Ref(last)
    for name in node.names:
        ctx.scope.pop(name, None)
        if name in before:
            ctx.scope[name] = before[name]


# functions


def _function(ctx: Context, node: n.Function) -> None:
    defaults = tuple(None if item.default is None else evaluate(ctx, item.default) for item in node.parameters)
    ctx.scope[node.name] = UserFunction(node, defaults)


def inline(
    ctx: Context, function: UserFunction, args: tuple[Value, ...], keywords: dict[str, Value], span: Span
) -> Value:
    """Return what a call of a user's function gives: its body is compiled again for these arguments."""
    node = function.node
    if node.name in ctx.calls:
        raise ctx.refuse("recursion", span, name=node.name)
    if len(ctx.calls) >= LIMITS.call_depth:
        raise ctx.refuse("limit", span, limit="call depth", value=LIMITS.call_depth, actual=len(ctx.calls) + 1)
    local = _arguments(ctx, function, args, keywords, span)
    outer, depth = ctx.scope, ctx.block_depth
    if not ctx.calls:
        ctx.module = {**ctx.module, **outer}
    ctx.scope, ctx.block_depth = local, 0
    ctx.calls.append(node.name)
    try:
        run_block(ctx, node.body)
        return ctx.scope.get(RETURNED, Ref(ctx.const(None)))
    finally:
        ctx.calls.pop()
        ctx.scope, ctx.block_depth = outer, depth


def _arguments(
    ctx: Context, function: UserFunction, args: tuple[Value, ...], keywords: dict[str, Value], span: Span
) -> dict[str, Value]:
    names = [item.name for item in function.node.parameters]
    title = f"{function.node.name}({', '.join(names)})"
    if len(args) > len(names):
        raise ctx.refuse("too_many_arguments", span, name=function.node.name, count=len(names), actual=len(args),
                         signature=title)  # fmt: skip
    found: dict[str, Value] = dict(zip(names, args, strict=False))
    for key, value in keywords.items():
        if key not in names:
            raise ctx.refuse("unknown_keyword", span, name=function.node.name, keyword=key, signature=title)
        if key in found:
            raise ctx.refuse("argument_twice", span, name=function.node.name, argument=key)
        found[key] = value
    for name, default in zip(names, function.defaults, strict=True):
        if name not in found:
            if default is None:
                raise ctx.refuse("missing_argument", span, name=function.node.name, argument=name, signature=title)
            found[name] = default
    return found


def _return(ctx: Context, node: n.Return) -> None:
    if not ctx.calls:
        raise ctx.refuse("return_outside", node.span)
    ctx.scope[RETURNED] = Ref(ctx.const(None)) if node.value is None else evaluate(ctx, node.value)


# guards and effects


def _raise(ctx: Context, node: n.Raise) -> None:
    _guard(ctx, ctx.mask(), node.message, node.name, node.span)


def _assert(ctx: Context, node: n.Assert) -> None:
    test = ctx.emit(node.span, "not", as_bool(ctx, evaluate(ctx, node.test), node.span))
    mask = test if ctx.path is None else ctx.emit(node.span, "and", ctx.path, test)
    _guard(ctx, mask, node.message, "AssertionError", node.span)


def _guard(ctx: Context, mask: int, message: str, name: str, span: Span) -> None:
    if ctx.is_const(mask) and not ctx.value_of(mask):
        return
    column = ctx.reporter.source.column(span.line, span.column)
    ctx.guards.append(Guard(ctx.on_base(mask), message, name, span.line, column))


def _evaluate(ctx: Context, node: n.Evaluate) -> None:
    if isinstance(node.value, n.Call) and isinstance(node.value.function, n.Name) and node.value.function.id == "var":
        args = node.value.args
        if len(args) == 2 and isinstance(args[0], n.Literal) and isinstance(args[0].value, str):
            _declare_var(ctx, n.Name(args[0].value, node.span), node.value)
            return
    evaluate(ctx, node.value)


_RULES: Final[dict[type, Callable[[Context, Any], None]]] = {
    n.Assign: _assign, n.Augmented: _augmented, n.State: _state, n.If: _if, n.For: _for, n.Function: _function,
    n.Return: _return, n.Raise: _raise, n.Assert: _assert, n.Evaluate: _evaluate, n.Pass: lambda _ctx, _node: None,
}  # fmt: skip
