"""The resolver: what an expression is, through everything that Python offers to rename a thing."""

from typing import Any

import pytest

from mysingle.tooling.check import check_text

EVAL = {
    "builtins": "import builtins as b\nb.eval('1')",
    "assigned": "f = g = eval\nf('1')",
    "star": "from builtins import *\neval('1')",
    "default-argument": "def run(f=eval):\n    return f('1')",
    "walrus": "(f := eval)('1')",
    "unpacked": "a, f = 1, eval\nf('1')",
    "in-a-dict": "F = {'a': eval}\nF['a']('1')",
    "in-a-list": "F = [eval]\nF[0]('1')",
    "class-attribute": "class A:\n    f = eval\nA.f('1')",
    "self-attribute": "class A:\n    def __init__(self):\n        self.f = eval\n    def g(self):\n        self.f('1')",
    "returned": "def get():\n    return eval\nget()('1')",
    "conditional": "f = eval if True else None\nf('1')",
    "or": "f = None or eval\nf('1')",
    "global": "f = None\ndef init():\n    global f\n    f = eval\ndef run():\n    f('1')",
    "decorated": "import functools\nf = functools.partial(eval)\nf('1')",
}
SLEEP = {
    "module-alias": "import time as t\nasync def f():\n    t.sleep(1)",
    "name-alias": "from time import sleep as s\nasync def f():\n    s(1)",
    "assigned": "import time\nnap = time.sleep\nasync def f():\n    nap(1)",
    "inside": "async def f():\n    import time\n    time.sleep(1)",
    "try": "try:\n    import time\nexcept ImportError:\n    time = None\nasync def f():\n    time.sleep(1)",
    "later": "async def f():\n    time.sleep(1)\n\nimport time",
    "class": "import time\nclass A:\n    nap = time.sleep\n    async def f(self):\n        self.nap(1)",
    "importlib": "import importlib\ntime = importlib.import_module('time')\nasync def f():\n    time.sleep(1)",
    "getattr": "import time\nasync def f():\n    getattr(time, 'sleep')(1)",
}
NOT_SLEEP = {
    "parameter": "import time\nasync def f(time):\n    time.sleep(1)",
    "local": "import time\nasync def f():\n    time = Clock()\n    time.sleep(1)",
    "class": "class time:\n    @staticmethod\n    def sleep(n): ...\nasync def f():\n    time.sleep(1)",
    "other-module": "from app import time\nasync def f():\n    time.sleep(1)",
    "rebound": "import time\ntime = Clock()\nasync def f():\n    time.sleep(1)",
}


def codes(text: str) -> set[str]:
    return {finding.code for finding in check_text(text)}


@pytest.mark.parametrize("text", EVAL.values(), ids=EVAL)
def test_eval(text: str) -> None:
    """However `eval` is called, it is `eval`."""
    assert "MS812" in codes(text)


@pytest.mark.parametrize("text", SLEEP.values(), ids=SLEEP)
def test_sleep(text: str) -> None:
    """However `time.sleep` is called, it is `time.sleep`."""
    assert {"MS601"} == codes(text)


@pytest.mark.parametrize("text", NOT_SLEEP.values(), ids=NOT_SLEEP)
def test_not_sleep(text: str) -> None:
    """A name that is something else is something else."""
    assert set() == codes(text)


@pytest.mark.parametrize(
    "files",
    [
        {"app/a.py": "from time import sleep", "app/m.py": "from app.a import sleep as s\nasync def f():\n    s(1)\n"},
        {"app/a.py": "import time", "app/m.py": "from .a import time\nasync def f():\n    time.sleep(1)\n"},
        {"app/a.py": "from time import *", "app/m.py": "from app.a import *\nasync def f():\n    sleep(1)\n"},
        {
            "app/__init__.py": "",
            "app/lib/__init__.py": "from .clock import nap",
            "app/lib/clock.py": "import time\n\ndef nap():\n    time.sleep(1)\n",
            "app/m.py": "from app import lib\nasync def f():\n    lib.nap()\n",
        },
        {"src/app/a.py": "import time as t", "src/app/m.py": "import app.a\nasync def f():\n    app.a.t.sleep(1)\n"},
        {"a.py": "import time as t", "m.py": "from . import a\nasync def f():\n    a.t.sleep(1)\n"},
    ],
    ids=["name", "relative", "star", "package", "src", "sibling"],
)
def test_other_files(check: Any, files: dict[str, str]) -> None:
    """Names are followed through re-exports of other files."""
    assert [finding.code for finding in check(files).findings] == ["MS601"]
