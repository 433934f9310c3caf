import os
import sys
import threading
from collections.abc import Iterator

import pytest

from mysingle.dsl import api
from mysingle.dsl.errors import DSLError

DEEP_CALLS = (
    "def f0(x):\n    return x + 1\n"
    + "".join(f"def f{i}(x):\n    return f{i - 1}(x) + f{i - 1}(x)\n" for i in range(1, 40))
    + "result = f39(close)"
)

REJECTED: dict[str, tuple[str, ...]] = {
    "introspection": (
        "result = bbands(close).__dict__",
        "result = RSI.__wrapped__",
        "result = close.__class__",
        "result = close.__class__.__mro__[1].__subclasses__()",
        "result = ().__class__",
        "result = ''.__class__",
        "result = (1).__class__.__base__",
        "result = RSI.__globals__",
        "result = RSI.__code__",
        "result = data.__init__.__globals__",
        "result = np.__loader__",
        "result = pd.__builtins__",
        "result = close._mgr",
        "result = close._data",
        "result = params.__class__",
        "result = strategy.__dict__",
        "__builtins__",
        "__import__('os')",
        "result = __name__",
        "result = _x",
        "result = close.mro",
        "result = RSI.period",
        "result = f'{close.__class__}'",
        "result = EMA.func_globals",
        "result = [].__class__",
        "result = {}.__class__",
        "result = indicator.__class__",
        "result = close.rolling(3).__class__",
        "result = m.__getattribute__('x')",
    ),
    "builtins": (
        "result = callable(close)",
        "result = iter(data)",
        "result = getattr(close, 'x')",
        "setattr(np, 'sum', 1)",
        "result = hasattr(close, 'x')",
        "result = vars(close)",
        "result = dir()",
        "result = type(close)",
        "result = globals()",
        "result = locals()",
        "result = eval('1')",
        "exec('x = 1')",
        "result = compile('1', 'x', 'eval')",
        "result = open('/etc/passwd')",
        "result = input()",
        "breakpoint()",
        "print(close)",
        "result = object()",
        "result = super()",
        "result = memoryview(b'x')",
        "result = id(close)",
        "result = hash(close)",
        "exit()",
        "quit()",
        "help()",
        "result = type('X', (), {})",
        "delattr(np, 'sum')",
        "result = classmethod(f)",
        "result = bytearray(10)",
        "raise SystemExit('bye')",
        "raise KeyboardInterrupt()",
        "raise Exception('x')",
        "raise OSError('x')",
        "x = Exception",
    ),
    "imports": (
        "import os",
        "import math as m",
        "from os import system",
        "from math import *",
        "import os.path",
        "from . import x",
        "os.system('id')",
        "sys.exit()",
        "result = subprocess.run('id')",
        "result = importlib.import_module('os')",
    ),
    "strings": (
        "result = '{}'.format(close)",
        "result = 'a'.encode()",
        "result = 'a'.format_map(params)",
        "result = f'{close}'",
        "result = f'{close!r:>{10}}'",
        "result = b'abc'",
        "result = rb'abc'",
        "result = t'{close}'",
        "result = 'a'.join(['b'])",
        "result = 'a' + 'b'",
        "result = 'a' * 10",
        "result = '%s' % close",
        "result = 'abc'[0]",
        "result = 'a' < 'b'",
        "result = rf'{x}'",
        "result = 'a'.upper()",
    ),
    "syntax": (
        "def f(x, /):\n    return x\nresult = f(close)",
        "def f(*, x):\n    return x\nresult = f(x=close)",
        "def f(*a):\n    return a\nresult = f(close)",
        "def f(**k):\n    return k\nresult = f(x=close)",
        "try:\n    x = 1\nfinally:\n    y = 2",
        "try:\n    x = 1\nexcept* ValueError:\n    y = 2",
        "result = (lambda x: x)(close)",
        "result = (y := close)",
        "class A:\n    pass",
        "async def f():\n    pass",
        "def f():\n    yield 1",
        "result = [x async for x in y]",
        "with open('x') as f:\n    pass",
        "while True:\n    pass",
        "match close:\n    case 1:\n        pass",
        "del close",
        "global x",
        "nonlocal x",
        "@staticmethod\ndef f():\n    return 1",
        "result = (x for x in [1])",
        "result = {x for x in [1]}",
        "result = {x: 1 for x in [1]}",
        "result = {1, 2}",
        "result = close[1:2]",
        "result = close[::-1]",
        "result = close << 1",
        "result = close >> 1",
        "result = close @ close",
        "result = ...",
        "result = 1j",
        "a = b = close",
        "for i in [1]:\n    break",
        "for i in [1]:\n    continue",
        "for i in [1]:\n    x = i\nelse:\n    y = 1",
        "result = f(*[close])",
        "result = f(**{'x': 1})",
        "result = [*[1], 2]",
        "result = {**{'a': 1}}",
        "a, *b = [1, 2, 3]",
        "result = close in high",
        "result = close is high",
        "result = [x for x in close]",
        "result = [x for x in [1] for y in [2]]",
        "def f(x):\n    return f(x)\nresult = f(close)",
        "raise ValueError('x') from None",
        "result = yield",
        "result = await close",
        "type X = int",
        "def f[T](x):\n    return x",
        "lambda: 0",
        "def f(x=lambda: 1):\n    return 1",
        "def f(x: lambda: 1):\n    return 1",
        "def f() -> print:\n    return 1",
        "x: print = 1",
        "def unused():\n    import os",
        "def unused():\n    eval('1')",
    ),
    "input-output": (
        "np.savetxt('x', close)",
        "data.to_parquet('x')",
        "data.to_csv('x')",
        "close.to_pickle('x')",
        "pd.read_csv('x')",
        "pd.io.common.os.system('id')",
        "np.load('x')",
        "np.fromfile('x')",
        "np.memmap('x')",
        "close.plot()",
        "data.eval('close')",
        "data.query('close > 1')",
        "close.apply(print)",
        "close.map(abs)",
        "close.pipe(abs)",
        "close.transform(abs)",
        "close.agg('mean')",
        "close.rolling(3).apply(sum)",
        "close.groupby(high)",
        "pd.eval('1')",
        "np.vectorize(abs)",
        "np.frompyfunc(abs, 1, 1)",
        "np.lib.npyio.os",
        "np.testing.os",
        "data.to_sql('x', 'y')",
        "close.values.tofile('x')",
        "close.str.cat()",
        "np.ctypeslib",
        "close.sort_values()",
        "data.iloc[0]",
        "data.loc['x']",
        "close.array",
        "close.flags",
        "close.dropna()",
        "pd.DataFrame.to_csv",
    ),
    "unicode": (
        "result = \uff47\uff45\uff54\uff41\uff54\uff54\uff52(close, 'x')",
        "# \u202e hidden\nresult = close",
        "result = cl\u043ese",
        "x\u0430 = 1",
        "result = close # \u2066x",
        "\u200bresult = close",
        "r\u00adesult = close",
        "result = \u03b1a",
        "x = '\u202e'",
        "result = close\x00",
        "\ufeffresult = \u2028close",
        "result = _\uff47",
    ),
    "compile-time": (
        DEEP_CALLS,
        "result = " + "-" * 20_000 + "close",
        "result = " + "not " * 5_000 + "close",
        "(" * 5_000,
        "result = " + "(" * 200 + "close" + ")" * 200,
        "x = " + "[" * 500 + "]" * 500,
        "x = 1\n" * 3_000,
        "x" * 33_000,
        "result = close" + " + 1" * 500,
        "result = 2 ** 2 ** 2 ** 30",
        "result = 10 ** 100",
        "result = 10 ** 10 ** 10",
        "x = [1] * 10 ** 9",
        "for i in range(10 ** 9):\n    x = i",
        "for i in range(2000):\n    for j in range(2000):\n        x = i",
        "result = max(" + "1, " * 40 + "2)",
        "x = [" + "1, " * 1_100 + "]",
        "result = 'a" + "b" * 300 + "'",
        "x = " + "9" * 50,
        "result = 1e99999",
        "x = float('inf')",
        "if close:\n" + "".join("    " * i + "if close:\n" for i in range(1, 60)) + "    " * 60 + "x = 1",
        "".join(f"def f{i}():\n    return 1\n" for i in range(70)),
        "a" * 70 + " = 1",
        "result = " + " if close else ".join(["close"] * 100),
        "result = close" + ".abs()" * 100,
        "result = " + "RSI(" * 70 + "close" + ")" * 70,
    ),
    "look-ahead": (
        "result = high.shift(-2)",
        "result = close[-1]",
        "result = volume > volume.median()",
        "result = close > close.mean()",
        "result = close.rolling(5, center=True).mean()",
        "result = close.bfill()",
        "result = close.interpolate()",
        "result = close.fillna(method='bfill')",
        "result = ichimoku(high, low, close).chikou > close",
        "result = close > close.iloc[-1]",
        "r = close\nfor i in range(len(data)):\n    r.iloc[i] = close.iloc[i + 1]",
        "result = close * len(data)",
        "result = np.mean(close) < close",
        "result = normalize(close)",
        "result = close.rank()",
        "result = close.diff(-1)",
        "result = close.pct_change(periods=-3)",
        "if close.max() > 10:\n    strategy.entry('a', strategy.long)",
        "alert(close > close.max())",
        "result = detect_outliers(close)",
    ),
    "cross-tenant": (
        "np.sum = 0",
        "RSI.period = 3",
        "pd.Series.mean = 1",
        "data = 1",
        "params = {}",
        "close.x = 1",
        "np.pi += 1",
        "strategy.long = 'short'",
        "params['x'] = 1",
        "np['x'] = 1",
        "data.close = 1",
        "input.close = 1",
    ),
    "windows": (
        "result = WMA(close, 10 ** 8)",
        "result = SMA(close, 0)",
        "result = SMA(close, -5)",
        "result = SMA(close, 5001)",
        "result = RSI(close, 1)",
        "result = close.shift(5001)",
        "result = close[10000]",
        "result = SMA(close, 2.5)",
        "result = SMA(close, True)",
        "result = SMA(close, close)",
        "result = SMA(close, 'a')",
        "result = close.rolling(0).mean()",
    ),
}

ATTACKS = [(category, source) for category, sources in REJECTED.items() for source in sources]

FORBIDDEN_EVENTS = ("open", "exec", "import", "socket", "subprocess", "ctypes", "os.", "shutil", "pickle", "marshal")
_watched: list[str] = []
_watch = threading.Event()


def _hook(event: str, args: tuple[object, ...]) -> None:
    is_error_line = event == "open" and args[:1] == (os.devnull,)  # Python's parser, for a syntax error
    if _watch.is_set() and not is_error_line:
        _watched.append(event)


@pytest.fixture(scope="module")
def audit() -> Iterator[list[str]]:
    """Record audit events while the event is set; a hook cannot be taken away again."""
    api.compile("result = close > SMA(close, 3)")
    sys.addaudithook(_hook)
    yield _watched
    _watch.clear()


@pytest.mark.parametrize(("category", "source"), ATTACKS, ids=[f"{c}-{i}" for i, (c, _) in enumerate(ATTACKS)])
def test_s1_s3_refused_without_side_effect(category: str, source: str, audit: list[str]) -> None:
    """S1-S4, S9, S16, S17: an attack is refused with a code, and neither file, import, code nor socket is touched."""
    audit.clear()
    _watch.set()
    try:
        with pytest.raises(DSLError, match=r"^\[DSL-0\d\d\]") as caught:
            api.compile(source)
    finally:
        _watch.clear()
    events = [event for event in audit if event.startswith(FORBIDDEN_EVENTS)]

    assert caught.value.diagnostics
    assert events == []
    assert audit.count("compile") <= 1


def test_there_are_enough() -> None:
    """The corpus holds at least 150 different programs."""
    assert len({source for _, source in ATTACKS}) >= 150
