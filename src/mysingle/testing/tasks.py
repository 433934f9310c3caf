"""Background tasks in a test: a real worker beside it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["running_worker"]

_END_SECONDS = 20.0
_SHOWN = 4_000


@contextmanager
def running_worker(app: str, *, concurrency: int = 1, cwd: Path | None = None) -> Iterator[int]:
    """
    Run a worker as a process with the environment of now, and yield its process id; it ends with the block.

    Tasks may be sent at once: they wait until the worker is there, which takes a second or two.

    Args:
        app: where the Celery app is, such as `app.tasks:celery`.
        concurrency: how many processes of it run tasks.
        cwd: where it starts, when not here.

    Raises:
        RuntimeError: it ended by itself, or badly; the message is the end of what it wrote.
    """
    command = [sys.executable, "-m", "mysingle", "worker", app, "--concurrency", str(concurrency)]
    with tempfile.TemporaryFile("w+") as output:
        worker = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)  # noqa: S603  # our own command
        try:
            yield worker.pid
        finally:
            has_ended = worker.poll() is not None
            code = _end(worker)
        if has_ended or code:
            output.seek(0)
            raise RuntimeError(f"The worker {app} ended with {code}:\n{output.read()[-_SHOWN:]}")


def _end(worker: "subprocess.Popen[bytes]") -> int:
    worker.terminate()
    try:
        return worker.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        return worker.wait()
