import ast
import re
from pathlib import Path

import pytest

from mysingle import dsl
from mysingle._kernel.metrics import process_metrics
from mysingle.dsl import api
from mysingle.dsl.errors import DSLError
from mysingle.dsl.ir.ops import OPS

ROOT = Path(dsl.__file__).parent
CALLS = {
    "exec", "eval", "compile", "__import__", "setattr", "delattr", "globals", "locals", "vars", "attrgetter",
    "methodcaller", "breakpoint",
}  # fmt: skip
MODULES = {"marshal", "pickle", "ctypes", "shelve", "dill", "importlib"}
BY_NAME = {
    "kernels/talib_kernels.py": {"getattr(_talib()._ta_lib, name)", "getattr(_talib().stream, self._name)"},
    "sandbox/jail.py": {"getattr(resource, name, None)"},
}
"""
Attributes that are looked up by a computed name, each exactly as it is written: functions of TA-Lib by the kernel's
name in the op table, and limits of the system by names that the line above spells.
"""

FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_s16_nothing_runs_text(path: Path) -> None:
    """S16: no module of the language runs text as code, unpickles, or looks attributes up by a computed name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    in_sandbox = "sandbox" in path.parts
    allowed = BY_NAME.get(path.relative_to(ROOT).as_posix(), set())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            by_name = node.func.id == "getattr" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
            by_name = by_name and ast.unparse(node) not in allowed
            found += [node.func.id] if node.func.id in CALLS or by_name else []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            found += sorted(roots & (MODULES - ({"ctypes"} if in_sandbox else set())))

    assert found == []


def test_s16_kernel_names() -> None:
    """S16: every function of TA-Lib that a kernel looks up by name is named in the op table, and is no dunder."""
    names = {row.kernel.removeprefix("talib.") for row in OPS.values() if row.kernel.startswith("talib.")}

    assert names
    assert all(re.fullmatch("[A-Z][A-Z0-9_]*", name) for name in names)


def test_s17_what_is_refused_or_broken_is_counted() -> None:
    """S17: a refused construct adds one under the name that its diagnostic has, and nothing else is counted."""
    registry = process_metrics().registry

    def count(construct: str) -> float:
        return registry.get_sample_value("dsl_unsupported_construct_total", {"construct": construct}) or 0.0

    before = count("Import"), count("While")
    with pytest.raises(DSLError):
        api.compile("import os\nimport sys\nresult = close > open")

    assert (count("Import"), count("While")) == (before[0] + 1, before[1])
    assert registry.get_sample_value("dsl_internal_error_total") is not None
