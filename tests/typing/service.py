"""A service as its authors write it: checked by mypy in strict mode, never run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, assert_type

from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr

from mysingle.auth import (
    AuthenticatedUser,
    AuthMiddleware,
    get_current_active_superuser,
    get_current_active_verified_user,
    get_current_user_optional,
    get_user_id,
)
from mysingle.core import (
    CommonSettings,
    ServiceConfig,
    ServiceType,
    create_fastapi_app,
    create_service_config,
    current_context,
    get_logger,
)
from mysingle.core.base import BaseTimeDocWithUserId
from mysingle.core.config import get_settings, set_settings, settings
from mysingle.core.errors import ErrorCode, MySingleError, NotFoundError


class OrderSettings(CommonSettings):
    """The settings of this service."""

    ORDER_LIMIT: int = 10
    ORDER_API_KEY: SecretStr | None = None


class Order(BaseTimeDocWithUserId):
    """A document of this service."""

    symbol: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Live inside of the chassis."""
    yield


config = create_service_config(
    service_name="order-service",
    service_type=ServiceType.NON_IAM_SERVICE,
    service_version="1.2.0",
    public_paths=["/prices/*"],
    critical_checks={"exchange": lambda: True},
    lifespan=lifespan,
    drain_delay_seconds=5,
)
assert_type(config, ServiceConfig)
assert_type(config.enable_audit_logging, bool | None)

app = create_fastapi_app(service_config=config, document_models=[Order])
assert_type(app, FastAPI)
assert_type(create_fastapi_app(config=config), FastAPI)

Caller = Annotated[AuthenticatedUser, Depends(get_current_active_verified_user)]


@app.get("/orders/{order_id}")
async def read_order(order_id: str, user: Caller) -> str:
    """Use the caller as a dependency."""
    assert_type(user.email, str | None)
    assert_type(user.roles, frozenset[str])
    if not user.has_role("trader"):
        raise NotFoundError("No such order.", reason="ORDER_UNKNOWN")
    return order_id


@app.get("/whoami")
async def whoami(request: Request) -> str:
    """Ask for the caller by function."""
    assert_type(get_current_user_optional(request), AuthenticatedUser | None)
    assert_type(get_current_active_superuser(request), AuthenticatedUser)
    assert_type(get_user_id(request), str)
    assert_type(current_context().correlation_id, str | None)
    get_logger(__name__).info("order.seen", user=get_user_id(request))
    raise MySingleError("Later.", code=ErrorCode.UNAVAILABLE, retry_after_seconds=3)


set_settings(OrderSettings(ORDER_LIMIT=20))
assert_type(settings.REDIS_DB_USER, int)
assert_type(settings.redis_url, str)
assert_type(get_settings(), CommonSettings)

app.add_middleware(AuthMiddleware, settings=get_settings(), public_paths=["/open"])

create_service_config(5)  # type: ignore[arg-type]  # a name is text
create_fastapi_app(config, document_models=[int])  # type: ignore[list-item]  # a model is a document
config.service_name = "other"  # type: ignore[misc]  # a configuration is frozen
