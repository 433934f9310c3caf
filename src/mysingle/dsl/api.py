"""Compile, load and run strategies: what hosts use. The engine is loaded by the first run, not by the import."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mysingle.dsl.errors import Diagnostic, DSLError, DSLExecutionError
from mysingle.dsl.ir.causality import Finding, find_lookahead
from mysingle.dsl.ir.codec import decode, encode, program_hash
from mysingle.dsl.ir.fmt import to_text
from mysingle.dsl.ir.gas import Cost, cost_of
from mysingle.dsl.ir.graph import to_graph
from mysingle.dsl.ir.kinds import Const
from mysingle.dsl.ir.program import Program as Ir
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.ir.specialise import specialise
from mysingle.dsl.ir.warmup import WarmUp, warm_up
from mysingle.dsl.lang.lower import MODES, PROFILES, compile_source
from mysingle.dsl.lang.params import params_schema
from mysingle.dsl.limits import TIERS
from mysingle.dsl.store import counters

if TYPE_CHECKING:
    from mysingle.dsl.engine.replay import Change
    from mysingle.dsl.engine.result import Result
    from mysingle.dsl.engine.stream import Stream
    from mysingle.dsl.engine.sweep import SweepResult

__all__ = ["Program", "code_hash", "compile", "load", "process_keyring", "program_of"]

T = TypeVar("T")
_COMPILE_BARS: Final = 10_000
_LAST: Final = 8


@cache
def _compiler(_process: int) -> ThreadPoolExecutor:
    """Give the one thread that compiles: its stack is known and empty, whatever the caller's thread has."""
    return ThreadPoolExecutor(1, thread_name_prefix="dsl-compile")


def _apart(work: Callable[[], T]) -> T:
    return _compiler(os.getpid()).submit(work).result()


@cache
def process_keyring() -> Keyring:
    """
    Return the keys of `DSL_SIGNING_KEYS`, read at first use.

    Without keys a relaxed environment signs nothing, and any other signs with a random key of this process: what
    another process has stored is then not accepted.
    """
    from mysingle._kernel.settings import get_settings

    settings = get_settings()
    keys = ",".join(item.get_secret_value() for item in settings.DSL_SIGNING_KEYS)
    if keys:
        return Keyring.parse(keys)
    return Keyring() if settings.is_relaxed else Keyring.for_process()


class Program:
    """A compiled strategy. It is immutable, two of the same meaning are equal, and it travels as bytes only."""

    __slots__ = ("__dict__", "_ir", "metadata", "warnings")

    def __init__(
        self, ir: Ir, warnings: tuple[Diagnostic, ...] = (), metadata: Mapping[str, str] | None = None
    ) -> None:
        self._ir = ir
        self.warnings = warnings
        self.metadata = dict(metadata or {})

    @property
    def ir(self) -> Ir:
        """The program's intermediate form."""
        return self._ir

    @cached_property
    def hash(self) -> str:
        """What is computed, as a hash: independent of source text, mode and signature."""
        return program_hash(self._ir)

    @property
    def co_code(self) -> bytes:
        """The container, bound to no key of the store; older hosts look for this attribute."""
        return encode(self._ir, process_keyring())

    @property
    def params_schema(self) -> dict[str, Any]:
        """The JSON Schema of the parameters."""
        return params_schema(self._ir.params)

    @cached_property
    def lookahead(self) -> tuple[Finding, ...]:
        """Where the program needs bars of the future."""
        return find_lookahead(self._ir)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the data must have."""
        return self._ir.columns

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `result` holds."""
        return tuple(item.name for item in self._ir.outputs)

    @property
    def profile(self) -> str:
        """Which definitions of the indicators hold: standard or mysingle-1."""
        return self._ir.profile

    @property
    def mode(self) -> str:
        """Strict or research."""
        return self._ir.mode

    @property
    def source_sha256(self) -> str:
        """The hash of the source it was compiled from."""
        return self._ir.source_sha256

    def warmup(self, params: Mapping[str, Const] | None = None) -> WarmUp:
        """Return from which bar on values exist, and from which on the start of the data no longer matters."""
        return warm_up(self._ir, params)

    def cost(self, n_bars: int = _COMPILE_BARS, params: Mapping[str, Const] | None = None) -> Cost:
        """Return what a run costs: gas, memory, and the gas of each line."""
        return cost_of(self._ir, n_bars, params)

    def run(
        self, data: Any, params: Mapping[str, Any] | None = None, *, warmup: str = "first_valid", broker: Any = None,
        tier: str = "premium", **options: Any,
    ) -> Result:  # fmt: skip
        """
        Run over a DataFrame or a mapping of arrays; call it in a thread, it computes without a pause.

        Raises:
            DSLError: of the class that says what was wrong with parameters, data, limits or the run itself.
        """
        from mysingle.dsl.engine.run import RunOptions

        chosen = RunOptions(warmup=warmup, broker=broker, tier=TIERS[tier], **options)
        found: Result = _guarded(lambda: self._runner(data, params).run(data, params, chosen))
        return found

    def stream(self, params: Mapping[str, Any] | None = None, **options: Any) -> Stream:
        """
        Return the program as a stream: one bar in, one decision out, with the bits of a run.

        Raises:
            DSLLookaheadError: the program needs bars of the future.
        """
        from mysingle.dsl.engine.run import RunOptions

        chosen = RunOptions(**options)
        found: Stream = _guarded(lambda: self._runner({}, params).stream(params, chosen, program_hash=self.hash))
        return found

    def explain(self, data: Any, bar: int = -1, params: Mapping[str, Any] | None = None) -> list[tuple[str, int, Any]]:
        """Return name, line and value of every variable at one bar."""
        return _guarded(lambda: self._runner(data, params).explain(data, bar, params))

    def verify_causality(
        self, data: Any, params: Mapping[str, Any] | None = None, *, count: int = 16, seed: int = 0, **options: Any
    ) -> tuple[Change, ...]:
        """
        Run over beginnings of the data and return what they give differently than the whole: nothing, if causal.

        Args:
            data: the bars.
            params: values of the parameters.
            count: how many beginnings; half of the data and all but the last bar are among them.
            seed: which beginnings.
            options: as of `run`.
        """
        from mysingle.dsl.engine.replay import replay
        from mysingle.dsl.engine.run import RunOptions

        chosen = RunOptions(**{"warmup": "off", **options})
        return _guarded(lambda: replay(self._runner(data, params), data, params, chosen, count, seed))

    def trace(
        self, data: Any, params: Mapping[str, Any] | None = None, *, tier: str = "premium", **options: Any
    ) -> list[tuple[str, int, Any]]:
        """Return name, line and all values of every variable; tier and options are those of `run`."""
        from mysingle.dsl.engine.run import RunOptions

        chosen = RunOptions(tier=TIERS[tier], **options)
        return _guarded(lambda: self._runner(data, params).trace(data, params, chosen))

    def sweep(
        self, data: Any, space: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]], metric: Any = "sharpe",
        top: int = 20, **options: Any,
    ) -> SweepResult:  # fmt: skip
        """
        Run over all combinations of parameters; return the best ones and the metric of each.

        Raises:
            DSLParameterError: no combination, an unknown metric, or a value that a parameter refuses.
        """
        from mysingle.dsl.engine.run import RunOptions
        from mysingle.dsl.engine.sweep import sweep

        return _guarded(lambda: sweep(self._ir, data, space, metric, top, RunOptions(**options)))

    def to_bytes(self, key: str = "", keyring: Keyring | None = None) -> bytes:
        """Return the container, signed by the process's keys for one key of the store."""
        return encode(self._ir, process_keyring() if keyring is None else keyring, key)

    def to_text(self) -> str:
        """Return the program as text, one line for each node: what it is after the compiler, for people and diffs."""
        return to_text(self._ir)

    def to_graph(self) -> dict[str, Any]:
        """Return the program as a document of nodes and edges, for tools that draw it."""
        return to_graph(self._ir)

    def _runner(self, data: Any, params: Mapping[str, Any] | None) -> Any:
        from mysingle.dsl.engine.bind import columns_wanted
        from mysingle.dsl.engine.frames import column_names
        from mysingle.dsl.engine.run import Runner

        implicit = any(spec.implicit for spec in self._ir.params)
        names = columns_wanted(self._ir, params, column_names(data)) if implicit and len(data) else ()
        runners: dict[tuple[str, ...], Any] = self.__dict__.setdefault("_runners", {})
        if names not in runners:
            if len(runners) >= _LAST:
                runners.clear()
            runners[names] = Runner(specialise(self._ir, names))
        return runners[names]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._ir == other._ir

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("A program travels as bytes: use to_bytes() and load()")

    def __repr__(self) -> str:
        return f"<Program {self.hash[:12]} of {len(self._ir.nodes)} nodes, {self.mode}>"


def _count_refused(error: DSLError) -> None:
    metrics = counters()
    for construct in {item.construct for item in error.diagnostics if item.construct} if metrics else ():
        metrics.dsl_unsupported.labels(construct).inc()  # a name out of our tables, never one of the source


def _guarded(work: Callable[[], T]) -> T:
    """Turn what is a bug of ours into DSL-004, without its text: it may tell of the host (S17)."""
    try:
        return work()
    except (DSLError, ImportError, KeyboardInterrupt):
        raise
    except Exception as error:
        if metrics := counters():
            metrics.dsl_internal_errors.inc()
        raise DSLExecutionError("Internal error of the strategy language; please report it") from error


def compile(  # noqa: A001  # the name that the language's users know
    source: str, profile: str = "standard", mode: str = "strict", columns: Iterable[str] | None = None
) -> Program:
    """
    Compile a strategy.

    Args:
        source: at most 32 KB of text.
        profile: which definitions of the indicators hold when the source does not say: standard or mysingle-1.
        mode: strict refuses look-ahead, research reports it.
        columns: columns that the data will have besides open, high, low, close and volume.

    Raises:
        DSLError: of the class of the first error; `diagnostics` holds all of them with their places.
    """
    if profile not in PROFILES or mode not in MODES:
        raise ValueError(f"profile is one of {PROFILES}, mode is one of {MODES}")
    if not isinstance(source, str):
        raise TypeError(f"source is a str, not {type(source).__name__}")
    names = tuple(columns) if columns is not None else ()  # a pandas Index has no truth value
    try:
        found = _guarded(lambda: _apart(lambda: compile_source(source, profile=profile, mode=mode, columns=names)))
    except DSLError as error:
        _count_refused(error)
        raise
    return Program(found.program, found.warnings, found.metadata)


def load(
    data: bytes, key: str = "", expect_source_sha256: str | None = None, keyring: Keyring | None = None
) -> Program:
    """
    Return the verified program of a container.

    Raises:
        DSLContainerError: the bytes are no container, were changed, are signed for another key, or belong to another
            source.
    """
    return Program(decode(data, process_keyring() if keyring is None else keyring, key, expect_source_sha256))


def program_of(ir: Ir) -> Program:
    """Return the program of an intermediate form that has been verified."""
    return Program(ir)


def code_hash(source: str) -> str:
    """Return the hash under which a source is stored."""
    return sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
