"""The strategy language: compile, check, run, stream and sweep trading strategies that users write."""

from mysingle._kernel.extras import lazy_exports

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would cost more than all the rest
if TYPE_CHECKING:
    from mysingle.dsl.api import Program, compile, load  # noqa: A004
    from mysingle.dsl.compat import (
        DSLBytecodeCache,
        DSLExecutor,
        DSLParser,
        ExecutionContext,
        SecurityValidator,
        SecurityViolation,
        TradingCommand,
        Visualization,
    )
    from mysingle.dsl.errors import (
        Diagnostic,
        DSLCompilationError,
        DSLContainerError,
        DSLDataError,
        DSLError,
        DSLExecutionError,
        DSLLimitError,
        DSLLookaheadError,
        DSLMemoryError,
        DSLParameterError,
        DSLSecurityError,
        DSLTimeoutError,
        DSLValidationError,
        DSLWarmupError,
    )
    from mysingle.dsl.limits import ResourceLimits, UserQuota
    from mysingle.dsl.stdlib import get_stdlib_functions

__version__ = "1.0.0"
"""The version of the language and its containers, not of the package."""

__all__ = [
    "DSLBytecodeCache",
    "DSLCompilationError",
    "DSLContainerError",
    "DSLDataError",
    "DSLError",
    "DSLExecutionError",
    "DSLExecutor",
    "DSLLimitError",
    "DSLLookaheadError",
    "DSLMemoryError",
    "DSLParameterError",
    "DSLParser",
    "DSLSecurityError",
    "DSLTimeoutError",
    "DSLValidationError",
    "DSLWarmupError",
    "Diagnostic",
    "ExecutionContext",
    "Program",
    "ResourceLimits",
    "SecurityValidator",
    "SecurityViolation",
    "TradingCommand",
    "UserQuota",
    "Visualization",
    "compile",
    "get_stdlib_functions",
    "load",
]

_COMPAT = (
    "DSLBytecodeCache", "DSLExecutor", "DSLParser", "ExecutionContext", "SecurityValidator", "SecurityViolation",
    "TradingCommand", "Visualization",
)  # fmt: skip
_ERRORS = ("Diagnostic", *(name for name in __all__ if name.endswith("Error")))

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        **dict.fromkeys(("Program", "compile", "load"), ".api"),
        **dict.fromkeys(_COMPAT, ".compat"),
        **dict.fromkeys(_ERRORS, ".errors"),
        **dict.fromkeys(("ResourceLimits", "UserQuota"), ".limits"),
        "get_stdlib_functions": ".stdlib",
    },
    extra="dsl",
)
