"""A report as values: sections of lines, each with a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Line", "Report", "Section", "Status"]


class Status(StrEnum):
    """`fail` is a problem; `warn` deserves a look; `note` only informs."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact. `data` holds what only JSON shows."""

    name: str
    status: Status
    text: str
    milliseconds: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        took = {} if self.milliseconds is None else {"milliseconds": round(self.milliseconds, 2)}
        return {"name": self.name, "status": self.status.value, "text": self.text, **took, **self.data}


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one title."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    sections: tuple[Section, ...]

    def count(self, status: Status) -> int:
        """Count the lines with a verdict."""
        return sum(line.status is status for section in self.sections for line in section.lines)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        sections = {section.title: [line.as_dict() for line in section.lines] for section in self.sections}
        return {"problems": self.count(Status.FAIL), "warnings": self.count(Status.WARN), "sections": sections}
