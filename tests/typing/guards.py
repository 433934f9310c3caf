"""Guards and backends as authors write them: checked by mypy in strict mode, never run."""

from collections.abc import Mapping
from typing import Annotated, Any, assert_type

from fastapi import APIRouter, Depends, FastAPI, Request

from mysingle.auth import (
    AuthenticatedUser,
    AuthMiddleware,
    IdentityBackend,
    Permissions,
    RevocationCheck,
    get_kong_user_id,
    is_kong_authenticated,
    require_owner,
    require_permissions,
    require_roles,
    verified_only,
)
from mysingle.core import create_service_config
from mysingle.core.config import get_settings

PERMISSIONS = Permissions({"trader": ["orders:read", "orders:write"], "auditor": ["orders:read"]})
router = APIRouter(dependencies=[Depends(verified_only)])


@router.get("/orders/{order_id}")
@require_roles("trader", "auditor")
async def read(order_id: str) -> int:
    return len(order_id)


@router.get("/users/{user_id}/notes")
@require_owner("user_id", or_superuser=True)
def notes(user_id: str) -> list[str]:
    return [user_id]


async def write(
    user: Annotated[AuthenticatedUser, Depends(require_permissions("orders:write", granted=PERMISSIONS))],
) -> str:
    return user.id


async def by_hand(request: Request) -> None:
    assert_type(await require_roles("trader")(request), AuthenticatedUser)
    assert_type(await read("1"), int)
    assert_type(notes("1"), list[str])
    assert_type(is_kong_authenticated(request), bool)
    assert_type(get_kong_user_id(request), str | None)


require_roles(5)  # type: ignore[arg-type]  # a role is text
require_permissions("orders:read")  # type: ignore[call-arg]  # somebody has to grant it


class Store:
    """A store of ended sessions."""

    async def is_revoked(self, session_id: str) -> bool:
        return False


class Cookies:
    """A backend of one's own."""

    async def identify(self, scope: Any, headers: Mapping[bytes, bytes]) -> AuthenticatedUser | None:
        return None


store: RevocationCheck = Store()
backend: IdentityBackend = Cookies()
AuthMiddleware(FastAPI(), settings=get_settings(), revocation=store, backend=backend)
AuthMiddleware(FastAPI(), service_config=create_service_config("my-service"))
AuthMiddleware(FastAPI(), create_service_config("my-service"), settings=get_settings())
AuthMiddleware(FastAPI(), service_config="my-service")  # type: ignore[arg-type]  # a name is no configuration
