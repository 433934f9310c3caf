import socket

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
