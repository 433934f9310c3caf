"""Services to test the testing kit with, and the servers that they need."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from fastapi import FastAPI, Request, WebSocket

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.auth import get_current_active_verified_user
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.logging import setup_logging
from mysingle.database import reset_redis_manager
from mysingle.embedded import EmbeddedStack

MakeApp: TypeAlias = Callable[..., FastAPI]

KEY = "a-gateway-key-of-this-test-suite-only"


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    with EmbeddedStack(None, environ={}) as servers:
        yield servers


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Give a function that makes a service under some settings, which become the process's own."""

    def make(service_name: str = "my-service", **settings: Any) -> FastAPI:
        set_settings(
            CommonSettings(**{"_env_file": None, "ENVIRONMENT": "testing", "LOG_LEVEL": "CRITICAL", **settings})
        )
        app = create_fastapi_app(create_service_config(service_name, enable_database=False))
        app.add_api_route("/me", _me)
        app.add_api_route("/me", _me, methods=["POST"])
        app.add_api_route("/fails", _fail)
        app.add_api_websocket_route("/echo", _echo)
        return app

    yield make
    reset_redis_manager()
    reset_settings()
    setup_logging("tests", "CRITICAL")


@pytest.fixture
def make_proven_app(make_app: MakeApp) -> MakeApp:
    """Give a function that makes a service which wants the signature of the gateway."""

    def make(**settings: Any) -> FastAPI:
        return make_app(**{"ENVIRONMENT": "production", "GATEWAY_HMAC_KEYS": KEY, **settings})

    return make


async def _me(request: Request) -> dict[str, Any]:
    user = get_current_active_verified_user(request)
    return {
        "id": user.id,
        "email": user.email,
        "is_superuser": user.is_superuser,
        "roles": sorted(user.roles),
        "session": user.session_id,
        "proof": request.state.auth.proof,
    }


async def _fail() -> None:
    raise RuntimeError("this handler is broken")


async def _echo(socket: WebSocket) -> None:
    await socket.accept(subprotocol="echo")
    await socket.send_json({"id": socket.state.user.id})
    while (text := await socket.receive_text()) != "end":
        await socket.send_text(f"{text}!")
    await socket.close(4000, "as you wish")
