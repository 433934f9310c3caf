import asyncio

import httpx

from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.config import CommonSettings, set_settings


def test_limit_works_in_every_event_loop() -> None:
    """An app that lives in a second event loop has its time limit there too."""
    set_settings(CommonSettings(_env_file=None, ENVIRONMENT="testing", HTTP_REQUEST_TIMEOUT_SECONDS=0.1))
    app = create_fastapi_app(create_service_config("my-service", public_paths=["/slow"]))

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/slow")).status_code

    assert [asyncio.run(call()) for _ in range(2)] == [504, 504]
