"""What the files of a service say together: its type, its public paths, where its routers are mounted."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mysingle.tooling.check._callers import asks_for_caller
from mysingle.tooling.check._evaluate import Evaluator
from mysingle.tooling.check._scopes import Module, Scope
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import HOLE, Made, Place, Ref, Value

__all__ = ["Mount", "Service", "learn", "mentions_service"]

_MENTIONS = (b"create_service_config", b"include_router", b"create_fastapi_app", b"ServiceConfig", b"PUBLIC_PATHS")


class Mount(NamedTuple):
    """A router in an app or in another router: the path in front, whether dependencies there ask for the caller."""

    prefix: str
    is_guarded: bool
    within: Place | None


@dataclass(slots=True)
class Service:
    """What is known of one service; `opens_unknown` when public paths are computed and the check cannot read them."""

    root: Path
    types: set[str] = field(default_factory=set)
    public_paths: set[str] = field(default_factory=set)
    opens_unknown: bool = False
    mounts: dict[Place, list[Mount]] = field(default_factory=dict)

    @property
    def is_iam(self) -> bool:
        """Whether it owns the users."""
        return "iam" in self.types

    @property
    def is_known(self) -> bool:
        """Whether a configuration was found."""
        return bool(self.types)

    def is_public(self, path: str) -> bool:
        """Tell whether a path of a route is declared public; path parameters stand for one segment."""
        return any(_opens(public, path) for public in self.public_paths)


def _opens(public: str, path: str) -> bool:
    if public.endswith("/*"):
        head = public[:-2]
        return path == head or path.startswith(f"{head}/")
    return public.rstrip("/") == path.rstrip("/") or (HOLE in public and _ends_alike(public, path))


def _ends_alike(public: str, path: str) -> bool:
    tail = public.rpartition(HOLE)[2]
    return bool(tail) and path.endswith(tail)


def mentions_service(data: bytes) -> bool:
    """Tell whether a file may say something about its service."""
    return any(word in data for word in _MENTIONS)


def learn(service: Service, modules: Iterable[Module], evaluator: Evaluator) -> None:
    """Add what some modules say about their service."""
    for module in modules:
        for node, scope in module.calls:
            name = evaluator.name(node.func, scope)
            if name in ("mysingle.create_service_config", "mysingle.ServiceConfig"):
                _learn_config(service, evaluator.expanded(node, scope), scope, evaluator)
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "include_router":
                _learn_mount(service, evaluator.expanded(node, scope), scope, evaluator)
        for setting in ("AUTH_PUBLIC_PATHS", "PUBLIC_PATHS"):
            _learn_setting(service, setting, module, evaluator)


def _learn_config(service: Service, node: ast.Call, scope: Scope, evaluator: Evaluator) -> None:
    kind = evaluator.value(argument(node, 1, "service_type"), scope)
    service.types.add(_type_of(kind))
    public = keyword(node, "public_paths")
    if public is not None and not (isinstance(public, ast.Constant) and public.value is None):
        _learn_paths(service, public, scope, evaluator)


def _type_of(value: Value | None) -> str:
    name = value.last if isinstance(value, Ref) else getattr(value, "literal", None)
    return "iam" if str(name).lower() == "iam_service" else "non_iam"


def _learn_paths(service: Service, node: ast.expr, scope: Scope, evaluator: Evaluator) -> None:
    elements = evaluator.elements(node, scope)
    shown, _ = evaluator.definition(node, scope)
    if not elements and not isinstance(shown, ast.List | ast.Tuple | ast.Set):
        service.opens_unknown = True
    for element, inner in elements:
        text = evaluator.text(element, inner)
        if text is not None:
            service.public_paths.add(text.shape)


def _learn_setting(service: Service, setting: str, module: Module, evaluator: Evaluator) -> None:
    scopes = [module.scope, *(cls.scope for cls in module.classes)]
    for scope in scopes:
        for binding in scope.names.get(setting, ()):
            if isinstance(binding.node, ast.expr):
                for element, inner in evaluator.elements(binding.node, scope):
                    text = evaluator.text(element, inner)
                    service.public_paths.update([text.shape] if text is not None else [])


def _learn_mount(service: Service, node: ast.Call, scope: Scope, evaluator: Evaluator) -> None:
    router = evaluator.value(argument(node, 0, "router"), scope)
    if not isinstance(router, Made) or router.place is None:
        return
    owner = evaluator.value(node.func.value, scope) if isinstance(node.func, ast.Attribute) else None
    prefix, is_guarded = _in_front(node, scope, evaluator)
    within = None
    if isinstance(owner, Made):
        within = owner.place
        if owner.call is not None and owner.scope is not None:
            above, guards_all = _in_front(owner.call, owner.scope, evaluator)
            prefix, is_guarded = above + prefix, guards_all or is_guarded
    service.mounts.setdefault(router.place, []).append(Mount(prefix, is_guarded, within))


def _in_front(node: ast.Call, scope: Scope, evaluator: Evaluator) -> tuple[str, bool]:
    """Return the prefix that a router or its mount has, and whether its dependencies ask for the caller."""
    prefix, dependencies = keyword(node, "prefix"), keyword(node, "dependencies")
    text = evaluator.text(prefix, scope) if prefix is not None else None
    is_guarded = dependencies is not None and asks_for_caller(dependencies, scope, evaluator)
    return text.shape if text else "", is_guarded
