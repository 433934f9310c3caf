"""A sound service for the attacks: routes of every kind, a public part, a WebSocket."""

from typing import Any

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mysingle.core import create_fastapi_app, create_service_config

config = create_service_config("attacked-service", enable_database=False, public_paths=["/news/*", "/terms"])
app: FastAPI = create_fastapi_app(config)
router = APIRouter(prefix="/orders")


@app.get("/news/{number}")
async def news(number: int) -> int:
    return number


@app.get("/terms")
async def terms() -> str:
    return "none"


@router.get("/{order_id}")
async def order(order_id: str) -> str:
    return order_id


@router.get("")
@router.post("")
@router.delete("")
async def orders() -> list[str]:
    raise AssertionError("no attack gets this far, and no control either")


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    raise AssertionError("no attack gets this far, and no control either")


async def page(request: Any) -> PlainTextResponse:
    return PlainTextResponse("a page")


app.include_router(router, prefix="/api")
app.mount("/files", FastAPI(routes=[Mount("/inner", routes=[Route("/page", page)])]))
