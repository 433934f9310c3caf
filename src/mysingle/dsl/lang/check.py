"""Arguments against signatures: names, number, kinds, phases and ranges, with the signature in every message."""

from collections.abc import Sequence
from typing import TypeAlias

from mysingle.dsl.ir.kinds import NUMERIC, Const, Kind, Phase
from mysingle.dsl.ir.ops import REQUIRED, Arg
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.diagnostics import nearest
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.values import (
    BarVariable,
    Builtin,
    CallSite,
    DictValue,
    Ewm,
    Expanding,
    Fill,
    Frame,
    ListValue,
    Located,
    Namespace,
    Record,
    Ref,
    Rolling,
    Timeframe,
    UserFunction,
    Value,
)
from mysingle.dsl.limits import LIMITS

__all__ = ["as_bool", "as_number", "bind", "bound", "column_name", "describe", "signature_of", "truth"]

Bound: TypeAlias = dict[str, tuple[Value | None, Span]]
_BACK = frozenset({"periods", "n"})
"""Arguments that say how many bars ago."""
_LOOKAHEAD_KEYWORDS = frozenset({"center", "centre", "centered", "forward", "lookahead", "look_ahead", "offset"})


def describe(ctx: Context, value: Value) -> str:
    """Say in a word or two what a value is."""
    if isinstance(value, Ref):
        found = ctx.type(value.node)
        kind = f"{'an' if found.kind is Kind.INT else 'a'} {found.kind.value}"
        return f"{kind} series" if found.phase is Phase.SERIES else kind
    words: dict[type, str] = {
        Record: "a record with several outputs", ListValue: "a list", DictValue: "a dict", Frame: "a DataFrame",
        Namespace: "a namespace", Builtin: "a function", UserFunction: "a function", Fill: "a filled list",
        BarVariable: "the bar index", Rolling: "a window without a statistic", Ewm: "weights without a statistic",
        Expanding: "a window without a statistic", Timeframe: "a timeframe", Located: "a series without a position",
    }  # fmt: skip
    return words.get(type(value), "an unfinished call")


def as_node(ctx: Context, value: Value, span: Span, wanted: str = "a number or series") -> int:
    """Return the node of a value, or report what it is instead."""
    if isinstance(value, Ref):
        return value.node
    if isinstance(value, Fill):
        return ctx.emit(span, "broadcast", as_node(ctx, value.value, span, wanted))
    if isinstance(value, BarVariable):
        index = ctx.emit(span, "bar_index")
        return ctx.emit(span, "sub", index, ctx.const(value.back)) if value.back else index
    hint = f"choose one: {', '.join(value.fields)}" if isinstance(value, Record) else _UNFINISHED.get(type(value), "")
    raise ctx.refuse("wanted", span, wanted=wanted, found=describe(ctx, value), hint=hint)


_UNFINISHED: dict[type, str] = {
    Rolling: "write x.rolling(20).mean()", Ewm: "write x.ewm(span=12).mean()", Expanding: "write x.expanding().max()",
    Timeframe: "choose a column: timeframe('1D').close", Located: "write x[1] for the bar before",
    Builtin: "call it: name(...)", UserFunction: "call it: name(...)", ListValue: "choose one: x[0]",
}  # fmt: skip


def column_name(ctx: Context, name: str, span: Span) -> str:
    """Return the name of a column, or report that it is none (S4)."""
    if not name.isidentifier() or name.startswith("_") or len(name) > LIMITS.identifier:
        raise ctx.refuse("column_name", span, name=name[:64])
    return name


def as_number(ctx: Context, value: Value, span: Span) -> int:
    """Return a float or int node; a bool counts as 0 and 1."""
    node = as_node(ctx, value, span)
    kind = ctx.type(node).kind
    if kind in NUMERIC:
        return node
    if kind is Kind.BOOL:
        return ctx.emit(span, "to_float", node)
    if kind is Kind.NONE:
        return ctx.na()
    raise ctx.refuse("wanted", span, wanted="a number or series", found=describe(ctx, Ref(node)))


def as_bool(ctx: Context, value: Value, span: Span) -> int:
    """Return a bool node: a number is true when it is neither 0 nor na."""
    if isinstance(value, ListValue | DictValue):
        return ctx.const(bool(value.items if isinstance(value, ListValue) else value.entries))
    if isinstance(value, Record) and value.truth >= 0:
        return value.truth
    node = as_node(ctx, value, span, "a condition")
    kind = ctx.type(node).kind
    if kind is Kind.BOOL:
        return node
    if kind is Kind.NONE:
        return ctx.const(False)
    if kind is Kind.STR:
        return ctx.emit(span, "not", ctx.emit(span, "str_eq", node, ctx.const("")))
    if kind is Kind.TIME:
        raise ctx.refuse("wanted", span, wanted="a condition", found="a time")
    return ctx.emit(span, "to_bool", node)


def truth(ctx: Context, value: Value) -> bool | None:
    """Return the truth of a compile-time value, None when it is not known yet."""
    if isinstance(value, ListValue):
        return bool(value.items)
    if isinstance(value, DictValue):
        return bool(value.entries)
    return bool(ctx.value_of(value)) if ctx.is_const(value) else None


def signature_of(name: str, args: Sequence[Arg]) -> str:
    """Return a call as an author would write it."""
    parts = []
    for arg in args:
        star = "*" if arg.variadic else ""
        parts.append(star + (arg.name if arg.default is REQUIRED else f"{arg.name}={arg.default}"))
    return f"{name}({', '.join(parts)})"


def bound(ctx: Context, call: CallSite, name: str, args: Sequence[Arg]) -> Bound:
    """Match arguments with a signature; None stands for an argument that is not given."""
    plain = [arg for arg in args if not arg.variadic]
    found: Bound = {}
    for index, (value, place) in enumerate(zip(call.args, call.places, strict=True)):
        if len(plain) != len(args):
            found[f"*{index}"] = (value, place)
        elif index < len(plain):
            found[plain[index].name] = (value, place)
        else:
            raise ctx.refuse("too_many_arguments", place, name=name, count=len(plain), actual=len(call.args),
                             signature=signature_of(name, args))  # fmt: skip
    for key, value in call.keywords.items():
        _bind_keyword(ctx, call, name, args, found, key, value)
    for arg in plain:
        if arg.name not in found and arg.default is REQUIRED:
            raise ctx.refuse("missing_argument", call.span, name=name, argument=arg.name,
                             signature=signature_of(name, args))  # fmt: skip
        found.setdefault(arg.name, (None, call.span))
    return found


def _bind_keyword(
    ctx: Context, call: CallSite, name: str, args: Sequence[Arg], found: Bound, key: str, value: Value
) -> None:
    if key not in {arg.name for arg in args if not arg.variadic}:
        raise _unknown_keyword(ctx, call, name, key, args)
    if key in found:
        raise ctx.refuse("argument_twice", call.keyword_places[key], name=name, argument=key)
    found[key] = (value, call.keyword_places[key])


def _unknown_keyword(ctx: Context, call: CallSite, name: str, key: str, args: Sequence[Arg]) -> Exception:
    place = call.keyword_places[key]
    if key in _LOOKAHEAD_KEYWORDS:
        return ctx.refuse("lookahead_keyword", place, name=name, keyword=key)
    near = nearest(key, [arg.name for arg in args]) or next((arg.name for arg in args if arg.is_window), "")
    return ctx.refuse("unknown_keyword", place, fix=near, name=name, keyword=key, near=near,
                      signature=signature_of(name, args) + (f"; did you mean '{near}'?" if near else ""))  # fmt: skip


def bind(ctx: Context, call: CallSite, name: str, args: Sequence[Arg]) -> list[int]:
    """Return one node for each argument of the signature, converted and checked; variadic ones follow at the end."""
    found = bound(ctx, call, name, args)
    nodes = []
    for arg in args:
        if arg.variadic:
            continue
        value, span = found[arg.name]
        nodes.append(_default(ctx, arg) if value is None else _converted(ctx, name, args, arg, value, span))
    star = next((arg for arg in args if arg.variadic), None)
    if star:
        rest = [found[key] for key in found if key.startswith("*")]
        nodes += [_converted(ctx, name, args, star, value, span) for value, span in rest if value is not None]
    return nodes


def _default(ctx: Context, arg: Arg) -> int:
    value = arg.default
    if value is REQUIRED:
        return ctx.na()
    if value is None and arg.kind == "float":
        return ctx.na()
    if arg.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return ctx.const(float(value))
    return ctx.const(value)


def _converted(ctx: Context, name: str, args: Sequence[Arg], arg: Arg, value: Value, span: Span) -> int:
    if arg.kind == "bool":
        node = as_bool(ctx, value, span)
    elif arg.kind == "float":
        node = as_number(ctx, value, span)
    elif arg.kind == "int":
        node = _as_count(ctx, name, args, arg, as_node(ctx, value, span), span)
    elif arg.kind == "str":
        node = _as_text(ctx, name, args, arg, value, span)
    else:
        node = as_node(ctx, value, span)
    if ctx.type(node).phase > arg.phase:
        raise ctx.refuse("wanted_number", span, name=name, argument=arg.name, found=describe(ctx, Ref(node)),
                         signature=signature_of(name, args))  # fmt: skip
    if arg.kind == "float":
        _check_range(ctx, name, args, arg, ctx.value_of(node), span)
    return node


def _as_text(ctx: Context, name: str, args: Sequence[Arg], arg: Arg, value: Value, span: Span) -> int:
    node = as_node(ctx, value, span, "a text")
    if ctx.type(node).kind is not Kind.STR:
        raise ctx.refuse("argument_kind", span, name=name, argument=arg.name, wanted="a text",
                         found=describe(ctx, value), signature=signature_of(name, args))  # fmt: skip
    return node


def _as_count(ctx: Context, name: str, args: Sequence[Arg], arg: Arg, node: int, span: Span) -> int:
    found = ctx.type(node)
    if found.phase > arg.phase:
        raise ctx.refuse("wanted_number", span, name=name, argument=arg.name, found=describe(ctx, Ref(node)),
                         signature=signature_of(name, args))  # fmt: skip
    if found.kind not in NUMERIC:
        raise ctx.refuse("argument_kind", span, name=name, argument=arg.name, wanted="a whole number",
                         found=describe(ctx, Ref(node)), signature=signature_of(name, args))  # fmt: skip
    if not ctx.is_const(node):
        return node
    value = ctx.value_of(node)
    if not isinstance(value, int | float) or value != int(value):
        raise ctx.refuse("argument_kind", span, name=name, argument=arg.name, wanted="a whole number",
                         found=f"{value}", signature=signature_of(name, args))  # fmt: skip
    _check_range(ctx, name, args, arg, int(value), span)
    return ctx.const(int(value))


def _check_range(ctx: Context, name: str, args: Sequence[Arg], arg: Arg, value: Const, span: Span) -> None:
    if not isinstance(value, int | float):
        return
    if arg.low is None and arg.high is None:
        return
    if arg.high == LIMITS.window and value > LIMITS.window:
        raise ctx.refuse("limit", span, limit=f"window '{arg.name}' of {name}()", value=LIMITS.window, actual=value)
    if arg.name in _BACK and value < 0:
        raise ctx.refuse("negative_shift", span, name=name, argument=arg.name, actual=value)
    if (arg.low is not None and value < arg.low) or (arg.high is not None and value > arg.high):
        low = "" if arg.low is None else f"at least {arg.low:g}"
        high = "" if arg.high is None else f"at most {arg.high:g}"
        bounds = " and ".join(part for part in (low, high) if part)
        raise ctx.refuse("argument_range", span, name=name, argument=arg.name, actual=value, bounds=bounds,
                         signature=signature_of(name, args))  # fmt: skip
