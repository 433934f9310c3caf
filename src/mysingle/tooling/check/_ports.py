"""What the parts of the evaluator ask of each other, and of the project."""

import ast
from typing import Protocol

from mysingle.tooling.check._scopes import Binding, Class, Function, Module, Scope
from mysingle.tooling.check._values import Items, Text, Value

__all__ = ["Evaluation", "Modules"]


class Modules(Protocol):
    """The modules of the checked code."""

    def module(self, name: str, within: Module) -> Module | None:
        """Return the module that an import in another one means."""

    def is_package(self, name: str, within: Module) -> bool:
        """Tell whether a name is a folder of the checked code, without a file of its own."""


class Evaluation(Protocol):
    """The evaluator, as its parts see it."""

    def value(self, node: ast.expr | None, scope: Scope) -> Value | None:
        """Return what an expression is."""

    def text(self, node: ast.expr | None, scope: Scope) -> Text | None:
        """Return an expression as a text with holes."""

    def name(self, node: ast.expr | None, scope: Scope) -> str:
        """Return the full name of the thing of a library that an expression is."""

    def literal(self, node: ast.expr | None, scope: Scope) -> str | None:
        """Return the text that an expression is, when all of it stands in the code."""

    def elements(self, node: ast.expr | None, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        """Return the elements of a list, tuple or set."""

    def entries(self, node: ast.expr | None, scope: Scope) -> dict[str, tuple[ast.expr, Scope]]:
        """Return the entries of a dict."""

    def source(self, binding: Binding, within: Module) -> Module | None:
        """Return the module of the checked code from which a name is imported."""

    def expanded(self, node: ast.Call, scope: Scope) -> ast.Call:
        """Return a call with all that it is given."""

    def is_property(self, function: Function) -> bool:
        """Tell whether a function is read like an attribute."""

    def returned(self, function: Function) -> Value | None:
        """Return what a call of a function of the checked code returns."""

    def item(self, items: Items, key: ast.expr, scope: Scope) -> Value | None:
        """Return the element with a key."""

    def member(self, owner: Value | None, name: str) -> Value | None:
        """Return the attribute of a value."""

    def is_settings(self, cls: Class) -> bool:
        """Tell whether the values of a class come from the environment."""
