import socket
import subprocess
import sys

import pytest

from mysingle._kernel.errors import UnavailableError
from mysingle.core import _serve


def test_listener_is_known_as_tcp() -> None:
    """Asyncio switches Nagle's algorithm off only where the socket says that it is TCP."""
    with _serve._listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_foreign_descriptor() -> None:
    """A descriptor that is no socket is one clear error."""
    with pytest.raises(UnavailableError, match="file descriptor 999: Bad file descriptor"):
        _serve._inherit(999)


def test_leave_within_ends_a_process_that_is_stuck() -> None:
    """A thread that never ends does not hold up the end of the process."""
    code = (
        "import threading, time; from mysingle.core import leave_within\n"
        "threading.Thread(target=time.sleep, args=(600,)).start(); leave_within(0.2, 3)"
    )

    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 3
