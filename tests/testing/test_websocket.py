from typing import Any

import pytest

from mysingle.testing import ALICE, WebSocketRefusedError, as_user, running, websocket


async def test_conversation(make_app: Any) -> None:
    """A WebSocket of the app is talked to as somebody, until the app closes it."""
    app = make_app()
    async with running(app), websocket(app, "/echo", auth=as_user()) as socket:
        assert socket.subprotocol == "echo"
        assert await socket.receive_json() == {"id": ALICE}
        await socket.send_text("hello")
        assert await socket.receive_text() == "hello!"
        await socket.send_json([1])
        assert await socket.receive_text() == "[1]!"
        await socket.send_text("end")
        with pytest.raises(WebSocketRefusedError) as closed:
            await socket.receive_text()

    assert (closed.value.code, closed.value.reason) == (4000, "as you wish")


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        ("/echo", {}, "AUTH_REQUIRED"),
        ("/echo", {"auth": as_user(is_active=False)}, "USER_INACTIVE"),
        ("/echo?access_token=x", {"headers": {"Origin": "http://test"}}, "AUTH_REQUIRED"),
    ],
)
async def test_refused(make_app: Any, path: str, options: dict[str, Any], reason: str) -> None:
    """A handshake that is refused raises, and says why."""
    app = make_app()
    async with running(app):
        with pytest.raises(WebSocketRefusedError) as refused:
            async with websocket(app, path, **options):
                pytest.fail("it was accepted")

    assert (refused.value.code, refused.value.reason) == (1008, reason)


async def test_client_leaves(make_app: Any) -> None:
    """A client may leave at any time, and the app ends."""
    app = make_app()
    async with running(app), websocket(app, "/echo", auth=as_user()):
        pass
