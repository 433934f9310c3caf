"""Static tables of names: what is forbidden, with what to write instead, and what each namespace holds."""

from typing import Final

from mysingle.dsl.ir.ops import OPS, Flag

__all__ = [
    "FORBIDDEN_ATTRIBUTES", "FORBIDDEN_NAMES", "FUNCTION_NAMES", "FUTURE_METHODS", "INDICATOR_NAMES", "NAMESPACES",
    "OHLCV", "PATTERN_NAMES", "REJECTED_METHODS", "REJECTED_NP",
]  # fmt: skip

OHLCV: Final = ("open", "high", "low", "close", "volume")
NAMESPACES: Final = frozenset({
    "data", "input", "market", "universe", "portfolio", "strategy", "indicator", "pattern", "params", "param", "np",
    "pd",
})  # fmt: skip


def _same(names: str, hint: str, hint_ko: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names.split(), (hint, hint_ko))


FORBIDDEN_NAMES: Final[dict[str, tuple[str, str]]] = {
    **_same("getattr hasattr setattr delattr vars dir type object super property classmethod staticmethod",
            "write the name itself: x.name or m['name']", "이름을 직접 쓰세요: x.name 또는 m['name']"),
    **_same("eval exec compile globals locals breakpoint help memoryview bytearray bytes id hash callable iter next",
            "a strategy cannot run or inspect Python code", "전략은 파이썬 코드를 실행하거나 검사할 수 없습니다"),
    **_same("print", "use plot(x) or alert(condition, 'text')", "plot(x) 또는 alert(조건, '문구')를 쓰세요"),
    **_same("os sys subprocess socket shutil pathlib importlib builtins ctypes pickle marshal io threading asyncio",
            "a strategy has no access to the system", "전략은 시스템에 접근할 수 없습니다"),
    **_same("scipy sklearn statsmodels requests urllib", "use the built-in functions; see the list of functions",
            "내장 함수를 쓰세요"),
    **_same("exit quit", "use strategy.close_all() to leave a position", "포지션 종료는 strategy.close_all()을 쓰세요"),
    **_same("correlation_matrix", "write x.rolling(n).corr(y)", "x.rolling(n).corr(y)를 쓰세요"),
    **_same("format repr ascii chr ord bin hex oct", "a strategy builds no text", "전략은 문자열을 만들지 않습니다"),
    **_same("BaseException Exception SystemExit KeyboardInterrupt RuntimeError StopIteration",
            "raise ValueError('text') or TypeError('text')", "raise ValueError('문구')를 쓰세요"),
}  # fmt: skip

FUTURE_METHODS: Final[dict[str, str]] = {
    "bfill": "ffill()", "backfill": "ffill()", "interpolate": "ffill()",
}  # fmt: skip
"""Methods that fill from the future → what does not."""

_IO: Final = (
    "to_csv to_parquet to_pickle to_hdf to_json to_sql to_excel to_feather to_orc to_clipboard to_html to_latex to_xml "
    "to_markdown to_string to_stata to_gbq to_numpy to_list tolist to_dict to_frame to_period to_timestamp to_records "
    "to_xarray read_csv read_parquet read_pickle read_hdf read_json read_sql read_excel read_feather read_html "
    "read_xml read_clipboard read_fwf read_table read_orc read_sas read_spss read_stata read_gbq savetxt loadtxt save "
    "load savez savez_compressed genfromtxt fromfile tofile memmap open_memmap fromstring frombuffer fromregex "
    "tobytes dump dumps ctypeslib"
)
_CODE: Final = (
    "apply map applymap transform agg aggregate groupby pipe eval query assign vectorize frompyfunc "
    "apply_along_axis piecewise"
)
_PYTHON: Final = (
    "format format_map encode decode mro subclasses gi_frame cr_frame ag_frame f_globals f_builtins tb_frame"
)
_SHAPE: Final = (
    "describe dropna head tail sort_values sort_index sample resample reindex reset_index set_index drop "
    "drop_duplicates append insert pop update merge join concat unstack stack melt pivot explode truncate nlargest "
    "nsmallest asof first_valid_index last_valid_index iterrows itertuples items_iter"
)
_INTERNALS: Final = (
    "io testing plotting api core offsets tseries lib linalg random fft polynomial emath ma rec char f2py distutils "
    "sys os builtins compat strings ctypes flags attrs array base data_ptr plot str dt cat sparse style hist boxplot "
    "accessor options set_option"
)
FORBIDDEN_ATTRIBUTES: Final[dict[str, tuple[str, str]]] = {
    **_same(_IO, "a strategy reads and writes no files; its result is what it assigns to 'result'",
            "전략은 파일을 읽거나 쓰지 않습니다. 결과는 'result'에 대입하세요"),
    **_same(_CODE, "write the formula itself, or where(condition, a, b) for a choice per bar",
            "수식을 직접 쓰거나 where(조건, a, b)를 쓰세요"),
    **_same(_PYTHON, "a value has no Python internals", "값에는 파이썬 내부 구조가 없습니다"),
    **_same(_SHAPE, "a series keeps its length and order; use x[k], rolling(n), highest(x, n) or fillna(v)",
            "시리즈의 길이와 순서는 바뀌지 않습니다. x[k], rolling(n), highest(x, n), fillna(v)를 쓰세요"),
    **_same(_INTERNALS, "only the listed methods exist", "목록에 있는 메서드만 있습니다"),
}  # fmt: skip
REJECTED_METHODS: Final = frozenset(FORBIDDEN_ATTRIBUTES)

REJECTED_NP: Final[dict[str, str]] = {
    "roll": "x.shift(n) or x[n]", "gradient": "x.diff()", "diff": "x.diff()", "flip": "x[k] for the value k bars ago",
    "sort": "x.rolling(n).rank()", "choose": "where(c, a, b)", "arange": "for i in range(n)",
    "linspace": "the numbers out: [0.0, 0.5, 1.0]", "logspace": "the numbers out: [1.0, 10.0, 100.0]",
    "cumsum": "x.cumsum()", "cumprod": "x.cumprod()", "convolve": "WMA(x, n)", "clip": "x.clip(a, b)",
    "nanmean": "x.rolling(n).mean()", "nan_to_num": "nz(x)", "corrcoef": "x.rolling(n).corr(y)",
    "argmax": "bars_since(x == highest(x, n))", "logical_and": "a & b", "logical_or": "a | b", "logical_not": "~a",
    "power": "a ** b", "add": "a + b", "subtract": "a - b", "multiply": "a * b", "divide": "a / b",
}  # fmt: skip

FUNCTION_NAMES: Final[dict[str, str]] = {}
"""Bare name → row. The functions of the language first, then TA-Lib's lower-case names."""

INDICATOR_NAMES: Final[dict[str, str]] = {}
"""Name after `indicator.` → row."""

_NOT_BARE: Final = frozenset({
    "min", "max", "sum", "var", "abs", "round", "add", "sub", "mult", "div", "sin", "cos", "tan", "exp", "floor",
    "ceil", "sqrt", "ln", "log10", "asin", "acos", "atan", "sinh", "cosh", "tanh", "cumsum", "ma", "ad",
})  # fmt: skip

for _row in OPS.values():
    if _row.has(Flag.COMPOSITE):
        for _name in _row.names:
            FUNCTION_NAMES[_name] = INDICATOR_NAMES[_name] = _row.name
for _row in OPS.values():
    if _row.id >= 1000 and not _row.has(Flag.COMPOSITE):
        for _name in _row.names:
            INDICATOR_NAMES.setdefault(_name, _row.name)
            if _name not in _NOT_BARE and not _row.has(Flag.CANDLE):
                FUNCTION_NAMES.setdefault(_name, _row.name)

PATTERN_NAMES: Final[dict[str, str]] = {
    name: row.name for row in OPS.values() if row.has(Flag.CANDLE)
    for name in (row.names[0], row.names[0].removeprefix("cdl"))
} | {
    "three_white_soldiers": "CDL3WHITESOLDIERS", "three_black_crows": "CDL3BLACKCROWS",
        "morning_star": "CDLMORNINGSTAR",
    "evening_star": "CDLEVENINGSTAR", "engulfing": "pattern.engulfing", "doji": "pattern.doji",
    "hammer": "pattern.hammer", "shooting_star": "CDLSHOOTINGSTAR", "hanging_man": "CDLHANGINGMAN",
}  # fmt: skip
