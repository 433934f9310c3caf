"""The two apps that are compared: the same route, bare and with everything."""

from fastapi import FastAPI

from mysingle.core import create_fastapi_app, create_service_config


def _add_route(app: FastAPI) -> FastAPI:
    @app.get("/items/{number}")
    async def read_item(number: int) -> dict[str, object]:
        return {"number": number, "name": "an item"}

    return app


def bare() -> FastAPI:
    return _add_route(FastAPI())


def ours() -> FastAPI:
    return _add_route(create_fastapi_app(create_service_config("benchmark-service")))


def ours_with_a_hanging_dependency() -> FastAPI:
    async def hang() -> None:
        import asyncio

        await asyncio.sleep(3600)

    return _add_route(create_fastapi_app(create_service_config("benchmark-service", critical_checks={"hanging": hang})))
