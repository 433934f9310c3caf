import ast
from pathlib import Path

import pytest

from mysingle import dsl

ROOT = Path(dsl.__file__).parent
CALLS = {"exec", "eval", "compile", "__import__"}
MODULES = {"marshal", "pickle", "ctypes", "shelve", "dill", "importlib"}
FIXED_NAMES = {
    "engine/bars.py",
    "engine/events.py",
    "engine/frames.py",
    "engine/stream.py",
    "kernels/talib_kernels.py",
    "sandbox/jail.py",
    "sandbox/pool.py",
}
"""Where the computed name comes from a literal tuple, the op table or our own `__all__`, never from a program."""

FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_s16_nothing_runs_text(path: Path) -> None:
    """S16: no module of the language runs text as code, unpickles, or looks attributes up by a computed name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    in_sandbox = "sandbox" in path.parts
    may_compute = path.relative_to(ROOT).as_posix() in FIXED_NAMES
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            by_name = node.func.id == "getattr" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
            by_name = by_name and not may_compute
            found += [node.func.id] if node.func.id in CALLS or by_name else []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            found += sorted(roots & (MODULES - ({"ctypes"} if in_sandbox else set())))

    assert found == []
