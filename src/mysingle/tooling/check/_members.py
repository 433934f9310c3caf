"""What the attribute of a value is: of an instance, a class, a module, a library."""

import ast

from mysingle.tooling.check._bindings import Bindings
from mysingle.tooling.check._libraries import RETURNS, canonical, is_settings_base
from mysingle.tooling.check._ports import Evaluation, Modules
from mysingle.tooling.check._scopes import Class, Function, Module
from mysingle.tooling.check._values import Made, Object, Package, Ref, Value, from_environment

__all__ = ["Members"]


class Members:
    """Looks up attributes for an evaluator."""

    def __init__(self, evaluator: Evaluation, bindings: Bindings, project: Modules) -> None:
        self._evaluator = evaluator
        self._bindings = bindings
        self._project = project

    def member(self, owner: Value | None, name: str) -> Value | None:
        """Return the attribute of a value."""
        match owner:
            case Ref():
                return self._ref_member(owner, name)
            case Made():
                return _made_member(owner, name)
            case Function() if self._evaluator.is_property(owner):
                return self.member(self._evaluator.returned(owner), name)
            case Object():
                return self._object_member(owner, name)
            case Class():
                return self._class_member(owner, name, owner)
            case Module():
                return self._module_member(owner, name)
            case Package():
                full = f"{owner.name}.{name}"
                return self._project.module(full, owner.within) or self._bindings.package(full, owner.within)
            case _:
                return None

    def _ref_member(self, owner: Ref, name: str) -> Value:
        if owner.last == "settings" or owner.name == "os.environ":
            return (
                Ref(f"{owner.name}.{name}") if name.startswith("REDIS_DB") or name.islower() else from_environment(name)
            )
        return Ref(canonical(f"{owner.name}.{name}"), owner.receiver)

    def _module_member(self, owner: Module, name: str) -> Value | None:
        if name in owner.scope.names:
            return self._bindings.exported(owner, name)
        return self._project.module(f"{owner.name}.{name}", owner) if owner.is_package else None

    def _object_member(self, owner: Object, name: str) -> Value | None:
        if self._evaluator.is_settings(owner.cls):
            is_field = name in owner.cls.scope.names or name.isupper()
            is_method = isinstance(self._class_member(owner.cls, name, owner), Function)
            if is_field and not is_method:
                return _redis_setting(name) or from_environment(name)
        for binding, scope in reversed(owner.cls.attributes.get(name, ())):
            found = self._bindings.bound(binding, scope)
            if found is not None:
                return found
        return self._class_member(owner.cls, name, owner)

    def _class_member(
        self, cls: Class, name: str, owner: Object | Class, seen: set[Class] | None = None
    ) -> Value | None:
        if name in cls.scope.names:
            return self._bindings.latest(cls.scope.names[name], cls.scope, None)
        visited = {cls} if seen is None else seen
        for base in cls.node.bases:
            found = self._evaluator.value(base.value if isinstance(base, ast.Subscript) else base, cls.outer)
            if isinstance(found, Class):
                inner = self._inherited(found, name, owner, visited)
            elif isinstance(found, Ref):
                inner = Ref(f"{found.name}.{name}", owner if isinstance(owner, Object) else None)
            else:
                inner = None
            if inner is not None:
                return inner
        return None

    def _inherited(self, cls: Class, name: str, owner: Object | Class, seen: set[Class]) -> Value | None:
        if cls in seen:  # each class once, however many ways lead to it
            return None
        seen.add(cls)
        for binding, scope in reversed(cls.attributes.get(name, ()) if isinstance(owner, Object) else ()):
            found = self._bindings.bound(binding, scope)
            if found is not None:
                return found
        return self._class_member(cls, name, owner, seen)


def _made_member(owner: Made, name: str) -> Value:
    if is_settings_base(owner.name):
        return from_environment(name)
    full = canonical(f"{owner.name}.{name}")
    return Made(RETURNS[full]) if name == "parent" and full in RETURNS else Ref(full, owner)


def _redis_setting(name: str) -> Ref | None:
    return Ref(f"mysingle.settings.{name}") if name.startswith("REDIS_DB") else None
