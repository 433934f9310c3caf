"""
Look for what breaks the language: `python -m benchmarks.dsl_fuzz source|container|structure [--seconds N] [--seed N]`.

The seeds are the programs of `tests/cases/dsl`. `source` changes programs token by token, compiles what comes out and
runs what compiles; with atheris installed and `--atheris` the coverage of the package steers the changes. `container`
changes bytes of a container, `structure` decoded values. A finding is an exception that is no DSLError, a value that
differs between a run, a repeated run, a run over fewer bars and a stream, an infinite number, or a compile of more than
`SLOW_SECONDS`: it is printed with its input, and the exit code is 1.
"""

import argparse
import importlib
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from benchmarks.dsl_mutations import changed_bytes, changed_source, changed_structure
from mysingle.dsl.engine.replay import replay
from mysingle.dsl.engine.run import Runner, RunOptions
from mysingle.dsl.errors import DSLContainerError, DSLError
from mysingle.dsl.ir.codec import decode, encode
from mysingle.dsl.ir.signing import Keyring
from mysingle.dsl.lang.lower import compile_source
from mysingle.dsl.limits import TIERS

SEEDS = Path(__file__).parents[1] / "tests" / "cases" / "dsl"
BARS = 60
SLOW_SECONDS = 1.0
RING = Keyring()


def main(arguments: list[str]) -> int:
    reader = argparse.ArgumentParser(prog="python -m benchmarks.dsl_fuzz", description=__doc__)
    reader.add_argument("target", choices=("source", "container", "structure"))
    reader.add_argument("--seconds", type=float, default=600.0)
    reader.add_argument("--count", type=int, default=sys.maxsize)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--atheris", action="store_true")
    chosen = reader.parse_args(arguments)
    session = Session(random.Random(chosen.seed))
    if chosen.atheris:
        return _with_coverage(session, chosen.seconds, chosen.seed)
    step = {"source": session.source, "container": session.container, "structure": session.structure}[chosen.target]
    end = time.monotonic() + chosen.seconds
    while session.counted["executions"] < chosen.count and time.monotonic() < end:
        step()
    return session.report(chosen.target, chosen.seed)


class Session:
    """What has been tried and what was found."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.counted: Counter[str] = Counter()
        self.findings: list[str] = []
        self._places: set[tuple[Any, ...]] = set()
        self.seeds = [text for path in sorted(SEEDS.glob("*.dsl")) for text in _programs(path)]
        self.containers = list(_containers(self.seeds))
        self.bars = _bars()

    def report(self, target: str, seed: int) -> int:
        """Print the figures; give the exit code."""
        figures = ", ".join(f"{count} {name}" for name, count in sorted(self.counted.items()))
        print(f"{target}, seed {seed}: {figures}, {len(self.findings)} findings")
        for finding in self.findings[:20]:
            print(finding)
        return 1 if self.findings else 0

    def source(self) -> None:
        """Compile and run one changed program."""
        self.check_source(changed_source(self.chance.choice(self.seeds), self.seeds, self.chance))

    def check_source(self, text: str) -> None:
        """Compile and run a program; keep what is wrong with it."""
        self._guarded(lambda: self._compiled(text), text)

    def container(self) -> None:
        """Decode one container with changed bytes."""
        data = changed_bytes(self.chance.choice(self.containers), self.chance)
        self._guarded(lambda: self._decoded(data), data.hex())

    def structure(self) -> None:
        """Decode one container in which a value stands in the place of another."""
        data = changed_structure(self.chance.choice(self.containers), self.chance)
        self._guarded(lambda: self._decoded(data), data.hex())

    def _guarded(self, work: Callable[[], str], what: str) -> None:
        self.counted["executions"] += 1
        begin = time.thread_time()
        try:
            self.counted[work()] += 1
        except Exception as error:  # this is what the tool looks for
            self._keep(f"{type(error).__name__}: {error}"[:200], traceback.extract_tb(error.__traceback__)[-1], what)
        if time.thread_time() - begin > SLOW_SECONDS:
            self._keep(f"{time.thread_time() - begin:.1f} s", None, what)

    def _keep(self, title: str, frame: traceback.FrameSummary | None, what: str) -> None:
        """Keep one finding for each place of the code."""
        place = (frame.filename, frame.lineno, title[:40]) if frame else ("slow", len(what) // 1000, "")
        if place in self._places:
            return
        self._places.add(place)
        self.findings.append(f"--- {title}\n{place}\n{what}")
        print(self.findings[-1], flush=True)

    def _compiled(self, text: str) -> str:
        try:
            program = compile_source(text, mode=self.chance.choice(("strict", "research"))).program
        except DSLError:
            return "refused"
        data = encode(program, RING)
        _demand(decode(data, RING) == program, "a container gives another program")
        self._run(Runner(program))
        return "compiled"

    def _decoded(self, data: bytes) -> str:
        try:
            program = decode(data, RING)
        except DSLContainerError as error:
            _demand(error.__cause__ is None or _is_packing(error.__cause__), repr(error.__cause__))
            return "refused"
        _demand(encode(program, RING) == data, "two containers of one program")
        self._run(Runner(program))
        return "accepted"

    def _run(self, runner: Runner) -> None:
        params = {
            spec.name: {"int": 5, "float": 1.5, "bool": True, "str": "a"}[spec.kind.value]
            for spec in runner.program.params
            if spec.required
        }
        options = RunOptions(warmup="off", tier=TIERS["in_process"])
        try:
            first, again = (runner.run(self.bars, params, options).result for _ in range(2))
        except DSLError as error:
            _demand("nternal" not in str(error), str(error))
            return
        self.counted["ran"] += 1
        _demand(_bits(first) == _bits(again), "two runs differ")
        finite = not any(np.isinf(line).any() for line in _lines(first) if line.dtype != bool)
        _demand(finite, "a value is infinite")
        if not runner.is_lookahead:
            _demand(not replay(runner, self.bars, params, options, 3, self.counted["ran"]), "more bars change a value")
        self._stream(runner, params, options, first)

    def _stream(self, runner: Runner, params: dict[str, Any], options: RunOptions, whole: Any) -> None:
        try:
            stream = runner.stream(params, options)
            rows = zip(*(values.tolist() for values in self.bars.values()), strict=True)
            ticks = [stream.update(dict(zip(self.bars, row, strict=True))).values for row in rows]
        except DSLError as error:
            _demand("nternal" not in str(error), str(error))
            return
        self.counted["streamed"] += 1
        names = [output.name for output in runner.program.outputs]
        for name, line in zip(names, _lines(whole), strict=True):
            other = np.array([tick[name] for tick in ticks], dtype=line.dtype)
            _demand(np.array_equal(line, other, equal_nan=line.dtype != bool), f"{name}: run and stream differ")


def _demand(is_so: bool, message: str) -> None:
    if not is_so:
        raise AssertionError(message)


def _is_packing(cause: BaseException) -> bool:
    """Say whether msgpack itself refused the bytes; anything else is a hole of the verifier that was covered."""
    return isinstance(cause, ValueError) or type(cause).__module__.startswith("msgpack")


def _lines(result: Any) -> list[Any]:
    if result is None:
        return []
    return list(result.values()) if isinstance(result, dict) else [result]


def _bits(result: Any) -> list[bytes]:
    return [line.tobytes() for line in _lines(result)]


def _bars() -> dict[str, Any]:
    chance = np.random.default_rng(3)
    close = np.round(100 * np.exp(np.cumsum(chance.normal(0, 0.02, BARS))), 2)
    close[7] = np.nan
    spread = abs(chance.normal(0, 0.5, BARS))
    return {
        "open": close + 0.25, "high": close + spread, "low": close - spread, "close": close,
        "volume": np.round(chance.uniform(0, 1e4, BARS)) * (np.arange(BARS) % 9 > 0),
        "time": 1_700_000_000_000.0 + 3_600_000 * np.delete(np.arange(BARS + 5), (3, 4, 20, 41, 50)),
    }  # fmt: skip


def _programs(path: Path) -> list[str]:
    parts = re.split(r"^---.*\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [part for part in parts if part.strip()]


def _containers(seeds: list[str]) -> Iterator[bytes]:
    for text in seeds:
        try:
            yield encode(compile_source(text, mode="research").program, RING)
        except DSLError:
            continue


def _with_coverage(session: Session, seconds: float, seed: int) -> int:
    """Let atheris choose the changes by the coverage of the package."""
    atheris = importlib.import_module("atheris")

    end = time.monotonic() + seconds

    def once(data: bytes) -> None:
        session.check_source(data.decode("utf-8", "replace"))
        if time.monotonic() > end:
            code = session.report("source with coverage", seed)
            sys.stdout.flush()
            os._exit(code)  # libFuzzer has no other way to end with a code of ours

    def change(data: bytes, room: int, number: int) -> bytes:
        text = changed_source(data.decode("utf-8", "replace"), session.seeds, random.Random(number))
        return text.encode("utf-8", "replace")[:room]

    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(session.seeds):
            (Path(folder) / f"seed{number}").write_text(text, encoding="utf-8")
        options = [f"-seed={seed}", "-max_len=8192", "-timeout=20"]
        atheris.Setup([sys.argv[0], folder, *options], once, custom_mutator=change)
        for name, module in list(sys.modules.items()):
            if name.startswith("mysingle.dsl."):
                _instrument(atheris, module)
        atheris.Fuzz()
    return 1


def _instrument(atheris: Any, module: Any) -> None:
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            value.__code__ = atheris.instrument_func(value).__code__
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for method in vars(value).values():
                if isinstance(method, FunctionType):
                    method.__code__ = atheris.instrument_func(method).__code__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
