"""The modules of the checked code: found as Python finds them, parsed when somebody asks."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from mysingle.tooling.check._evaluate import Evaluator
from mysingle.tooling.check._reader import read_tree
from mysingle.tooling.check._scopes import Module
from mysingle.tooling.check._sources import Source, UnreadableError, is_test, read_source, relative

__all__ = ["Project", "import_roots"]

_LIBRARIES = frozenset(
    [
        "mysingle",
        "mysingle_quant",
        "httpx",
        "requests",
        "aiohttp",
        "urllib3",
        "redis",
        "aioredis",
        "grpc",
        "jwt",
        "jose",
        "joserfc",
        "authlib",
        "fastapi",
        "starlette",
        "pydantic",
        "pydantic_settings",
        "beanie",
        "motor",
        "pymongo",
        "bson",
        "duckdb",
        "numpy",
        "pandas",
        "celery",
        "uvicorn",
        "structlog",
        "prometheus_client",
        "orjson",
        "msgpack",
        "yaml",
        "boto3",
        "sqlalchemy",
        "pytest",
        "anyio",
        "aiofiles",
        "google",
        "dill",
        "cloudpickle",
        "joblib",
    ]
)
_MAX_CHARACTERS = 3_000_000
_MAX_PARENTS = 4


class Project:
    """
    Holds parsed modules while they are wanted.

    `release` lets go of them when there are many, so that memory does not grow with the number of files.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._modules: dict[Path, Module | None] = {}
        self._characters = 0
        self._places: dict[tuple[Path, str], Path | None] = {}
        self._roots: dict[Path, tuple[Path, ...]] = {}
        self.evaluator = Evaluator(self)

    def parse(self, source: Source) -> Module:
        """
        Return the module of a file.

        Raises:
            SyntaxError, ValueError, RecursionError, MemoryError: the text cannot be parsed.
        """
        known = self._modules.get(source.path)
        if known is not None:
            return known
        module = self._modules[source.path] = self._read(source)
        return module

    def _read(self, source: Source) -> Module:
        module = self._empty(source.path)
        read_tree(ast.parse(source.text, source.shown), module)
        self._characters += len(source.text)
        return module

    def release(self) -> None:
        """Forget all modules when there are many."""
        if self._characters > _MAX_CHARACTERS:
            self.clear()

    def clear(self) -> None:
        """Forget all modules."""
        for module in self._modules.values():
            if module is not None:
                module.forget()
        self._modules.clear()
        self._characters = 0

    def module(self, name: str, within: Module) -> Module | None:
        """Return the module that an import in another one means; None when it is not part of the checked code."""
        for place in self._candidates(name, within):
            if place.is_file():
                return self._load(place)
        return None

    def is_package(self, name: str, within: Module) -> bool:
        """Tell whether a name is a folder of the checked code, without a file of its own."""
        return any(self._found(root, name) is not None for root in within.roots) if _is_ours(name) else False

    def _candidates(self, name: str, within: Module) -> Iterator[Path]:
        if not _is_ours(name):
            return
        for root in within.roots:
            place = self._found(root, name)
            if place is not None:
                yield place

    def _found(self, root: Path, name: str) -> Path | None:
        key = (root, name)
        if key not in self._places:
            self._places[key] = self._find(root, name)
        return self._places[key]

    def _find(self, root: Path, name: str) -> Path | None:
        head, _, rest = name.partition(".")
        if rest and self._found(root, head) is None:
            return None
        target = root.joinpath(*name.split("."))
        for place in (target.with_name(f"{target.name}.py"), target / "__init__.py"):
            if place.is_file():
                return place
        return target if target.is_dir() and target != root else None

    def _load(self, path: Path) -> Module | None:
        if path not in self._modules:
            self._modules[path] = None  # a module that imports itself while it is read
            try:
                self._modules[path] = self._read(read_source(path, relative(path, self._base)))
            except (UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
                return None
        return self._modules[path]

    def _empty(self, path: Path) -> Module:
        folder = path.parent
        if folder not in self._roots:
            self._roots[folder] = import_roots(folder, self._base)
        roots = self._roots[folder]
        parts = list(path.relative_to(roots[0]).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        return Module(path, name, is_package, roots, is_test(relative(path, self._base)))


def _is_ours(name: str) -> bool:
    head = name.partition(".")[0]
    return bool(head) and head not in _LIBRARIES and head not in sys.stdlib_module_names


def import_roots(folder: Path, base: Path) -> tuple[Path, ...]:
    """Return where imports of a file in a folder begin: above its outermost package, then further up to the base."""
    root = folder
    while (root / "__init__.py").is_file() and root.parent != root:
        root = root.parent
    roots = [root]
    for parent in list(root.parents)[:_MAX_PARENTS]:
        if root == base or not parent.is_relative_to(base):
            break
        roots.append(parent)
    roots += [source for source in (above / "src" for above in tuple(roots)) if source.is_dir()]
    return tuple(dict.fromkeys(roots))
