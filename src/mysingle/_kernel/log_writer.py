"""The thread between the log and the disk: callers hand over bytes and never wait."""

import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import BinaryIO, ClassVar

from mysingle._kernel.metrics import process_metrics

__all__ = ["LogWriter"]

MAX_QUEUED_RECORDS = 20_000
_GATHER_SECONDS = 0.1  # every wake-up of the thread takes the GIL from the event loop: ten a second are enough
_MAX_BATCH = 5_000


class _Process:
    """Which process this is; a forked child is another one. Cheaper to compare than a pid, which is a system call."""

    generation: ClassVar[object] = object()
    _is_watching: ClassVar[bool] = False

    @classmethod
    def watch(cls) -> object:
        if not cls._is_watching:
            cls._is_watching = True
            os.register_at_fork(after_in_child=cls._renew)
        return cls.generation

    @classmethod
    def _renew(cls) -> None:
        cls.generation = object()


class LogWriter:
    """
    Writes records to a stream in batches, from one background thread.

    `write` never blocks: when the queue is full, the record is dropped and counted in `mysingle_log_dropped_total`.
    A stream that fails (a full disk, a closed pipe) drops its records in the same way. The owner calls `close`.
    """

    def __init__(self, stream: BinaryIO, max_records: int = MAX_QUEUED_RECORDS, *, owns_stream: bool = False) -> None:
        self._stream = stream
        self._owns_stream = owns_stream
        self._max_records = max_records
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._start_lock = threading.Lock()
        self._generation: object = None
        self._closed = False

    def write(self, record: bytes) -> None:
        """Hand over one line, with its line break."""
        if self._generation is not _Process.generation:
            self._start()
        if self._queue.qsize() >= self._max_records:
            process_metrics().log_dropped.inc()
            return
        self._queue.put(record)

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until everything handed over so far is written; False when that took too long."""
        if self._generation is not _Process.generation:
            return True
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_seconds)

    def close(self) -> None:
        """Write what is left and end the thread. A stream that is not owned stays open: it may be stdout."""
        self.flush()
        self._closed = True
        if self._generation is _Process.generation:
            self._queue.put(threading.Event())
        elif self._owns_stream:
            self._stream.close()

    def _start(self) -> None:
        """Start the thread; again in a forked child, where the parent's does not run and its records are its own."""
        with self._start_lock:
            if self._generation is not _Process.generation:
                self._queue = SimpleQueue()
                self._generation = _Process.watch()
                threading.Thread(target=self._run, name="mysingle-log", daemon=True).start()

    def _run(self) -> None:
        while not self._closed:
            first = self._queue.get()
            if not isinstance(first, threading.Event):
                time.sleep(_GATHER_SECONDS)
            self._write_batch(first)
        if self._owns_stream:
            self._stream.close()

    def _write_batch(self, first: bytes | threading.Event) -> None:
        batch = [first]
        while len(batch) < _MAX_BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        self._write_lines([item for item in batch if isinstance(item, bytes)])
        for item in batch:
            if isinstance(item, threading.Event):
                item.set()

    def _write_lines(self, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
        except Exception:  # whatever the stream does, the thread lives on
            process_metrics().log_dropped.inc(len(lines))
