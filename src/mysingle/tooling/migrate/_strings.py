"""Dotted paths that stand in text: targets of patches, names for import_module."""

import re

import libcst as cst

from mysingle._kernel.old_names import GONE, MOVED, RENAMED
from mysingle.tooling.migrate._project import Project, exported, resolve
from mysingle.tooling.migrate._step import ROOTS, Step, code_of, dotted, text_of

__all__ = ["Strings"]

_PATH = re.compile(rf"({'|'.join(ROOTS)})(\.[A-Za-z_]\w*)+")
_FOREIGN = re.compile(r"[a-z_]\w*(\.[A-Za-z_]\w*)+")
_IMPORTERS = ("delattr", "find_spec", "import_module", "import_string", "patch", "setattr")
_BY_NAME = ("__import__", "find_spec", "import_module")
_LOGGERS = ("getLogger", "get_logger", "get_structured_logger")


class Strings(Step):
    """`patch("mysingle.base.BaseDocument")` follows the name; names of loggers are only names and stay."""

    trigger = re.compile(
        rf"""["'][^"'\n]*\b{_PATH.pattern}|["']\w[\w.]*\.({"|".join([*RENAMED, *GONE])})["']|__import__|import_module"""
    )

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._calls: list[str] = []
        self._annotations = 0

    def visit_Annotation(self, node: cst.Annotation) -> bool | None:
        """Enter an annotation."""
        self._annotations += 1
        return None

    def leave_Annotation(self, original_node: cst.Annotation, updated_node: cst.Annotation) -> cst.Annotation:
        """Leave an annotation."""
        self._annotations -= 1
        return updated_node

    def visit_Call(self, node: cst.Call) -> bool | None:
        """Enter a call, and tell about an import whose path is put together."""
        name = dotted(node.func).rpartition(".")[2]
        self._calls.append(name)
        if name in _BY_NAME and node.args and self._is_composed(node):
            self.note(
                node, f"{code_of(node)} puts a path together", "old paths go in version 3; name the new one", "imports"
            )
        return None

    def _is_composed(self, node: cst.Call) -> bool:
        """Tell whether a path of ours is put together out of parts, or begins at another one."""
        code = code_of(node)
        text = text_of(node.args[0].value)
        if text is not None:
            return text.startswith(".") and any(f'"{old}' in code.replace("'", '"') for old in MOVED)
        return isinstance(node.args[0].value, cst.FormattedString | cst.BinaryOperation) and any(
            root in code for root in ROOTS[:-1]
        )

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """Leave a call."""
        self._calls.pop()
        return updated_node

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.SimpleString:
        """Rewrite a text that is a path of version 1 and nothing else."""
        text = text_of(original_node)
        call = self._calls[-1] if self._calls else ""
        if text is not None and self._annotations and not _PATH.fullmatch(text):
            return self._annotation(original_node, updated_node)
        if text is None or call in _LOGGERS or not _FOREIGN.fullmatch(text):
            return updated_node
        if call in _BY_NAME and self._is_other_argument(original_node):
            return updated_node
        if not _PATH.fullmatch(text):
            self._foreign(original_node, text, call)
            return updated_node
        new = self._new(original_node, text, imports=call in _IMPORTERS or bool(self._annotations))
        return updated_node.with_changes(value=updated_node.value.replace(text, new)) if new != text else updated_node

    def _annotation(self, original: cst.SimpleString, updated: cst.SimpleString) -> cst.SimpleString:
        """Rewrite the paths inside of an annotation that is text."""
        text = _PATH.sub(lambda match: self._new(original, match[0], imports=True), updated.value)
        return updated.with_changes(value=text)

    def _is_other_argument(self, node: cst.SimpleString) -> bool:
        """Tell whether a text is not the first argument of its call."""
        argument = self.parent(node)
        call = self.parent(argument)
        return isinstance(call, cst.Call) and call.args[0] is not argument

    def _new(self, node: cst.SimpleString, text: str, *, imports: bool) -> str:
        if self.project.module(text) != text and exported(self.project.module(text)) is not None:
            if not imports:
                what = f"{text} is {self.project.module(text)} now"
                self.note(node, what, "it stands in text; change it when that is imported or looked up", "imports")
            return self.project.module(text) if imports else text
        module, _, name = text.rpartition(".")
        is_there = self.project.module(module) == module and exported(module) is not None
        if is_there and name not in RENAMED and name not in GONE:
            return text
        place = resolve(self.project, module, name)
        if place.gone is not None:
            self.note(node, f"{text} was removed", place.gone.advice, place.gone.section)
            return text
        return f"{place.module}.{place.name}" if place.is_known else self._member(node, text, imports=imports)

    def _member(self, node: cst.SimpleString, text: str, *, imports: bool) -> str:
        """Return the path of a member of a class, such as a method that is patched."""
        owner, _, member = text.rpartition(".")
        module, _, name = owner.rpartition(".")
        place = resolve(self.project, module, name)
        if place.gone is None and place.is_known and place.name != name:
            self.note(node, f"{owner} is {place.module}.{place.name} now", f"look whether it has {member}", "imports")
            return f"{place.module}.{place.name}.{member}"
        new = self.project.module(text)
        if new == text and imports and text.split(".")[0] in ROOTS[:-1]:
            self.note(node, f"{text} is not in version 2", "name the one that took its place", "imports")
        return new

    def _foreign(self, node: cst.SimpleString, text: str, call: str) -> None:
        """Tell about a patch of a name in the module of the service that imports it."""
        name = text.rpartition(".")[2]
        if call in _IMPORTERS and (name in RENAMED or name in GONE):
            new = RENAMED.get(name, "gone").rpartition(".")[2]
            self.note(node, f"{text} is patched", f"{name} is {new} in the module that imports it", "imports")
