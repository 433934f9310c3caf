"""Many users at once on one real server."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

SOURCE = """
    import asyncio
    from fastapi import Request
    from mysingle.auth import get_current_user
    from mysingle.core import create_fastapi_app, create_service_config, current_context, get_logger

    app = create_fastapi_app(create_service_config("crowded"))
    log = get_logger("crowded")

    def seen(request):
        context = current_context()
        log.info("work.done", marker=context.correlation_id)
        return [context.correlation_id, context.user_id, get_current_user(request).id]

    @app.get("/async")
    async def on_loop(request: Request) -> list[list[str]]:
        before = seen(request)
        await asyncio.sleep(0.001)
        return [before, seen(request)]

    @app.get("/sync")
    def in_thread(request: Request) -> list[list[str]]:
        return [seen(request)]
"""
USERS = 50
TURNS = 10


async def test_no_cross_talk_over_sockets(start: Callable[..., Any]) -> None:
    """500 requests of 50 concurrent users over shared connections each see and log their own ids only."""
    service = await asyncio.to_thread(lambda: start(SOURCE).wait_ready())
    wrong: list[Any] = []

    async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False) as client:

        async def one_user(number: int) -> None:
            user = f"{number:024x}"
            for turn in range(TURNS):
                ids = {"X-User-Id": user, "Correlation-Id": f"{number}.{turn}"}
                answer = await client.get("/sync" if turn % 4 == 0 else "/async", headers=ids)
                if any(seen != [f"{number}.{turn}", user, user] for seen in answer.json()):
                    wrong.append((ids, answer.json()))

        await asyncio.gather(*(one_user(number) for number in range(1, USERS + 1)))
    service.signal()
    await asyncio.to_thread(service.wait)

    lines = [record for record in service.logged() if record["body"] in ("work.done", "http.request")]
    lines = [record for record in lines if "user_id" in record]
    assert not wrong
    assert len([record for record in lines if record["body"] == "http.request"]) == USERS * TURNS
    assert not [line for line in lines if int(line["correlation_id"].split(".")[0]) != int(line["user_id"], 16)]
    assert not [line for line in lines if line.get("marker", line["correlation_id"]) != line["correlation_id"]]
