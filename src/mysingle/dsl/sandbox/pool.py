"""A pool of locked-down workers: one job each, killed when it takes too long, replaced now and then."""

import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO, Final, Self

import numpy as np

from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.frames import Frame, SeriesByName, read_frame, write_series, write_table
from mysingle.dsl.engine.result import PlotRow, Result
from mysingle.dsl.engine.run import RunOptions, columns_read
from mysingle.dsl.errors import (
    DSLContainerError,
    DSLDataError,
    DSLError,
    DSLExecutionError,
    DSLLookaheadError,
    DSLMemoryError,
    DSLParameterError,
    DSLTimeoutError,
    DSLValidationError,
    DSLWarmupError,
)
from mysingle.dsl.ir.codec import encode
from mysingle.dsl.ir.gas import Cost, cost_of, refuse_over_budget
from mysingle.dsl.ir.program import Program
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.limits import ResourceLimits
from mysingle.dsl.sandbox.frames import ARENA_BYTES, read_message, unpack_result, write_message
from mysingle.dsl.sandbox.jail import JailReport

__all__ = ["WorkerPool"]

_JOBS: Final = 1_000
_PROGRAMS: Final = 256
_KEPT_BYTES: Final = 1 << 24
_START_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 1.0
_ENVIRONMENT: Final = {
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class _Worker:
    """One process, its pipes, and the memory that it may read."""

    def __init__(self, memory_bytes: int, cpu_seconds: int) -> None:
        job_read, job_write = os.pipe()
        answer_read, answer_write = os.pipe()
        self._arena = os.memfd_create("mysingle-dsl")
        os.ftruncate(self._arena, ARENA_BYTES)
        passed = (job_read, answer_write, self._arena)
        command = [
            sys.executable,
            "-m",
            "mysingle.dsl.sandbox.worker",
            *map(str, passed),
            str(memory_bytes),
            str(cpu_seconds),
        ]
        self._process = subprocess.Popen(command, pass_fds=passed, env=_environment(), stdin=subprocess.DEVNULL)  # noqa: S603  # our own module
        os.close(job_read)
        os.close(answer_write)
        self._jobs: BinaryIO = os.fdopen(job_write, "wb")
        self._answers: BinaryIO = os.fdopen(answer_read, "rb")
        self.jobs = 0
        self.report = JailReport(*self._receive(_START_SECONDS)["jail"])

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def run(self, job: Mapping[str, Any], columns: Sequence[Any], seconds: float) -> dict[str, Any]:
        """Send a job and wait for its answer."""
        used = self._fill(columns)
        self.jobs += 1
        write_message(self._jobs, job)
        answer = self._receive(seconds)
        if used > _KEPT_BYTES:
            os.ftruncate(self._arena, 0)
            os.ftruncate(self._arena, ARENA_BYTES)
        return answer

    def _fill(self, columns: Sequence[Any]) -> int:
        if sum(column.nbytes for column in columns) > ARENA_BYTES:
            raise DSLDataError("The columns are too large for a worker: use fewer bars or columns")
        offset = 0
        for column in columns:
            view, end = memoryview(column).cast("B"), offset + column.nbytes
            while offset < end:
                offset += os.pwrite(self._arena, view[view.nbytes - (end - offset) :], offset)
        return offset

    def _receive(self, seconds: float) -> dict[str, Any]:
        ready, _, _ = select.select([self._answers], [], [], seconds)
        if not ready:
            raise TimeoutError
        return read_message(self._answers)

    def close(self) -> None:
        """End the process, by its own id."""
        for pipe in (self._jobs, self._answers):
            try:
                pipe.close()
            except OSError:  # the other side is gone already
                continue
        os.close(self._arena)
        self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    # A worker sees no setting and no secret of the service: it only needs to find the same packages.
    return {**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class _Sent:
    """A program as workers get it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._container = b""
        self._costs: tuple[int, Cost] | None = None

    @property
    def container(self) -> bytes:
        """Its container, unsigned: the worker verifies it anyway."""
        self._container = self._container or encode(self.program, Keyring())
        return self._container

    def cost(self, bars: int) -> Cost:
        """Give what a run may cost, with the widest windows that its parameters allow."""
        if self._costs is None or self._costs[0] != bars:
            self._costs = bars, cost_of(self.program, bars)
        return self._costs[1]


class WorkerPool:
    """
    Runs programs in worker processes.

    Args:
        size: how many workers; they start with the first job.
        memory_bytes: what a worker may map beyond what it has after its imports.
        cpu_seconds: processor time of one worker's life.
    """

    def __init__(self, size: int = 2, memory_bytes: int = 1 << 30, cpu_seconds: int = 3_600) -> None:
        self._memory, self._cpu = memory_bytes, cpu_seconds
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self.report: JailReport | None = None
        for _ in range(size):
            self._idle.put(None)

    def run(
        self, program: Program, data: Any, params: Mapping[str, Any] | None = None, options: RunOptions | None = None
    ) -> Result:
        """
        Run a program in a worker; the outcome is that of `run_program`.

        Raises:
            DSLTimeoutError: the worker was killed after twice the predicted time, or the host's limit.
            DSLError: what the run itself raised.
        """
        chosen = options or RunOptions()
        frame = read_frame(data, columns_read(program, data))
        sent = self._prepared(program)
        cost = sent.cost(frame.size)
        refuse_over_budget(cost, chosen.tier)
        limits = chosen.limits or ResourceLimits()
        seconds = min(max(2e-9 * cost.gas, _SHORTEST_SECONDS), float(limits.MAX_EXECUTION_TIME_SECONDS))
        answer = self._ask(self._job(sent.container, frame, params, chosen), list(_columns(frame).values()), seconds)
        if not answer["ok"]:
            raise _error(answer)
        return _in_form(unpack_result(answer), frame, program)

    def _job(
        self, container: bytes, frame: Frame, params: Mapping[str, Any] | None, options: RunOptions
    ) -> dict[str, Any]:
        broker = options.broker
        return {
            "program": container,
            "params": dict(params or {}),
            "columns": list(_columns(frame)),
            "bars": frame.size,
            "warmup": options.warmup,
            "broker": {"settings": asdict(broker)} if isinstance(broker, BrokerSettings) else broker and dict(broker),
            "tier": [options.tier.gas, options.tier.memory_bytes],
            "limits": options.limits and asdict(options.limits),
            "meta": options.meta and dict(options.meta),
            "is_lenient": options.is_lenient,
        }

    def _prepared(self, program: Program) -> "_Sent":
        with self._lock:
            # By identity: hashing a program costs more than running a small one. The entry keeps the program alive.
            sent = self._sent.setdefault(id(program), _Sent(program))
            self._sent.move_to_end(id(program))
            if len(self._sent) > _PROGRAMS:
                self._sent.popitem(last=False)
        return sent

    def _ask(self, job: Mapping[str, Any], columns: Sequence[Any], seconds: float) -> dict[str, Any]:
        worker = self._take()
        try:
            answer = worker.run(job, columns, seconds)
        except TimeoutError as error:
            self._replace(worker)
            raise DSLTimeoutError(f"The run took longer than {seconds:.1f} s and was ended") from error
        except DSLError:
            self._idle.put(worker)
            raise
        except (EOFError, OSError, ValueError) as error:
            self._replace(worker)
            raise DSLExecutionError("The worker ended during the run: the program needs too much memory") from error
        if worker.jobs >= _JOBS:
            self._replace(worker)
        else:
            self._idle.put(worker)
        return answer

    def _take(self) -> _Worker:
        if self._is_closed:
            raise DSLExecutionError("The worker pool is closed")
        worker = self._idle.get()
        if worker is None:
            try:
                worker = _Worker(self._memory, self._cpu)
            except BaseException:
                self._idle.put(None)
                raise
            self.report = worker.report
        return worker

    def _replace(self, worker: _Worker) -> None:
        worker.close()
        self._idle.put(None)

    def close(self) -> None:
        """End all idle workers; those at work end with their job."""
        with self._lock:
            self._is_closed = True
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline:
                try:
                    worker = self._idle.get_nowait()
                except queue.Empty:
                    return
                if worker is not None:
                    worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _columns(frame: Frame) -> dict[str, Any]:
    return {**frame.columns, **({"time": frame.time} if frame.time is not None and "time" not in frame.columns else {})}


_KINDS: Final[dict[str, type[DSLError]]] = {
    kind.__name__: kind
    for kind in (
        DSLContainerError, DSLDataError, DSLExecutionError, DSLLookaheadError, DSLMemoryError, DSLParameterError,
        DSLTimeoutError, DSLValidationError, DSLWarmupError,
    )
}  # fmt: skip
"""What a worker may raise."""


def _error(answer: Mapping[str, Any]) -> DSLError:
    found: DSLError = _KINDS.get(str(answer["kind"]), DSLExecutionError)(
        answer["message"], line=answer["line"], column=answer["column"]
    )
    return found


def _in_form(result: Result, frame: Frame, program: Program) -> Result:
    """Give arrays the form of the data."""
    found, lines = result.result, {}
    if isinstance(found, dict):
        lines, found = found, write_table(frame, {name: values.copy() for name, values in found.items()})
    elif found is not None:
        lines, found = {program.outputs[0].name: found}, write_series(frame, found.copy())
    signals = SeriesByName(frame, {name: values for name, values in lines.items() if values.dtype == np.bool_})
    plots = tuple(_plot(row, frame) for row in result.plots)
    return Result(
        result=found, signals=signals, orders=result.orders, plots=plots, alerts=result.alerts, stats=result.stats,
        warnings=(*frame.warnings, *result.warnings), lookahead=result.lookahead, metadata=result.metadata,
    )  # fmt: skip


def _plot(row: PlotRow, frame: Frame) -> PlotRow:
    if getattr(row.values, "size", None) != frame.size:
        return row
    return row._replace(values=write_series(frame, row.values.copy()))
