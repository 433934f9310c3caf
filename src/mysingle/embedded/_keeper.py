"""
Stand between a service and one server, so that the server ends when the service does, however that happens.

Run as `python -I -S _keeper.py OWNER LOCK TEMPORARY COMMAND...` by `_process.py`, with only the standard library.

- OWNER is the service's process id.
- LOCK is a descriptor that the server keeps open as long as it lives, or empty.
- TEMPORARY is a directory to remove once the owner cannot do it any more, or empty. Its data are worth no grace.
- Standard output gets the server's process id, one line. The exit status is the server's.
- Standard input is the line to the owner: `t` ends the server gently, `k` at once, `a` asks it to end and gives it the
  time that the owner takes until it says `k`. End of file means the owner is gone.
"""

import contextlib
import ctypes
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

GRACE_SECONDS = 3.0
OWNER_POLL_SECONDS = 1.0
TERMINATE, KILL, ASK, OWNER_GONE, SERVER_GONE = b"t", b"k", b"a", b"", b"-"
PR_SET_PDEATHSIG = 1


def main(owner: str, lock: str, temporary: str, *command: str) -> int:
    """Run the command until it ends, the owner orders its end, or the owner is gone."""
    wake = _wake_on_signals()
    server = subprocess.Popen(  # noqa: S603 - the command comes from our own parent
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,
        pass_fds=(int(lock),) if lock else (),
        preexec_fn=_die_with_keeper(os.getpid()) if sys.platform == "linux" else None,
    )
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), b"%d\n" % server.pid)
    order = _await_order(server, int(owner), wake)
    _end(server, at_once=order == KILL or (order == OWNER_GONE and bool(temporary)))
    if order == OWNER_GONE and temporary:
        shutil.rmtree(temporary, ignore_errors=True)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _wake_on_signals() -> socket.socket:
    """Return a socket that gets the number of every signal that concerns us; Ctrl-C does not."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    writer_descriptor = writer.detach()
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(writer_descriptor)
    return reader


def _die_with_keeper(keeper: int) -> Callable[[], None]:
    """Have the kernel (Linux) kill the server when the keeper itself is killed and can do nothing."""
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)

    return bind


def _await_order(server: subprocess.Popen[bytes], owner: int, wake: socket.socket) -> bytes:
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while server.poll() is None:
            ready = {key.fileobj for key, _ in selector.select(OWNER_POLL_SECONDS)}
            if sys.stdin in ready and (order := os.read(sys.stdin.fileno(), 1)) != ASK:
                return order
            if sys.stdin in ready:
                _signal_group(server, signal.SIGTERM)
            if wake in ready and signal.SIGTERM in wake.recv(64):
                return TERMINATE
            # A fork of the owner may hold the other end of the pipe open, so end of file is not the only sign.
            if os.getppid() != owner:
                return OWNER_GONE
    return SERVER_GONE


def _end(server: subprocess.Popen[bytes], *, at_once: bool) -> None:
    if not at_once:
        _signal_group(server, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE_SECONDS)
    _signal_group(server, signal.SIGKILL)
    server.wait()


def _signal_group(server: subprocess.Popen[bytes], number: int) -> None:
    # The group may be empty already, or (macOS) hold nothing but a zombie.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
