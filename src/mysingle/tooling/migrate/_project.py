"""What the codemod knows of the two sides: the tree that it changes, and the names that version 2 has."""

import ast
import contextlib
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from mysingle._kernel.old_names import GONE, GONE_MODULES, MOVED, OTHER_LINE, RENAMED, Gone
from mysingle.tooling.migrate._routes import caller_parameters

__all__ = ["OLD_CLIENTS", "Place", "Project", "exported", "resolve"]

_PACKAGE = Path(__file__).parents[2]
_FACADES = ("core", "core.config", "core.logging", "core.base", "core.headers", "auth", "database", "clients", "grpc")
_OWN_IMPORT = re.compile(r"\bfrom\s+(?!mysingle)\S+\s+import\s+(\([^)]*\)|[^\n]*)")
_PATHS = {**MOVED, **OTHER_LINE}
OLD_CLIENTS = ("BaseServiceClient", "ServiceHttpClient")


class Place(NamedTuple):
    """Where a name is in version 2. `gone` says that there is none; `is_known` is false when nobody can tell."""

    module: str
    name: str
    gone: Gone | None = None
    is_known: bool = True


class Project:
    """The tree that is being changed."""

    def __init__(self, root: Path, files: Iterable[Path] = ()) -> None:
        self.root = root
        self._files = files

    @cached_property
    def clients(self) -> Mapping[str, bool]:
        """The classes of the service that extend a client of version 1, and whether each has a constructor."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about the service's own text
            classes = [item for text in self._texts.values() for item in _classes(text)]
        found: dict[str, bool] = {}
        while new := [item for item in classes if item.name not in found and item.bases & {*OLD_CLIENTS, *found}]:
            found |= {item.name: item.has_constructor or any(found.get(base) for base in item.bases) for item in new}
        return found

    @cached_property
    def routes(self) -> Mapping[str, frozenset[str]]:
        """The routes of the service that get the caller as parameters: name → those parameters."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about the service's own text
            return caller_parameters(self._texts.values())

    def members(self, name: str) -> frozenset[str]:
        """Return the members of an enumeration that modules use which have it from another module of the service."""
        texts = (text for text in self._texts.values() if name in text)
        users = [text for text in texts if any(name in found[1] for found in _OWN_IMPORT.finditer(text))]
        return frozenset(found[1] for text in users for found in re.finditer(rf"\b{name}\.([A-Z][A-Z0-9_]*)\b", text))

    @cached_property
    def _texts(self) -> Mapping[Path, str]:
        """The Python files of the service; what is not UTF-8 has names that can be read all the same."""
        found = {}
        for file in self._files:
            if file.suffix == ".py":
                with contextlib.suppress(OSError):
                    found[file] = file.read_bytes().decode("utf-8", "replace")
        return found

    @cached_property
    def service_name(self) -> str:
        """The name of the service, for caches that had none; the folder's when pyproject.toml has none."""
        try:
            text = (self.root / "pyproject.toml").read_text(encoding="utf-8")
            name = str(tomllib.loads(text)["project"]["name"])
        except (OSError, KeyError, TypeError, ValueError):
            name = self.root.name
        return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "service"

    @cached_property
    def has_own_protos(self) -> bool:
        """Whether `protos` is a package of the service itself, not the repository that version 1 used."""
        places = (self.root, self.root / "src")
        return any((place / "protos.py").exists() or list((place / "protos").rglob("*.py")) for place in places)

    def module(self, name: str) -> str:
        """Return where a module is in version 2: the longest path that has moved decides."""
        if name.split(".")[0] == "protos" and self.has_own_protos:
            return name
        name = _today(name)
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            old = ".".join(parts[:length])
            if old in _PATHS:
                return ".".join([_PATHS[old], *parts[length:]])
        return name


class _ClassFacts(NamedTuple):
    """A class as its text tells: the last parts of the names of its bases, and whether it has a constructor."""

    name: str
    bases: set[str]
    has_constructor: bool


def _classes(text: str) -> Iterator[_ClassFacts]:
    """Yield the classes of a text that may be clients; one that is no Python has none."""
    try:
        tree = ast.parse(text) if "Client" in text and "class " in text else ast.Module([], [])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    nodes = list(ast.walk(tree))
    names = {item.asname: item.name for node in nodes if isinstance(node, ast.ImportFrom) for item in node.names}
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            makers = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            yield _ClassFacts(node.name, {names.get(base, base) for base in bases}, "__init__" in makers)


def resolve(project: Project, module: str, name: str) -> Place:
    """Say where a name is that version 1 code imports from a module of ours."""
    target = project.module(module)
    if _has(target, name) or target.startswith("mysingle.protos"):
        return Place(target, name, is_known=_has(target, name) or exported("mysingle.protos") is None)
    if name in RENAMED:
        return _place(RENAMED[name])
    gone = GONE.get(name) or _gone_module(module) or _gone_module(f"{module}.{name}")
    if gone is not None:
        return Place(target, name, gone)
    if f"{_today(module)}.{name}" in _PATHS:
        return _place(_PATHS[f"{_today(module)}.{name}"])
    for place in (*_upwards(target), *(f"mysingle.{facade}" for facade in _FACADES)):
        if _has(place, name):
            return Place(place, name)
    absent = exported(".".join(target.split(".")[:2])) is None
    return Place(target, name, is_known=absent)


def _place(path: str) -> Place:
    module, _, name = path.rpartition(".")
    return Place(module, name)


def _today(module: str) -> str:
    """Return a module with the name that the package has had since version 1.1."""
    is_older = module.split(".")[0] == "mysingle_quant"
    return "mysingle" + module.removeprefix("mysingle_quant") if is_older else module


def _gone_module(module: str) -> Gone | None:
    name = _today(module)
    return next((gone for old, gone in GONE_MODULES.items() if name == old or name.startswith(f"{old}.")), None)


def _upwards(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _has(module: str, name: str) -> bool:
    names = exported(module)
    return names is not None and (name == "*" or name in names or exported(f"{module}.{name}") is not None)


@cache
def exported(module: str) -> frozenset[str] | None:
    """
    Return the `__all__` of a module of version 2, read and not imported; None when there is no such module.

    What is at the paths of version 1 only forwards, so it counts as not there.
    """
    if module in _PATHS or module in GONE_MODULES:
        return None
    parts = module.split(".")[1:]
    if module.split(".")[0] != "mysingle" or any(part.startswith("_") for part in parts):
        return None
    folder = _PACKAGE.joinpath(*parts)
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    if not file.is_file():
        return None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()
