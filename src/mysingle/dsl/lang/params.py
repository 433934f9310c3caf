"""Parameters: declared, optional, or simply used; one table, one JSON Schema."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mysingle.dsl.ir.kinds import Const, Kind
from mysingle.dsl.ir.program import ParamSpec
from mysingle.dsl.limits import LIMITS

__all__ = ["ParamTable", "literal_of", "params_schema"]

_NUMBER = re.compile(r"[+-]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)([eE][+-]?\d{1,3})?")
_INTEGER = re.compile(r"[+-]?\d[\d_]{0,20}")
_SCHEMA_TYPES = {Kind.INT: "integer", Kind.FLOAT: "number", Kind.BOOL: "boolean", Kind.STR: "string"}


@dataclass
class ParamTable:
    """The parameters of one compile, by name."""

    specs: dict[str, ParamSpec] = field(default_factory=dict)

    def declare(self, spec: ParamSpec) -> None:
        """Add or replace a parameter."""
        self.specs[spec.name] = spec

    def need(self, name: str, *, implicit: bool) -> ParamSpec:
        """Return the parameter, a required number when nobody declared it."""
        if name not in self.specs:
            self.specs[name] = ParamSpec(name, Kind.FLOAT, required=True, implicit=implicit)
        return self.specs[name]

    def retype(self, name: str, kind: Kind) -> ParamSpec:
        """Give a parameter that was never declared another kind."""
        self.specs[name] = self.specs[name]._replace(kind=kind)
        return self.specs[name]

    @property
    def is_full(self) -> bool:
        """Whether there are more parameters than allowed."""
        return len(self.specs) > LIMITS.parameters


def literal_of(text: str) -> Const:
    """
    Read a literal of a table section.

    Raises:
        ValueError: it is not a number, a quoted string, True, False or None.
    """
    words: dict[str, Const] = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" and "\\" not in text:
        return text[1:-1]
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a literal")
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def params_schema(specs: Iterable[ParamSpec]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the parameters; forms, rpc validation and sweeps read it."""
    found = list(specs)
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {spec.name: _property(spec) for spec in found},
        "additionalProperties": False,
    }
    required = [spec.name for spec in found if spec.required]
    if required:
        schema["required"] = required
    return schema


def _property(spec: ParamSpec) -> dict[str, Any]:
    kind: Any = _SCHEMA_TYPES[spec.kind]
    if spec.implicit:
        kind = ["number", "boolean"] if spec.kind is Kind.FLOAT else kind
    if spec.nullable:
        kind = [kind, "null"] if isinstance(kind, str) else [*kind, "null"]
    entries: dict[str, Any] = {
        "type": kind,
        "default": spec.default,
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "multipleOf": spec.step,
        "enum": list(spec.options) or None,
        "title": spec.title or None,
        "description": spec.description or None,
        "x-group": spec.group or None,
        "x-widget": spec.widget or None,
    }
    return {key: value for key, value in entries.items() if value is not None}
