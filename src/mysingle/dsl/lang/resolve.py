"""What a name or an attribute means: static tables keyed by the type of a value, never a Python object (S3)."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from mysingle.dsl.ir.kinds import Kind, Phase, Type
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.ir.typing import META
from mysingle.dsl.lang import nodes as n
from mysingle.dsl.lang.check import signature_of
from mysingle.dsl.lang.context import Context
from mysingle.dsl.lang.diagnostics import Refusal, nearest
from mysingle.dsl.lang.effects import EFFECTS, tf_column
from mysingle.dsl.lang.methods import EWM_METHODS, EXPANDING_METHODS, ROLLING_METHODS, SERIES_METHODS
from mysingle.dsl.lang.numeric import CONSTANTS, NUMERIC
from mysingle.dsl.lang.source import Span
from mysingle.dsl.lang.tables import (
    FUNCTION_NAMES,
    FUTURE_METHODS,
    INDICATOR_NAMES,
    NAMESPACES,
    OHLCV,
    PATTERN_NAMES,
    REJECTED_NP,
)
from mysingle.dsl.lang.values import (
    Builtin,
    DictValue,
    Ewm,
    Expanding,
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

__all__ = [
    "LOCAL_COLUMN",
    "MEMBERS",
    "data_column",
    "refuse_unknown_owner",
    "resolve_attribute",
    "resolve_name",
    "series_of",
]

LOCAL_COLUMN: Final = "data[]."
"""Prefix in the scope of what `data['x'] = ...` defines; no identifier contains a bracket."""

_FEW: Final = 16
"""A list of names that is short enough to be read."""
_BUILTINS: Final = frozenset(key.removeprefix("builtin.") for key in NUMERIC if key.startswith("builtin."))
_BARE_EFFECTS: Final = frozenset({"plot", "hline", "alert", "timeframe", "check_missing_data"})
_NP: Final = frozenset(key.removeprefix("np.") for key in NUMERIC if key.startswith("np.")) | CONSTANTS.keys()
_PD: Final = frozenset(key.removeprefix("pd.") for key in NUMERIC if key.startswith("pd.")) | {"NA"}
_IDENTITY: Final = frozenset({"values", "series", "index"})
_LOCATORS: Final = frozenset({"iloc", "loc", "at", "iat"})
_CLOCK: Final = frozenset({"hour", "minute", "day_of_week", "is_regular_session", "is_open", "time"})
_BROKER: Final = {
    "strategy": frozenset({"equity", "position_size", "unrealized_pnl", "realized_pnl"}),
    "portfolio": frozenset({"equity", "position_size", "drawdown", "sharpe_ratio"}),
}
_FIELDS: Final = frozenset(OHLCV)


def resolve_name(ctx: Context, name: str, span: Span) -> Value:
    """Return what a bare name stands for: local, function, namespace, parameter, column, or a new parameter."""
    if name in ctx.scope:
        return ctx.scope[name]
    if name in ctx.module:
        return ctx.module[name]
    known = _known_name(name)
    if known is not None:
        return known
    if name in ctx.params.specs:
        return Ref(ctx.parameter(name))
    if name in _FIELDS or name in ctx.known_columns:
        return Ref(ctx.column(name, span))
    if name in ctx.assigned:
        raise ctx.refuse("used_before_assignment", span, name=name)
    near = nearest(name, [*ctx.scope, *ctx.module, *FUNCTION_NAMES, *_BUILTINS, *_BARE_EFFECTS, *NAMESPACES, *_FIELDS,
                          *ctx.known_columns, *ctx.params.specs])  # fmt: skip
    if near and "[" not in near:
        raise ctx.refuse("unknown_name", span, fix=near, name=name, near=near)
    ctx.params.need(name, implicit=True)
    return Ref(ctx.parameter(name))


def _known_name(name: str) -> Value | None:
    if name in FUNCTION_NAMES:
        return Builtin(FUNCTION_NAMES[name])
    if name in _BUILTINS:
        return Builtin(f"builtin.{name}")
    if name in _BARE_EFFECTS or name == "var":
        return Builtin(name)
    return Namespace(name) if name in NAMESPACES else None


def resolve_attribute(ctx: Context, value: Value, node: n.Attribute) -> Value:
    """Return `value.name` from the table of the value's type."""
    rule = _RULES.get(type(value))
    if rule is None:
        raise ctx.refuse("no_attributes", node.at, name=node.name)
    return rule(ctx, value, node)


def data_column(ctx: Context, name: str, span: Span) -> Value:
    """Return `data['name']`: a column of the data, or one that the program has defined."""
    for scope in (ctx.scope, ctx.module):
        if LOCAL_COLUMN + name in scope:
            return scope[LOCAL_COLUMN + name]
    return Ref(ctx.column(name, span))


def series_of(ctx: Context, value: Ref, span: Span) -> Ref:
    """Take a bare name that is used like a series for the column that it must be."""
    found = ctx.builder.nodes[value.node]
    if found.op != "param":
        return value
    spec = ctx.params.specs[str(found.imm[0])]
    return Ref(ctx.column(spec.name, span)) if spec.implicit else value


def _unknown(ctx: Context, node: n.Attribute, owner: str, names: list[str], hint: str = "") -> Refusal:
    near = nearest(node.name, names)
    if not near and not hint and len(names) <= _FEW:
        hint = f"it has {', '.join(names)}" if names else ""
    return ctx.refuse("unknown_attribute", node.at, fix=near, owner=owner, name=node.name, near=near, hint=hint or (
        f"did you mean '{near}'?" if near else ""))  # fmt: skip


def _of_namespace(ctx: Context, value: Namespace, node: n.Attribute) -> Value:
    if value.name.startswith("indicator."):
        return _indicator_source(ctx, value, node)
    return _MEMBERS[value.name](ctx, node)


def _data(ctx: Context, node: n.Attribute) -> Value:
    if node.name in _LOCATORS:
        raise ctx.refuse("data_locator", node.at, name=node.name)
    if node.name == "columns":
        return ListValue(tuple(Ref(ctx.const(name)) for name in sorted({*OHLCV, *ctx.known_columns})))
    if node.name == "index":
        return Ref(ctx.emit(node.at, "time"))
    if node.name == "shape":
        return ListValue((Ref(ctx.emit(node.at, "n_bars")),), is_tuple=True)
    if node.name in SERIES_METHODS or node.name in FUTURE_METHODS or node.name in {"get", "keys", "items"}:
        raise ctx.refuse("data_method", node.at, name=node.name)
    return data_column(ctx, node.name, node.at)


def _input(ctx: Context, node: n.Attribute) -> Value:
    if node.name in {"symbol", "interval"}:
        return _meta(ctx, f"input.{node.name}", node)
    if node.name == "is_new_bar":
        return Ref(ctx.emit(node.at, "is_new_bar"))
    if node.name in {"int", "float", "bool", "string", "source"}:
        raise _unknown(ctx, node, "input", [], "declare a parameter: x = param.int(14, min=2, max=200)")
    return data_column(ctx, node.name, node.at)


def _meta(ctx: Context, key: str, node: n.Attribute) -> Value:
    return Ref(ctx.emit(node.at, "meta", imm=(key,), declared=Type(META[key], Phase.PARAM)))


def _market(ctx: Context, node: n.Attribute) -> Value:
    if node.name not in _CLOCK:
        raise _unknown(ctx, node, "market", sorted(_CLOCK))
    return Ref(ctx.emit(node.at, node.name))


def _universe(ctx: Context, node: n.Attribute) -> Value:
    key = f"universe.{node.name}"
    if key not in META:
        raise _unknown(ctx, node, "universe", ["sector", "market_cap"])
    return _meta(ctx, key, node)


def _portfolio(ctx: Context, node: n.Attribute) -> Value:
    if node.name not in _BROKER["portfolio"]:
        raise _unknown(ctx, node, "portfolio", sorted(_BROKER["portfolio"]))
    return Ref(ctx.emit(node.at, "broker", imm=(node.name,)))


def _strategy(ctx: Context, node: n.Attribute) -> Value:
    if node.name in {"long", "short"}:
        return Ref(ctx.const(node.name))
    if node.name in _BROKER["strategy"]:
        return Ref(ctx.emit(node.at, "broker", imm=(node.name,)))
    if f"strategy.{node.name}" in EFFECTS:
        return Builtin(f"strategy.{node.name}")
    names = [key.removeprefix("strategy.") for key in EFFECTS if key.startswith("strategy.")]
    raise _unknown(ctx, node, "strategy", [*names, *_BROKER["strategy"], "long", "short"])


def _indicator(ctx: Context, node: n.Attribute) -> Value:
    if node.name not in INDICATOR_NAMES:
        raise _unknown(ctx, node, "indicator", list(INDICATOR_NAMES))
    return Namespace(f"indicator.{node.name}")


def _indicator_source(ctx: Context, value: Namespace, node: n.Attribute) -> Value:
    if node.name not in {*OHLCV, "apply"}:
        raise _unknown(ctx, node, value.name, [*OHLCV, "apply"])
    return Builtin(f"{value.name}.{node.name}")


def _pattern(ctx: Context, node: n.Attribute) -> Value:
    if node.name not in PATTERN_NAMES:
        raise _unknown(ctx, node, "pattern", list(PATTERN_NAMES))
    return Builtin(f"pattern.{node.name}")


def _params(ctx: Context, node: n.Attribute) -> Value:
    if node.name == "get":
        return Builtin("params.get")
    raise _unknown(ctx, node, "params", ["get"], f"write params['{node.name}'] or params.get('{node.name}', default)")


def _param(ctx: Context, node: n.Attribute) -> Value:
    if f"param.{node.name}" not in EFFECTS:
        raise _unknown(ctx, node, "param", ["int", "float", "bool", "str"])
    return Builtin(f"param.{node.name}")


def _np(ctx: Context, node: n.Attribute) -> Value:
    if node.name in CONSTANTS and node.name != "NA":
        value = CONSTANTS[node.name]
        return Ref(ctx.const(value, Kind.FLOAT))
    if node.name in {"bool_", "float64", "int64"}:
        return Builtin(f"builtin.{node.name.rstrip('_0123456789')}")
    if node.name not in _NP:
        instead = REJECTED_NP.get(node.name, "")
        raise _unknown(ctx, node, "np", sorted(_NP), f"write {instead}" if instead else "")
    return Builtin(f"np.{node.name}")


def _pd(ctx: Context, node: n.Attribute) -> Value:
    if node.name == "NA":
        return Ref(ctx.na())
    if node.name not in _PD:
        raise _unknown(ctx, node, "pd", sorted(_PD))
    return Builtin(f"pd.{node.name}")


_MEMBERS: Final[dict[str, Callable[[Context, n.Attribute], Value]]] = {
    "data": _data, "input": _input, "market": _market, "universe": _universe, "portfolio": _portfolio,
    "strategy": _strategy, "indicator": _indicator, "pattern": _pattern, "params": _params, "param": _param,
    "np": _np, "pd": _pd,
}  # fmt: skip


def _effects(owner: str) -> tuple[str, ...]:
    return tuple(key.removeprefix(f"{owner}.") for key in EFFECTS if key.startswith(f"{owner}."))


MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "data": (*OHLCV, "columns", "index", "shape"),
    "input": (*OHLCV, "symbol", "interval", "is_new_bar"),
    "market": tuple(sorted(_CLOCK)),
    "universe": tuple(key.removeprefix("universe.") for key in META if key.startswith("universe.")),
    "portfolio": tuple(sorted(_BROKER["portfolio"])),
    "strategy": (*_effects("strategy"), *sorted(_BROKER["strategy"]), "long", "short"),
    "indicator": tuple(INDICATOR_NAMES),
    "pattern": tuple(PATTERN_NAMES),
    "params": ("get",),
    "param": _effects("param"),
    "np": tuple(sorted(_NP - {"NA"})),
    "pd": tuple(sorted(_PD)),
}
"""Namespace → what may stand behind its dot, for editors; of `data` and `input` also every column."""


def _of_series(ctx: Context, value: Ref, node: n.Attribute) -> Value:
    name = node.name
    is_series_name = name in SERIES_METHODS or name in _LOCATORS or name in _IDENTITY
    value = series_of(ctx, value, node.at) if is_series_name else value
    found = ctx.type(value.node)
    if found.kind in {Kind.STR, Kind.NONE}:
        raise ctx.refuse("no_attributes", node.at, name=name)
    if name in SERIES_METHODS:
        return Builtin(f"series.{name}", value)
    if name in _LOCATORS:
        return Located(value, name)
    special = _series_fact(ctx, value, node)
    if special is not None:
        return special
    if name in FUTURE_METHODS:
        raise ctx.refuse("fills_from_future", node.at, name=f"{name}()")
    refuse_unknown_owner(ctx, value, node.value)
    near = nearest(name, SERIES_METHODS)
    row = OPS.get(FUNCTION_NAMES.get(name, ""))
    hint = f"it is a function: {signature_of(name, row.args)}" if row and not near else ""
    raise _unknown(ctx, node, "a series", list(SERIES_METHODS), hint)


_OWNERS: Final = {
    "math": "np has these functions: np.sqrt(x)", "ta": "indicators need no prefix: SMA(close, 20)",
    "talib": "indicators need no prefix: SMA(close, 20)", "df": "write data['close'] or close",
    "self": "write the name alone",
}  # fmt: skip


def refuse_unknown_owner(ctx: Context, value: Ref, node: n.Expr) -> None:
    """Refuse `math.sqrt` as what it is: nobody declared `math`, and a parameter has no members."""
    found = ctx.builder.nodes[value.node]
    if found.op != "param" or not isinstance(node, n.Name) or node.id not in ctx.params.specs:
        return
    if ctx.params.specs[node.id].implicit:
        hint = _OWNERS.get(node.id, f"there are {', '.join(sorted(NAMESPACES))}")
        raise ctx.refuse("unknown_owner", node.span, name=node.id, hint=hint)


def _series_fact(ctx: Context, value: Ref, node: n.Attribute) -> Value | None:
    if node.name == "index":
        return Ref(ctx.emit(node.at, "time"))
    if node.name in _IDENTITY:
        return value
    if node.name == "shape":
        return ListValue((Ref(ctx.emit(node.at, "n_bars")),), is_tuple=True)
    if node.name in {"dtype", "size", "empty", "name"}:
        raise ctx.refuse("host_attribute", node.at, name=node.name)
    return None


def _of_record(ctx: Context, value: Record | Frame, node: n.Attribute) -> Value:
    if node.name not in value.fields:
        raise _unknown(ctx, node, "this record", list(value.fields), f"it has {', '.join(value.fields)}")
    return value.fields[node.name]


def _of_window(name: str, table: dict[str, object]) -> Callable[[Context, Value, n.Attribute], Value]:
    def rule(ctx: Context, value: Value, node: n.Attribute) -> Value:
        if node.name not in table:
            raise _unknown(ctx, node, f"{name}(...)", list(table), f"it has {', '.join(table)}")
        return Builtin(f"{name}.{node.name}", value)

    return rule


def _of_dict(ctx: Context, value: DictValue, node: n.Attribute) -> Value:
    if node.name not in {"get", "keys", "values", "items"}:
        raise _unknown(ctx, node, "a dict", ["get", "keys", "values", "items"])
    return Builtin(f"dict.{node.name}", value)


def _of_list(ctx: Context, _value: ListValue, node: n.Attribute) -> Value:
    raise _unknown(ctx, node, "a list", [], "a list is fixed: write [a, b] + [c], or a comprehension over constants")


def _of_function(ctx: Context, value: Builtin | UserFunction, node: n.Attribute) -> Value:
    raise ctx.refuse("function_attribute", node.at, name=node.name)


def _of_timeframe(ctx: Context, value: Timeframe, node: n.Attribute) -> Value:
    if node.name == "col":
        return Builtin("timeframe.col", value)
    aggregations = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    if node.name not in aggregations:
        raise _unknown(ctx, node, "a timeframe", [*OHLCV, "col"], "other columns: .col('name', agg='last')")
    return tf_column(ctx, value, node.name, aggregations[node.name], node.at)


Rule: TypeAlias = Callable[[Context, Any, n.Attribute], Value]
"""Each rule is called with values of its own type only."""
_RULES: Final[dict[type, Rule]] = {
    Namespace: _of_namespace, Ref: _of_series, Record: _of_record, Frame: _of_record,
    Rolling: _of_window("rolling", dict(ROLLING_METHODS)), Ewm: _of_window("ewm", dict(EWM_METHODS)),
    Expanding: _of_window("expanding", dict(EXPANDING_METHODS)), DictValue: _of_dict, ListValue: _of_list,
    Builtin: _of_function, UserFunction: _of_function, Timeframe: _of_timeframe,
}  # fmt: skip
