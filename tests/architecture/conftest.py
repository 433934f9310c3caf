import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

import mysingle

ROOT = Path(mysingle.__file__).parent


@dataclass(frozen=True)
class Module:
    """One source file of the package, read but not imported."""

    name: str
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def is_public(self) -> bool:
        return not self.is_old_path and not any(part.startswith("_") for part in self.name.split("."))

    @property
    def is_old_path(self) -> bool:
        """Whether it only forwards to where version 1's names are now."""
        return "mysingle._kernel.old_names.forward" in self.imports

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Every module or name that is imported anywhere in the file, absolute, `from a import b` as `a.b`."""
        return frozenset(_imports(self.tree, self.package))

    @cached_property
    def listed(self) -> list[str] | None:
        """The literal value of `__all__`; None when there is none."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                value: list[str] = ast.literal_eval(node.value)
                return value
        return None

    @cached_property
    def typed_names(self) -> dict[str, str]:
        """Public name → module, as imported under `if TYPE_CHECKING:`."""
        return {
            alias.asname or alias.name: node.module or ""
            for block in self.tree.body
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in block.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    @property
    def is_facade(self) -> bool:
        return "lazy_exports" in self.path.read_text(encoding="utf-8") and self.name != "mysingle._kernel.extras"


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parent, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def _modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("mysingle", *path.relative_to(ROOT).with_suffix("").parts)
        if "protos" in parts:
            continue  # generated
        found.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return tuple(found)


def pytest_generate_tests(metafunc: Any) -> None:
    """Run a test that asks for `module`, `public_module` or `facade` once for each of them."""
    chosen = {
        "module": list(_modules()),
        "public_module": [module for module in _modules() if module.is_public and not _is_script(module)],
        "facade": [module for module in _modules() if module.is_facade],
    }
    for name, modules in chosen.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, modules, ids=[module.name for module in modules])


def _is_script(module: Module) -> bool:
    return module.name.endswith("__main__")


@pytest.fixture(scope="session")
def known_modules() -> frozenset[str]:
    """Give the name of every module of the package."""
    return frozenset(module.name for module in _modules())


@pytest.fixture(scope="session")
def standard_library() -> frozenset[str]:
    """Give the names that no installation brings."""
    return frozenset(sys.stdlib_module_names)
