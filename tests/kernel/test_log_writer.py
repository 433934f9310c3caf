import io
import os
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from mysingle._kernel.log_writer import LogWriter
from mysingle._kernel.metrics import process_metrics


class Script(Protocol):
    def __call__(self, source: str, **variables: str) -> Any: ...


def dropped() -> float:
    return process_metrics().registry.get_sample_value("mysingle_log_dropped_total") or 0


class HangingStream(io.BytesIO):
    """Hangs in its first write until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released, self.entered = threading.Event(), threading.Event()

    def write(self, data: Any) -> int:
        self.entered.set()
        self.released.wait(10)
        return super().write(data)


class FailingStream(io.BytesIO):
    """Fails to write until it is repaired."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def write(self, data: Any) -> int:
        if self.error is not None:
            raise self.error
        return super().write(data)


@pytest.fixture
def hanging() -> Iterator[HangingStream]:
    stream = HangingStream()
    yield stream
    stream.released.set()


def test_lines_in_order() -> None:
    """Lines come out whole and in the order in which they went in, over many batches."""
    stream = io.BytesIO()
    writer = LogWriter(stream)
    expected = [f"{number}\n".encode() for number in range(12_000)]
    for line in expected:
        writer.write(line)

    assert writer.flush(10)
    assert expected == stream.getvalue().splitlines(keepends=True)
    writer.close()


def test_order_of_each_thread() -> None:
    """With many threads, each one's lines keep their order, and none is torn or lost."""
    stream = io.BytesIO()
    writer = LogWriter(stream)

    def work(name: int) -> None:
        for number in range(500):
            writer.write(f"{name} {number}\n".encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush(10)
    seen: dict[bytes, list[int]] = {}
    for line in stream.getvalue().splitlines():
        name, number = line.split()
        seen.setdefault(name, []).append(int(number))

    assert [list(range(500))] * 8 == list(seen.values())
    writer.close()


def test_never_blocks(hanging: HangingStream) -> None:
    """While the stream hangs, writing goes on; what does not fit is dropped, counted, and the rest comes later."""
    writer = LogWriter(hanging, max_records=100)
    before = dropped()
    writer.write(b"first\n")
    assert hanging.entered.wait(5)
    for number in range(250):
        writer.write(f"{number}\n".encode())
    lost = dropped() - before
    flushed = writer.flush(0.02)
    hanging.released.set()
    writer.flush(10)

    assert lost == 150
    assert not flushed
    assert [b"first", *(str(number).encode() for number in range(100))] == hanging.getvalue().splitlines()
    writer.close()


def test_pipe_that_nobody_reads() -> None:
    """A full pipe holds up nobody but the writer's own thread."""
    reader, end = os.pipe()
    stream = os.fdopen(end, "wb")
    writer = LogWriter(stream, max_records=50)
    before = dropped()
    for _ in range(1000):
        writer.write(b"x" * 4096 + b"\n")

    assert dropped() - before > 0
    assert not writer.flush(0.02)
    os.set_blocking(reader, True)
    drain = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reader, 1 << 20), b"")])
    drain.start()
    assert writer.flush(10)
    writer.close()
    stream.close()
    drain.join()
    os.close(reader)


FAILURES = [
    OSError(28, "No space left on device"),
    BrokenPipeError(),
    ValueError("closed file"),
    TypeError("odd stream"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_survives_a_failing_stream(error: Exception) -> None:
    """Lines that cannot be written are dropped and counted; when the stream works again, so does the writer."""
    stream = FailingStream(error)
    writer = LogWriter(stream)
    before = dropped()
    for _ in range(3):
        writer.write(b"lost\n")
    flushed = writer.flush(1)
    lost = dropped() - before
    stream.error = None
    writer.write(b"kept\n")
    writer.flush(1)

    assert (flushed, lost) == (True, 3)
    assert stream.getvalue() == b"kept\n"
    writer.close()


def test_close_writes_what_is_left_and_ends_the_thread() -> None:
    """After `close` every line is written, the thread ends, and the stream is still open."""
    stream = io.BytesIO()
    writer = LogWriter(stream)
    threads = set(threading.enumerate())
    writer.write(b"last\n")
    (thread,) = set(threading.enumerate()) - threads
    writer.close()
    thread.join(5)

    assert not thread.is_alive()
    assert stream.getvalue() == b"last\n"


def test_unused_writer() -> None:
    """A writer to which nobody has written has no thread, and nothing to wait for."""
    threads = threading.active_count()
    writer = LogWriter(io.BytesIO())

    assert writer.flush(0.1)
    assert threads == threading.active_count()


FORK = """
import os, sys
from mysingle._kernel.logging import setup_logging, get_logger, flush_logs
setup_logging("svc")
log = get_logger()
log.info("before.flushed")
flush_logs()
log.info("parent.pending")
pid = os.fork()
log.info("child.line" if pid == 0 else "parent.line")
flush_logs()
if pid == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_fork(script: Script) -> None:
    """A forked child writes its own lines, once, and never its parent's."""
    result = script(FORK)
    events = [line.split('"body":"')[1].split('"')[0] for line in result.stdout.splitlines()]

    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(events) == ["before.flushed", "child.line", "parent.line", "parent.pending"]


def test_exit_loses_nothing(script: Script) -> None:
    """The lines before the end of the process are written."""
    source = "from mysingle._kernel.logging import *\nsetup_logging('s')\nfor i in range(500): get_logger().info('e.e')"

    assert len(script(source).stdout.splitlines()) == 500
