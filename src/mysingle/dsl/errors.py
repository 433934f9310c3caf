"""What goes wrong in a strategy: the codes DSL-001 to DSL-012, the diagnostic of one place, the exception family."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar

from mysingle._kernel.errors import MySingleError

__all__ = [
    "DSLCode",
    "DSLCompilationError",
    "DSLContainerError",
    "DSLDataError",
    "DSLError",
    "DSLExecutionError",
    "DSLLimitError",
    "DSLLookaheadError",
    "DSLMemoryError",
    "DSLParameterError",
    "DSLSecurityError",
    "DSLTimeoutError",
    "DSLValidationError",
    "DSLWarmupError",
    "Diagnostic",
    "Fixit",
    "Severity",
    "error_of",
]


class DSLCode(StrEnum):
    """The stable number of every failure; the text may change, the number does not."""

    SYNTAX = "DSL-001"
    INVALID = "DSL-002"
    FORBIDDEN = "DSL-003"
    RUNTIME = "DSL-004"
    LIMIT = "DSL-005"
    MEMORY = "DSL-006"
    CONTAINER = "DSL-007"
    PARAMETER = "DSL-008"
    DATA = "DSL-009"
    LOOKAHEAD = "DSL-010"
    WARMUP = "DSL-011"
    DEPRECATED = "DSL-012"


class Severity(StrEnum):
    """Whether a diagnostic stops the compiler."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixit:
    """One replacement of source text: 1-based line and columns, the end exclusive."""

    line: int
    column: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding of the compiler at one place; columns are 1-based code points, 0 means no place."""

    code: DSLCode
    message: str
    message_ko: str = ""
    severity: Severity = Severity.ERROR
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    source_line: str = ""
    hint: str = ""
    hint_ko: str = ""
    fixits: tuple[Fixit, ...] = ()
    related: tuple[str, ...] = ()
    construct: str = ""

    @property
    def doc(self) -> str:
        """The page that explains the code."""
        return f"docs/reference/dsl/errors.md#{self.code.value.lower()}"

    def document(self) -> dict[str, Any]:
        """Return the finding as JSON has it; the source itself is left out, the author has it."""
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "message": self.message,
            "message_ko": self.message_ko,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
            "hint": self.hint,
            "fixits": [asdict(fix) for fix in self.fixits],
            "doc": self.doc,
        }

    def __str__(self) -> str:
        place = f" at line {self.line}, column {self.column}" if self.line else ""
        return f"[{self.code.value}] {self.message}{place}"


class DSLError(MySingleError):
    """
    A strategy that cannot be compiled, loaded or run; `code` is the DSL's own number and `status` the HTTP status.

    Args:
        message: what happened and what to do, for the author of the strategy.
        code: one of `DSLCode`; the class's own when not given.
        line: 1-based line in the source, None when there is no place.
        column: 1-based column in code points.
        diagnostics: everything the compiler found, the first error first; HTTP answers have them as `diagnostics`.
    """

    dsl_code: ClassVar[DSLCode] = DSLCode.RUNTIME
    http_status: ClassVar[int] = 422

    def __init__(
        self,
        message: str = "",
        code: str | None = None,
        line: int | None = None,
        column: int | None = None,
        *,
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        number = str(code or self.dsl_code.value)
        found = {"diagnostics": [item.document() for item in diagnostics]} if diagnostics else None
        super().__init__(message, reason=number.replace("-", "_"), status=self.http_status, extensions=found)
        self.code = number  # type: ignore[assignment]  # hosts match on "DSL-00x"; `status` already decides HTTP
        self.line = line
        self.column = column
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        place = f" at line {self.line}" if self.line else ""
        place += f", column {self.column}" if self.line and self.column else ""
        return f"[{self.code}] {self.message}{place}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.code, self.line, self.column)


class DSLCompilationError(DSLError):
    """The source is not a program: DSL-001."""

    dsl_code = DSLCode.SYNTAX


class DSLValidationError(DSLError):
    """A name, type, argument or form that the language does not have: DSL-002."""

    dsl_code = DSLCode.INVALID


class DSLSecurityError(DSLValidationError):
    """A construct that no strategy may contain: DSL-003."""

    dsl_code = DSLCode.FORBIDDEN


class DSLLimitError(DSLValidationError):
    """A program that is too large to compile: DSL-005."""

    dsl_code = DSLCode.LIMIT


class DSLLookaheadError(DSLValidationError):
    """A result that needs bars of the future: DSL-010."""

    dsl_code = DSLCode.LOOKAHEAD


class DSLExecutionError(DSLError):
    """A run that ended: a guard, a missing result: DSL-004."""

    dsl_code = DSLCode.RUNTIME


class DSLTimeoutError(DSLExecutionError):
    """A run that would need, or needed, too much work: DSL-005."""

    dsl_code = DSLCode.LIMIT


class DSLMemoryError(DSLExecutionError):
    """A run that would need too much memory, or returns too much: DSL-006."""

    dsl_code = DSLCode.MEMORY


class DSLContainerError(DSLExecutionError):
    """Bytes that are no container, a changed one, or one of another key or version: DSL-007."""

    dsl_code = DSLCode.CONTAINER


class DSLParameterError(DSLExecutionError):
    """A parameter that is missing, unknown, of the wrong type or out of range: DSL-008."""

    dsl_code = DSLCode.PARAMETER


class DSLDataError(DSLExecutionError):
    """Data that cannot be computed with: DSL-009."""

    dsl_code = DSLCode.DATA


class DSLWarmupError(DSLExecutionError):
    """Too few bars for a first valid value: DSL-011."""

    dsl_code = DSLCode.WARMUP


_COMPILE_ERRORS: dict[DSLCode, type[DSLError]] = {
    DSLCode.SYNTAX: DSLCompilationError,
    DSLCode.FORBIDDEN: DSLSecurityError,
    DSLCode.LIMIT: DSLLimitError,
    DSLCode.LOOKAHEAD: DSLLookaheadError,
}


def error_of(diagnostics: Sequence[Diagnostic]) -> DSLError:
    """Return the exception for a failed compile: its class and place are those of the first error."""
    errors = [item for item in diagnostics if item.severity is Severity.ERROR]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    kind = _COMPILE_ERRORS.get(first.code, DSLValidationError)
    return kind(
        first.message + more, first.code.value, first.line or None, first.column or None, diagnostics=diagnostics
    )
