"""What one file binds, and the places in it that rules look at."""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ["Binding", "Class", "Function", "FunctionNode", "Module", "Scope", "Site"]

Site: TypeAlias = tuple[Any, "Scope"]
"""A node, and the scope in which its names are looked up."""
FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Kind: TypeAlias = Literal[
    "import", "value", "param", "function", "class", "unpack", "element", "annotation", "opaque", "star"
]


class Binding(NamedTuple):
    """One way in which a name gets its value; what `node` and `extra` are depends on the kind."""

    kind: Kind
    line: int
    node: Any = None
    extra: Any = None


class Scope:
    """The names of a module, a class or a function."""

    __slots__ = ("kind", "module", "names", "owner", "parent")

    def __init__(
        self,
        kind: Literal["module", "class", "function"],
        module: "Module",
        parent: "Scope | None" = None,
        owner: "Class | Function | None" = None,
    ) -> None:
        self.kind = kind
        self.module = module
        self.parent = parent
        self.owner = owner
        self.names: dict[str, list[Binding]] = {}

    def bind(self, name: str, binding: Binding) -> None:
        """Add one more way in which a name gets its value."""
        known = self.names.get(name)
        if known is None:
            self.names[name] = [binding]
        else:
            known.append(binding)

    @property
    def function(self) -> "Function | None":
        """The innermost function around this scope."""
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.owner, Function):
                return scope.owner
            scope = scope.parent
        return None

    @property
    def cls(self) -> "Class | None":
        """The innermost class around this scope."""
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.owner, Class):
                return scope.owner
            scope = scope.parent
        return None


@dataclass(eq=False, slots=True)
class Function:
    """
    A function of the checked code.

    `calls` are those of its own body, `inner` the functions defined in it. `fetches` are the parameters that it hands
    to an HTTP client, once that was looked for.
    """

    node: FunctionNode
    scope: Scope
    module: "Module"
    outer: Scope
    calls: list[ast.Call] = field(default_factory=list)
    loads: list[ast.expr] = field(default_factory=list)
    returns: list[ast.expr] = field(default_factory=list)
    inner: list["Function"] = field(default_factory=list)
    fetches: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The name; empty for a lambda."""
        return "" if isinstance(self.node, ast.Lambda) else self.node.name

    @property
    def is_async(self) -> bool:
        """Whether it runs in the event loop."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def decorators(self) -> list[ast.expr]:
        """The decorators, outermost first."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list

    @property
    def method_of(self) -> "Class | None":
        """The class whose body holds it."""
        return self.outer.owner if isinstance(self.outer.owner, Class) else None


@dataclass(eq=False, slots=True)
class Class:
    """A class of the checked code; `attributes` is what its methods assign to `self`, `bases` what was found of it."""

    node: ast.ClassDef
    scope: Scope
    module: "Module"
    outer: Scope
    attributes: dict[str, list[tuple[Binding, Scope]]] = field(default_factory=dict)
    bases: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The name."""
        return self.node.name


@dataclass(eq=False, slots=True)
class Module:
    """
    One parsed file: its names, and the nodes that rules look at, in the order of the file.

    `elements` and `entries` are what lists and dicts hold. `expansions` are calls with what they are given elsewhere,
    `moved` the parts that were put there, and `held` those of them that a `partial` holds.
    """

    path: Path
    name: str
    is_package: bool
    roots: tuple[Path, ...]
    is_test: bool = False
    scope: Scope = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    calls: list[Site] = field(default_factory=list)
    loads: list[Site] = field(default_factory=list)
    texts: list[Site] = field(default_factory=list)
    raw_bytes: list[Site] = field(default_factory=list)
    numbers: list[Site] = field(default_factory=list)
    awaits: list[Site] = field(default_factory=list)
    imports: list[Site] = field(default_factory=list)
    subscripts: list[Site] = field(default_factory=list)
    compares: list[Site] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    memo: dict[ast.AST, Any] = field(default_factory=dict)
    expansions: dict[ast.Call, ast.Call] = field(default_factory=dict)
    elements: dict[ast.AST, list[tuple[ast.expr, Scope]]] = field(default_factory=dict)
    entries: dict[ast.AST, dict[str, tuple[ast.expr, Scope]]] = field(default_factory=dict)
    moved: set[ast.AST] = field(default_factory=set)
    held: set[ast.AST] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.scope = Scope("module", self)

    def forget(self) -> None:
        """Break the cycles, so that the tree goes away without the collector."""
        for function in self.functions:
            function.scope.names.clear()
            function.scope.owner = None
            function.inner.clear()
        for cls in self.classes:
            cls.scope.names.clear()
            cls.scope.owner = None
            cls.attributes.clear()
        self.scope.names.clear()
        self.parents.clear()
        self.memo.clear()
        self.expansions.clear()
        self.elements.clear()
        self.entries.clear()
        self.moved.clear()
        self.held.clear()
        for name in ("calls", "loads", "texts", "raw_bytes", "numbers", "awaits", "imports", "subscripts", "compares"):
            getattr(self, name).clear()
        self.functions.clear()
        self.classes.clear()
