"""The names of the older API on top of the new one: research mode, no masking of the warm-up, lenient parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from mysingle.dsl import api
from mysingle.dsl.errors import Diagnostic, DSLError, DSLExecutionError, DSLParameterError, Severity
from mysingle.dsl.ir.codec import StaleContainerError
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.lang.diagnostics import render
from mysingle.dsl.lang.tables import FUNCTION_NAMES
from mysingle.dsl.limits import ResourceLimits
from mysingle.dsl.store import BYTECODE_TTL_SECONDS, bytecode_key, count_tampered

__all__ = [
    "DSLBytecodeCache",
    "DSLExecutor",
    "DSLParser",
    "ExecutionContext",
    "SecurityValidator",
    "SecurityViolation",
    "TradingCommand",
    "Visualization",
]


class DSLParser:
    """Compiles strategies to bytes and loads them."""

    def __init__(self, profile: str = "standard", mode: str = "research") -> None:
        self.profile = profile
        self.mode = mode

    def parse(self, code: str, filename: str = "<indicator>") -> bytes:  # part of the older signature
        """
        Return the container of a strategy; the same source gives the same bytes.

        Raises:
            DSLError: of the class of the first error.
        """
        return api.compile(code, profile=self.profile, mode=self.mode).to_bytes()

    def load(self, data: bytes) -> api.Program:
        """
        Return the program of a container.

        Raises:
            DSLContainerError: the bytes are no container of ours.
        """
        if not isinstance(data, bytes | bytearray):
            raise DSLExecutionError(f"A compiled strategy is bytes, not {type(data).__name__}")
        return api.load(bytes(data))

    def get_code_hash(self, code: str) -> str:
        """Return the SHA-256 of a source as hexadecimal digits."""
        return api.code_hash(code)

    def get_safe_globals(self) -> Mapping[str, str]:
        """Return every function that a strategy can call, with its documentation; nothing can be added to it."""
        return MappingProxyType({name: f"{OPS[row].signature}: {OPS[row].doc}" for name, row in FUNCTION_NAMES.items()})


@dataclass
class TradingCommand:
    """One order statement that was true on at least one bar, with the values of the last of them."""

    action: str
    id: str = ""
    direction: str | None = None
    qty: float | None = None
    limit: float | None = None
    stop: float | None = None
    comment: str | None = None


@dataclass
class Visualization:
    """One plot."""

    type: str
    series: Any
    title: str = ""
    name: str = ""
    color: str | None = None
    style: str | None = None
    linewidth: float | None = None
    offset: int = 0


@dataclass
class ExecutionContext:
    """The account that a strategy reads, and what the strategy did: pass it as `params["_context"]`."""

    equity: float = 100_000.0
    position_size: float = 0.0
    unrealized_pnl: float = 0.0
    realized_pnl: float = 0.0
    commands: list[TradingCommand] = field(default_factory=list)
    visualizations: list[Visualization] = field(default_factory=list)


class DSLExecutor:
    """Runs compiled strategies over a DataFrame."""

    MAX_EXECUTION_TIME_SECONDS: Final = 30
    MAX_MEMORY_MB: Final = 512
    MAX_RECURSION_DEPTH: Final = 100

    def __init__(self, parser: DSLParser | None = None, limits: ResourceLimits | None = None) -> None:
        self.parser = parser or DSLParser()
        self.limits = limits or ResourceLimits(
            MAX_EXECUTION_TIME_SECONDS=self.MAX_EXECUTION_TIME_SECONDS, MAX_MEMORY_MB=self.MAX_MEMORY_MB,
            MAX_RECURSION_DEPTH=self.MAX_RECURSION_DEPTH, MAX_OUTPUT_SIZE_MB=64,
        )  # fmt: skip

    def execute(self, compiled_code: bytes | api.Program, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """
        Return what the strategy assigns to `result`: a Series, or a DataFrame for several outputs.

        Raises:
            DSLExecutionError: bad bytes, parameters or data, a guard, a limit, or no result.
        """
        program = compiled_code if isinstance(compiled_code, api.Program) else self.parser.load(compiled_code)
        given = dict(params or {})
        context = given.pop("_context", None)
        if context is not None and not isinstance(context, ExecutionContext):
            raise DSLParameterError("params['_context'] must be an ExecutionContext")
        found = program.run(data, given, warmup="off", broker=_account(context), is_lenient=True, limits=self.limits)
        if context is not None:
            _record(context, found)
        elif found.result is None and not program.outputs and not found.orders and not found.plots:
            raise DSLExecutionError("Variable 'result' not found")
        return found.result

    def compile_and_execute(self, code: str, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """
        Compile a source and run it.

        Raises:
            DSLError: of the compile or of the run.
        """
        return self.execute(self.parser.parse(code), data, params)


def _account(context: ExecutionContext | None) -> Mapping[str, float] | None:
    if context is None:
        return None
    return {
        "equity": context.equity, "position_size": context.position_size, "unrealized_pnl": context.unrealized_pnl,
        "realized_pnl": context.realized_pnl, "drawdown": 0.0, "sharpe_ratio": 0.0,
    }  # fmt: skip


def _record(context: ExecutionContext, found: Any) -> None:
    last = {row.statement: row for row in found.orders}
    for statement in sorted(last):
        context.commands.append(_command(last[statement]))
    for plot in found.plots:
        context.visualizations.append(Visualization(
            plot.kind, plot.values, plot.title, plot.name, plot.color or None, plot.style or None,
            plot.linewidth or None, plot.offset,
        ))  # fmt: skip


def _command(row: Any) -> TradingCommand:
    qty = _given(row.qty)
    direction = row.direction or None
    if row.action == "exit":
        direction = row.from_entry or None
    elif row.action == "close":
        qty = _given(row.qty_percent)
    return TradingCommand(row.action, row.id, direction, qty, _given(row.limit), _given(row.stop), row.comment or None)


def _given(value: float) -> float | None:
    return None if value != value else value  # na is the only number that differs from itself


@dataclass(frozen=True)
class SecurityViolation:
    """One finding of the validator."""

    level: str
    message: str
    line: int = 0
    column: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a dict."""
        return asdict(self)


class SecurityValidator:
    """Says whether a source is a strategy; it runs the real compiler and raises nothing, whatever the input."""

    ERROR: Final = "ERROR"
    WARNING: Final = "WARNING"
    INFO: Final = "INFO"

    def __init__(self, mode: str = "research") -> None:
        self.mode = mode
        self.violations: list[SecurityViolation] = []
        self._diagnostics: tuple[Diagnostic, ...] = ()

    def validate(self, code: str) -> tuple[bool, list[SecurityViolation]]:
        """Return whether the source compiles, and everything that was found."""
        self._diagnostics = _findings(code, self.mode)
        self.violations = [
            SecurityViolation(
                item.severity.value.upper(), f"[{item.code.value}] {item.message}", item.line, item.column
            )
            for item in self._diagnostics
        ]
        return not self.has_errors(), self.violations

    def analyze(self, code: str) -> dict[str, Any]:
        """Return the findings as data, with their number by level."""
        is_valid, found = self.validate(code)
        counts = {level: sum(item.level == level for item in found) for level in (self.ERROR, self.WARNING, self.INFO)}
        return {"is_valid": is_valid, "violations": [item.to_dict() for item in found], "counts": counts}

    def has_errors(self) -> bool:
        """Say whether the last source must not run."""
        return any(item.level == self.ERROR for item in self.violations)

    def format_report(self, language: str = "en") -> str:
        """Return the findings of the last source for people."""
        if not self._diagnostics:
            return "No violations found"
        return "\n\n".join(render(item, language) for item in self._diagnostics)


def _findings(code: object, mode: str) -> tuple[Diagnostic, ...]:
    try:
        return api.compile(code, mode=mode).warnings  # type: ignore[arg-type]  # whatever it is: compile looks
    except DSLError as error:
        return error.diagnostics or (Diagnostic(code=error.dsl_code, message=error.message),)
    except (TypeError, ValueError) as error:
        return (Diagnostic(code=DSLError.dsl_code, message=str(error), severity=Severity.ERROR),)


class ByteStore(Protocol):
    """What the cache stands on: a cache of raw bytes."""

    async def get(self, key: str) -> bytes | None:
        """Return the bytes."""

    async def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep the bytes."""

    async def delete(self, key: str) -> bool:
        """Forget the bytes."""


class DSLBytecodeCache:
    """Containers by strategy, in a store of bytes; what does not verify is never returned."""

    def __init__(self, store: ByteStore, parser: DSLParser | None = None, ttl: int = BYTECODE_TTL_SECONDS) -> None:
        self._store = store
        self._parser = parser or DSLParser()
        self._ttl = ttl

    async def get(self, strategy_id: str) -> bytes | None:
        """Return the container of a strategy, bound to no key, None when there is none that verifies."""
        key = bytecode_key(strategy_id)
        data = await self._store.get(key)
        if data is None:
            return None
        try:
            return api.load(data, key).to_bytes()
        except StaleContainerError:
            return None
        except DSLExecutionError:
            count_tampered()
            await self._store.delete(key)
            return None

    async def set(self, strategy_id: str, bytecode: bytes, ttl: int | None = None) -> bool:
        """Keep a container, signed again for its key."""
        key = bytecode_key(strategy_id)
        await self._store.set(key, self._parser.load(bytecode).to_bytes(key), ttl or self._ttl)
        return True

    async def delete(self, strategy_id: str) -> bool:
        """Forget a strategy."""
        return await self._store.delete(bytecode_key(strategy_id))

    async def exists(self, strategy_id: str) -> bool:
        """Say whether there is a container that verifies."""
        return await self.get(strategy_id) is not None

    async def invalidate_version(self, version: str) -> int:  # part of the older signature
        """Return 0: the version is part of what a container is verified against, nothing has to be deleted."""
        return 0

    async def health_check(self) -> bool:
        """Say whether the store answers."""
        try:
            await self._store.get(bytecode_key("health"))
        except OSError:
            return False
        return True
