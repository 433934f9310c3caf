"""What a check finds."""

from dataclasses import dataclass

__all__ = ["Edit", "Finding", "Span"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where something stands: lines from 1, columns in characters from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of one span; an empty span inserts. `needs` are imports that the new text needs."""

    span: Span
    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One place that breaks a rule.

    `path` is relative to where the check began, with slashes. `source` is the line of the file. `edits` repair it, and
    are empty when a person has to.
    """

    code: str
    path: str
    span: Span
    message: str
    source: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def order(self) -> tuple[str, Span, str]:
        """What findings are sorted by."""
        return (self.path, self.span, self.code)
