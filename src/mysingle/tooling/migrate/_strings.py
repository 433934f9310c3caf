"""Dotted paths that stand in text: targets of patches, names for import_module."""

import re

import libcst as cst

from mysingle._kernel.old_names import GONE, RENAMED
from mysingle.tooling.migrate._project import Project, exported, resolve
from mysingle.tooling.migrate._step import ROOTS, Step, dotted, text_of

__all__ = ["Strings"]

_PATH = re.compile(rf"({'|'.join(ROOTS)})(\.[A-Za-z_]\w*)+")
_FOREIGN = re.compile(r"[a-z_]\w*(\.[A-Za-z_]\w*)+")
_IMPORTERS = ("delattr", "find_spec", "import_module", "import_string", "patch", "setattr")
_LOGGERS = ("getLogger", "get_logger", "get_structured_logger")


class Strings(Step):
    """`patch("mysingle.base.BaseDocument")` follows the name; names of loggers are only names and stay."""

    trigger = re.compile(rf"""["'](?:{_PATH.pattern}["']|\w[\w.]*\.({"|".join([*RENAMED, *GONE])})["'])""")

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._calls: list[str] = []

    def visit_Call(self, node: cst.Call) -> bool | None:
        """Enter a call."""
        self._calls.append(dotted(node.func).rpartition(".")[2])
        return None

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """Leave a call."""
        self._calls.pop()
        return updated_node

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.SimpleString:
        """Rewrite a text that is a path of version 1 and nothing else."""
        text = text_of(original_node)
        call = self._calls[-1] if self._calls else ""
        if text is None or call in _LOGGERS or not _FOREIGN.fullmatch(text):
            return updated_node
        if not _PATH.fullmatch(text):
            self._foreign(original_node, text, call)
            return updated_node
        new = self._new(original_node, text, imports=call in _IMPORTERS)
        return updated_node.with_changes(value=updated_node.value.replace(text, new)) if new != text else updated_node

    def _new(self, node: cst.SimpleString, text: str, *, imports: bool) -> str:
        if self.project.module(text) != text and exported(self.project.module(text)) is not None:
            return self.project.module(text) if imports else text
        module, _, name = text.rpartition(".")
        is_there = self.project.module(module) == module and exported(module) is not None
        if is_there and name not in RENAMED and name not in GONE:
            return text
        place = resolve(self.project, module, name)
        if place.gone is not None:
            self.note(node, f"{text} was removed", place.gone.advice, place.gone.section)
            return text
        return f"{place.module}.{place.name}" if place.is_known else self.project.module(text)

    def _foreign(self, node: cst.SimpleString, text: str, call: str) -> None:
        """Tell about a patch of a name in the module of the service that imports it."""
        name = text.rpartition(".")[2]
        if call in _IMPORTERS and (name in RENAMED or name in GONE):
            new = RENAMED.get(name, "gone").rpartition(".")[2]
            self.note(node, f"{text} is patched", f"{name} is {new} in the module that imports it", "imports")
