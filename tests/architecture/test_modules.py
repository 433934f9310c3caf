import ast
import os
import subprocess
import sys
from typing import Any

import pytest

MAX_LINES = 400
IMPORTED = "import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
EFFECTS = """
import logging, socket, threading
sockets = []
socket.socket.connect = lambda *args: sockets.append(args)
handlers = list(logging.getLogger().handlers)
import {module}
assert threading.active_count() == 1, threading.enumerate()
assert handlers == logging.getLogger().handlers
assert not sockets
"""


def run(source: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=30, env=environment
    )


def test_import_is_free() -> None:
    """`import mysingle` imports no third-party module, and none of ours."""
    result = run(IMPORTED.format(module="mysingle"))
    loaded = {name.split(".")[0] for name in result.stdout.split()} - set(sys.stdlib_module_names)

    assert (result.returncode, result.stderr) == (0, "")
    assert loaded == {"mysingle"}
    assert "mysingle." not in result.stdout


@pytest.mark.parametrize(
    "package",
    ["auth", "cli", "clients", "core", "database", "dsl", "embedded", "grpc", "testing", "testing.attacks"],
)
def test_facade_is_free(package: str) -> None:
    """Importing a façade loads no third-party module."""
    result = run(IMPORTED.format(module=f"mysingle.{package}"))
    loaded = {name.split(".")[0] for name in result.stdout.split()} - set(sys.stdlib_module_names)

    assert (result.returncode, result.stderr) == (0, "")
    assert loaded == {"mysingle"}


def test_import_has_no_effect() -> None:
    """Importing the whole of core and auth starts no thread, opens no socket and touches no handler."""
    modules = "mysingle.core._assemble, mysingle.auth._deps, mysingle.core._serve"
    result = run(EFFECTS.format(module=modules))

    assert (result.returncode, result.stderr) == (0, "")


def test_import_reads_no_settings() -> None:
    """A wrong variable is no obstacle to an import: settings are read at first use."""
    result = run(
        "import os; os.environ['REDIS_PORT'] = 'wrong'\n"
        "import mysingle.core._assemble, mysingle.core.config, mysingle.auth._middleware, mysingle.database.mongo"
    )

    assert (result.returncode, result.stderr) == (0, "")


def test_length(module: Any) -> None:
    """No module is longer than 400 lines: past that there are two nouns in it."""
    assert len(module.path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_all(public_module: Any) -> None:
    """Every public module has a sorted `__all__`, whose names it defines."""
    listed = public_module.listed
    case_aware = sorted(listed or [], key=_isort_key)

    assert listed is not None
    assert listed in (sorted(listed), case_aware)
    assert len(set(listed)) == len(listed)


def test_docstring(module: Any) -> None:
    """Every module says in a docstring what it is."""
    assert ast.get_docstring(module.tree)


def test_header_names_are_spelled_once(module: Any) -> None:
    """Nothing outside of `_kernel/propagation` spells a header of the contract, except attackers."""
    if module.name == "mysingle._kernel.propagation" or module.name.startswith("mysingle.testing.attacks."):
        return
    spelled = [
        node.value
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        if (node.value.lower() if isinstance(node.value, str) else node.value.decode("latin-1").lower())
        in {
            "x-user-id",
            "correlation-id",
            "x-correlation-id",
            "x-request-id",
            "kong-request-id",
            "x-anonymous-consumer",
        }
    ]

    assert spelled == []


def _isort_key(name: str) -> tuple[int, str]:
    """Order like ruff's RUF022: constants, classes, then the rest."""
    kind = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name
