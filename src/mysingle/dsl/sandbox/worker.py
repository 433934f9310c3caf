"""A worker: imports what it needs, gives up its rights, and runs verified programs until its pipe ends."""

import mmap
import os
import sys
from collections import OrderedDict
from typing import Any, BinaryIO, Final

import numpy as np

from mysingle.dsl.engine.broker import BrokerSettings
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.errors import DSLError, DSLExecutionError
from mysingle.dsl.ir.codec import decode
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.kernels.talib_kernels import call_talib, has_talib
from mysingle.dsl.limits import ResourceLimits, Tier
from mysingle.dsl.sandbox.frames import ARENA_BYTES, pack_result, read_message, write_message
from mysingle.dsl.sandbox.jail import lock_down

__all__ = ["main"]

_PROGRAMS: Final = 32


class _Worker:
    """Reads jobs from one pipe and answers on another; columns lie in memory that the parent fills."""

    def __init__(self, jobs: BinaryIO, answers: BinaryIO, arena: mmap.mmap) -> None:
        self._jobs, self._answers, self._arena = jobs, answers, arena
        self._runners: OrderedDict[bytes, Runner] = OrderedDict()

    def serve(self) -> None:
        """Answer until the parent closes the pipe."""
        while True:
            try:
                job = read_message(self._jobs)
            except EOFError:
                return
            write_message(self._answers, self._answer(job))

    def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": True, **pack_result(self._run(job))}
        except DSLError as error:
            return _failure(type(error).__name__, error)
        except Exception:  # the edge of the process: nothing of ours may end it, or tell of it
            return _failure("DSLExecutionError", DSLExecutionError("Internal error of the strategy language"))

    def _run(self, job: dict[str, Any]) -> Any:
        options = RunOptions(
            warmup=job["warmup"],
            broker=_broker(job["broker"]),
            tier=_tier(*job["tier"]),
            limits=job["limits"] and ResourceLimits(**job["limits"]),
            meta=job["meta"],
            is_lenient=job["is_lenient"],
        )
        return self._runner(job["program"]).run(self._columns(job), job["params"], options)

    def _runner(self, container: bytes) -> Runner:
        if container not in self._runners:
            # From outside the process: verified, whoever sent it.
            self._runners[container] = Runner(decode(container, Keyring()))
            if len(self._runners) > _PROGRAMS:
                self._runners.popitem(last=False)
        self._runners.move_to_end(container)
        return self._runners[container]

    def _columns(self, job: dict[str, Any]) -> dict[str, Any]:
        size, names = int(job["bars"]), list(job["columns"])
        if not names or not size:
            return {name: np.empty(0) for name in names}
        return {
            name: np.frombuffer(self._arena, dtype=np.float64, count=size, offset=at * size * 8)
            for at, name in enumerate(names)
        }


def _tier(gas: int, memory_bytes: int) -> Tier:
    return Tier(gas=gas, memory_bytes=memory_bytes)


def _broker(settings: Any) -> Any:
    return BrokerSettings(**settings["settings"]) if isinstance(settings, dict) and "settings" in settings else settings


def _failure(kind: str, error: DSLError) -> dict[str, Any]:
    return {"ok": False, "kind": kind, "message": error.message, "line": error.line, "column": error.column}


def _warm_up() -> None:
    # Libraries load parts of themselves on first use; afterwards no file can be opened.
    if has_talib():
        for name in ("SMA", "RSI"):
            call_talib(name, [np.linspace(1.0, 2.0, 50)], (3,))
    np.array([1.0, np.nan]).tolist()
    str(np.float64(1.5))


def main(arguments: list[str]) -> None:
    """Run the worker; arguments: descriptors of jobs, answers and arena, bytes of memory, seconds of CPU."""
    jobs, answers, arena, memory, seconds = (int(text) for text in arguments)
    _warm_up()
    columns = mmap.mmap(arena, ARENA_BYTES, mmap.MAP_SHARED, mmap.PROT_READ)
    os.close(arena)
    report = lock_down(memory, seconds)
    with os.fdopen(jobs, "rb") as reader, os.fdopen(answers, "wb") as writer:
        write_message(writer, {"ok": True, "jail": list(report)})
        _Worker(reader, writer, columns).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
