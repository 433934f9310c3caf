"""Log calls: version 1 gave out loggers of the standard library, version 2 gives structured ones."""

import re

import libcst as cst

from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._step import Step, dotted, text_of

__all__ = ["Logs"]

_SECTION = "logging"
_MAKERS = ("get_logger", "get_structured_logger")
_LEVELS = ("debug", "info", "warning", "warn", "error", "exception", "critical", "fatal")
_STANDARD = ("addFilter", "addHandler", "getChild", "isEnabledFor", "log", "removeHandler", "setLevel")
_TAKEN = ("args", "event", "exc_info", "extra", "self", "stack_info", "stacklevel")
_TRAILING = re.compile(r"(?P<text>[^%]*?[^%\s:=,(])(?P<end>\s*[:=]\s*|\s+)%[sdr]")


class Logs(Step):
    """`extra={...}` becomes keywords, and so does a value at the end of the text; the rest is reported."""

    trigger = re.compile(r"\bget_(structured_)?logger\b")

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._loggers: set[str] = set()

    def visit_Assign(self, node: cst.Assign) -> bool | None:
        """Remember which names hold loggers."""
        if isinstance(node.value, cst.Call) and self.ours(node.value.func) in _MAKERS:
            self._remember(node, *(dotted(target.target) for target in node.targets))
        return None

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool | None:
        """Remember which names hold loggers."""
        if isinstance(node.value, cst.Call) and self.ours(node.value.func) in _MAKERS:
            self._remember(node, dotted(node.target))
        return None

    def _remember(self, node: cst.BaseSmallStatement, *names: str) -> None:
        """Remember the names of a logger; one of a class is used through the class and its objects."""
        body = self.parent(self.parent(node))
        around = self.parent(body) if isinstance(body, cst.IndentedBlock) else None
        owners = ("self.", "cls.", f"{around.name.value}.") if isinstance(around, cst.ClassDef) else ()
        self._loggers |= {f"{owner}{name}" for owner in ("", *owners) for name in names if name}

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """Rewrite one call of a logger."""
        func = original_node.func
        if not isinstance(func, cst.Attribute) or dotted(func.value) not in self._loggers:
            return updated_node
        if func.attr.value in _STANDARD:
            why = "loggers are structured now: levels come from LOG_LEVEL, handlers from the app factory"
            self.note(original_node, f"{func.attr.value} of a logger", why, _SECTION)
        if func.attr.value not in _LEVELS:
            return updated_node
        return self._values(original_node, self._extra(original_node, updated_node))

    def _extra(self, node: cst.Call, updated: cst.Call) -> cst.Call:
        """Turn `extra={"a": b}` into `a=b`."""
        given = next((item for item in updated.args if item.keyword and item.keyword.value == "extra"), None)
        if given is None:
            return updated
        pairs = _pairs(given.value)
        used = {item.keyword.value for item in updated.args if item.keyword}
        if pairs is None or (used | set(_TAKEN)) & {key for key, _ in pairs}:
            self.note(
                node, "a log call has extra=", "values are keywords now: log.info('noun.verb', key=key)", _SECTION
            )
            return updated
        new = [cst.Arg(value, cst.Name(key), equal=_EQUAL, comma=_COMMA) for key, value in pairs]
        if new:
            new[-1] = new[-1].with_changes(comma=given.comma)
        arguments = [part for item in updated.args for part in (new if item is given else [item])]
        return updated.with_changes(args=arguments)

    def _values(self, node: cst.Call, updated: cst.Call) -> cst.Call:
        """Turn `("text: %s", value)` into `("text", value=value)`."""
        positional = [item for item in updated.args if item.keyword is None]
        if len(positional) < 2:
            return updated
        text = text_of(positional[0].value)
        match = _TRAILING.fullmatch(text) if text is not None else None
        name = dotted(positional[1].value).removeprefix("self.").replace(".", "_").lstrip("_")
        used = {item.keyword.value for item in updated.args if item.keyword}
        if match is None or len(positional) != 2 or not name or name in _TAKEN or name in used:
            why = "it still works; a constant text with values as keywords can be searched and counted"
            self.note(node, "a log call formats its text", why, _SECTION)
            return updated
        assert isinstance(positional[0].value, cst.SimpleString)
        literal = positional[0].value
        ending = len(text or "") - len(match["text"])
        quote = len(literal.quote)
        shorter = literal.with_changes(value=literal.value[: -quote - ending] + literal.value[-quote:])
        if shorter.evaluated_value != match["text"]:
            return updated
        changed = {
            positional[0]: positional[0].with_changes(value=shorter),
            positional[1]: positional[1].with_changes(keyword=cst.Name(name), equal=_EQUAL),
        }
        return updated.with_changes(args=[changed.get(item, item) for item in updated.args])


_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
_COMMA = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _pairs(node: cst.BaseExpression) -> list[tuple[str, cst.BaseExpression]] | None:
    """Return the pairs of a dictionary whose keys are names; None for anything else."""
    if not isinstance(node, cst.Dict):
        return None
    found: list[tuple[str, cst.BaseExpression]] = []
    for element in node.elements:
        key = text_of(element.key) if isinstance(element, cst.DictElement) else None
        if key is None or not key.isidentifier() or not isinstance(element, cst.DictElement):
            return None
        found.append((key, element.value))
    return found
