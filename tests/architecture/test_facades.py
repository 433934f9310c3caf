import ast
import importlib
from typing import Any


def resolved(package: str, module: str) -> str:
    return f"{package}{module}" if module.startswith(".") else module


def lazy_names(facade: Any) -> dict[str, str]:
    """Evaluate the mapping that stands in the `lazy_exports(...)` call, with the façade's own constants."""
    (call,) = [
        node
        for node in ast.walk(facade.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_exports"
    ]
    constants: dict[str, Any] = {}
    for node in facade.tree.body:
        if isinstance(node, ast.Assign) and not any(isinstance(target, ast.Tuple) for target in node.targets):
            exec(compile(ast.Module([node], []), facade.name, "exec"), constants)
    names: dict[str, str] = eval(compile(ast.Expression(call.args[1]), facade.name, "eval"), constants)
    return {name: resolved(facade.name, module) for name, module in names.items()}


def test_three_lists_agree(facade: Any) -> None:
    """The lazy names of a façade, its imports for type checkers and its `__all__` are the same."""
    lazy = lazy_names(facade)

    assert lazy == facade.typed_names
    assert sorted(lazy) == sorted(facade.listed)


def test_listing(facade: Any) -> None:
    """`dir` of a façade is its `__all__`, without importing anything."""
    assert sorted(facade.listed) == dir(importlib.import_module(facade.name))


def test_every_name_resolves(facade: Any) -> None:
    """Every name of a façade is there, and is what its module defines."""
    loaded = importlib.import_module(facade.name)
    found = {
        name: getattr(loaded, name) is getattr(importlib.import_module(module), name)
        for name, module in lazy_names(facade).items()
    }

    assert [name for name, same in found.items() if not same] == []


def test_unknown_name(facade: Any) -> None:
    """An unknown name is an AttributeError, so `hasattr` and editors work."""
    assert not hasattr(importlib.import_module(facade.name), "no_such_name")


def test_every_public_package_is_a_facade(public_module: Any) -> None:
    """A public `__init__` imports nothing at run time but the means of a façade."""
    if not public_module.is_package:
        return
    imported = {node.module for node in public_module.tree.body if isinstance(node, ast.ImportFrom)}

    assert imported <= {"typing", "mysingle._kernel.extras"}
