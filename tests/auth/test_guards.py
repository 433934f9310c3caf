import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from starlette.responses import JSONResponse

from mysingle import auth
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError, PermissionDeniedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.problems import to_problem
from mysingle.auth import (
    Guard,
    Permissions,
    admin_only,
    authenticated,
    require_owner,
    require_permissions,
    require_roles,
    resource_owner_required,
    verified_only,
)

ALICE, BOB = "a" * 24, "b" * 24
PERMISSIONS = Permissions({"trader": ["orders:read", "orders:write"], "auditor": {"orders:read"}, "guest": ()})
CALLERS = {
    "nobody": None,
    "plain": AuthenticatedUser(id=ALICE, is_verified=True),
    "inactive": AuthenticatedUser(id=ALICE, is_active=False, is_superuser=True, roles=frozenset({"trader", "auditor"})),
    "unverified": AuthenticatedUser(id=ALICE),
    "trader": AuthenticatedUser(id=ALICE, is_verified=True, roles=frozenset({"trader"})),
    "auditor": AuthenticatedUser(id=ALICE, is_verified=True, roles=frozenset({"auditor"})),
    "stranger": AuthenticatedUser(id=BOB, is_verified=True, roles=frozenset({"other"})),
    "superuser": AuthenticatedUser(id=BOB, is_verified=True, is_superuser=True),
}
REQUIRED, FORBIDDEN = "AUTH_REQUIRED", "AUTHORIZATION_FAILED"


async def owner_of(order_id: str) -> str | None:
    await asyncio.sleep(0)
    return {"1": ALICE, "2": BOB.upper()}.get(order_id)


GUARDS: dict[str, tuple[Guard, dict[str, str]]] = {
    # guard, then what each caller hears; "" gets in
    "authenticated": (authenticated, {"nobody": REQUIRED, "inactive": "USER_INACTIVE"}),
    "verified_only": (
        verified_only,
        {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "unverified": "EMAIL_NOT_VERIFIED"},
    ),
    "admin_only": (
        admin_only,
        dict.fromkeys(CALLERS, "SUPERUSER_REQUIRED")
        | {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "superuser": ""},
    ),
    "one role": (
        require_roles("trader"),
        dict.fromkeys(CALLERS, FORBIDDEN) | {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "trader": ""},
    ),
    "one of two roles": (
        require_roles("trader", "auditor", or_superuser=True),
        dict.fromkeys(CALLERS, FORBIDDEN)
        | {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "trader": "", "auditor": "", "superuser": ""},
    ),
    "F01 unknown role": (
        require_roles("no-such-role"),
        dict.fromkeys(CALLERS, FORBIDDEN) | {"nobody": REQUIRED, "inactive": "USER_INACTIVE"},
    ),
    "one permission": (
        require_permissions("orders:read", granted=PERMISSIONS),
        dict.fromkeys(CALLERS, FORBIDDEN)
        | {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "trader": "", "auditor": ""},
    ),
    "both permissions": (
        require_permissions("orders:read", "orders:write", granted=PERMISSIONS, or_superuser=True),
        dict.fromkeys(CALLERS, FORBIDDEN)
        | {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "trader": "", "superuser": ""},
    ),
    "owner by parameter": (
        require_owner("user_id"),
        {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "stranger": FORBIDDEN, "superuser": FORBIDDEN},
    ),
    "owner by function": (
        require_owner(lambda user_id: user_id.upper(), or_superuser=True),
        {"nobody": REQUIRED, "inactive": "USER_INACTIVE", "stranger": FORBIDDEN},
    ),
    "owner of nothing": (
        require_owner(lambda: None),
        dict.fromkeys(CALLERS, FORBIDDEN) | {"nobody": REQUIRED, "inactive": "USER_INACTIVE"},
    ),
    "owner by a parameter that is not there": (
        require_owner("owner"),
        dict.fromkeys(CALLERS, FORBIDDEN) | {"nobody": REQUIRED, "inactive": "USER_INACTIVE"},
    ),
}


def add_dependency(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path)
    async def endpoint(user_id: str, user: Annotated[AuthenticatedUser, Depends(guard)]) -> str:
        return user.id


def add_route_dependency(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path, dependencies=[Depends(guard)])
    async def endpoint(user_id: str, request: Request) -> str:
        return auth.get_user_id(request)


def add_async(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path)
    @guard
    async def endpoint(user_id: str) -> str:
        return user_id


def add_sync(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path)
    @guard
    def endpoint(user_id: str) -> str:
        return user_id


def add_with_request(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path)
    @guard
    async def endpoint(request: Request) -> str:
        return str(request.path_params["user_id"])


def add_sync_with_request(app: FastAPI, path: str, guard: Guard) -> None:
    @app.get(path)
    @guard
    def endpoint(request: Request, user_id: str) -> str:
        return user_id


PLACES: dict[str, Callable[[FastAPI, str, Guard], None]] = {
    "dependency": add_dependency,
    "route dependency": add_route_dependency,
    "async decorator": add_async,
    "sync decorator": add_sync,
    "async decorator with request": add_with_request,
    "sync decorator with request": add_sync_with_request,
}


class Known:
    """The layer around a test's app: the caller is the one whom the header `caller` names."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        user = CALLERS[dict(scope["headers"]).get(b"caller", b"nobody").decode()]
        scope.setdefault("state", {})["user"] = user
        with use_context(RequestContext(user=user)):
            await self.app(scope, receive, send)


async def answer(_: Any, error: Exception) -> JSONResponse:
    assert isinstance(error, MySingleError)
    problem = to_problem(error)
    return JSONResponse({"code": problem.code}, problem.status)


@pytest.fixture
def app() -> FastAPI:
    """Give an app in which the guards alone decide."""
    app = FastAPI(exception_handlers={MySingleError: answer})
    app.add_middleware(Known)
    return app


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", GUARDS)
async def test_guard(name: str, place: str, app: FastAPI, client: httpx.AsyncClient) -> None:
    """A guard gives each caller the same answer wherever it stands; what is not allowed is refused."""
    guard, refusals = GUARDS[name]
    PLACES[place](app, "/users/{user_id}", guard)
    heard = {}
    for caller in CALLERS:
        response = await client.get(f"/users/{ALICE}", headers={"caller": caller})
        heard[caller] = "" if response.status_code == 200 else response.json()["code"]
        assert response.status_code == {"": 200, REQUIRED: 401}.get(heard[caller], 403)

    assert heard == {caller: refusals.get(caller, "") for caller in CALLERS}


@pytest.mark.parametrize(
    "use",
    [
        lambda: require_roles(),
        lambda: require_roles(""),
        lambda: require_roles([]),
        lambda: require_roles(["trader"]),
        lambda: require_roles("trader", None),
        lambda: require_permissions(granted=PERMISSIONS),
        lambda: require_permissions("", granted=PERMISSIONS),
        lambda: require_owner(""),
        lambda: require_owner(None),
        lambda: Permissions({"trader": "orders:read"}),
        lambda: Permissions({"trader": [""]}),
        lambda: Permissions({"": ["orders:read"]}),
        lambda: authenticated(5),
    ],
)
def test_misuse_ends_at_import(use: Callable[[], object]) -> None:
    """F01: a guard that could mean anybody is a TypeError where it is written, before a request comes."""
    with pytest.raises(TypeError, match=r"needs|must be|stands"):
        use()


def test_unknown_permission() -> None:
    """A permission that no role has is found where it is written."""
    with pytest.raises(ValueError, match="no role has the permission orders:wriet"):
        require_permissions("orders:wriet", granted=PERMISSIONS)


def test_permissions() -> None:
    """A caller may do what the roles say together, and nothing because of a role that is not listed."""
    assert PERMISSIONS.of(["auditor", "guest", "unknown"]) == {"orders:read"}
    assert PERMISSIONS.of([]) == set()
    assert "orders:write" in PERMISSIONS
    assert "orders:delete" not in PERMISSIONS


async def test_async_owner(app: FastAPI, client: httpx.AsyncClient) -> None:
    """A function that looks the owner up gets the arguments that it names, awaited on an async endpoint."""

    @app.get("/orders/{order_id}")
    @resource_owner_required(owner_of)
    async def read(order_id: str, more: str = "") -> str:
        return order_id

    @app.get("/as-dependency/{order_id}", dependencies=[Depends(require_owner(owner_of))])
    async def read_too(order_id: str) -> str:
        return order_id

    statuses = {
        (path, number): (await client.get(f"{path}/{number}", headers={"caller": "stranger"})).status_code
        for path in ("/orders", "/as-dependency")
        for number in ("1", "2", "3")
    }

    assert {key for key, status in statuses.items() if status == 200} == {("/orders", "2"), ("/as-dependency", "2")}
    assert set(statuses.values()) == {200, 403}


def test_async_owner_of_a_sync_endpoint() -> None:
    """A sync endpoint cannot wait for a look-up, which is said where it is written."""
    with pytest.raises(TypeError, match="needs an async endpoint"):

        @require_owner(owner_of)
        def read(order_id: str) -> str:
            return order_id


def test_owner_that_turns_out_async() -> None:
    """A look-up that turns out to be async lets nobody pass on a sync endpoint."""

    class Later:
        def __await__(self) -> Any:
            raise AssertionError("never awaited")

    @require_owner(lambda: Later())
    def read(request: Request) -> str:
        return "read"

    request = Request({"type": "http", "headers": [], "state": {"user": AuthenticatedUser(id=ALICE)}})
    with pytest.raises(TypeError, match="needs an async endpoint"):
        read(request)


def test_request_comes_before_context() -> None:
    """A test may put a stub on the request; the guard judges that one."""

    @require_roles("trader")
    def read(request: Request) -> str:
        return "read"

    request = Request({"type": "http", "headers": [], "state": {"user": AuthenticatedUser(id=ALICE)}})
    with pytest.raises(PermissionDeniedError, match="may not"):
        read(request)


def test_endpoint_stays_itself(app: FastAPI) -> None:
    """A guarded endpoint keeps its name and parameters, so that the API document is the same."""

    @app.get("/orders/{order_id}")
    @require_roles("trader")
    async def read(order_id: str, size: int, user: Annotated[object, Depends(verified_only)]) -> str:
        """Read."""
        return order_id

    parameters = app.openapi()["paths"]["/orders/{order_id}"]["get"]["parameters"]

    assert (read.__name__, read.__doc__) == ("read", "Read.")
    assert [parameter["name"] for parameter in parameters] == ["order_id", "size"]


@pytest.mark.parametrize(("caller", "gets_in"), [("trader", True), ("auditor", False), ("nobody", False)])
async def test_websocket(caller: str, gets_in: bool, app: FastAPI) -> None:
    """A guard is a dependency of a WebSocket, too."""
    sent: list[Any] = []

    @app.websocket("/feed")
    async def feed(socket: WebSocket, user: Annotated[AuthenticatedUser, Depends(require_roles("trader"))]) -> None:
        await socket.accept()

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/feed", "query_string": b"", "headers": [(b"caller", caller.encode())]}
    await app(scope, receive, send)

    assert gets_in == (sent[0]["type"] == "websocket.accept")


async def test_router(app: FastAPI, client: httpx.AsyncClient) -> None:
    """A guard on a router guards all of its routes."""
    router = APIRouter(dependencies=[Depends(admin_only)])

    @router.get("/a")
    async def read() -> str:
        return "a"

    app.include_router(router)
    statuses = [(await client.get("/a", headers={"caller": name})).status_code for name in ("trader", "superuser")]

    assert statuses == [403, 200]


async def test_dependency_runs_on_the_loop(app: FastAPI, client: httpx.AsyncClient) -> None:
    """A guard costs no thread: FastAPI awaits it where the endpoint runs."""
    threads = set()

    async def owner() -> str:
        threads.add(threading.get_ident())
        return ALICE

    app.get("/a", dependencies=[Depends(require_owner(owner)), Depends(require_owner(lambda: note()))])(owner)

    def note() -> str:
        threads.add(threading.get_ident())
        return ALICE

    assert (await client.get("/a", headers={"caller": "plain"})).status_code == 200
    assert threads == {threading.get_ident()}


async def test_behind_the_middleware(make_settings: Any) -> None:
    """In a real stack a decorator without a request sees the caller whom the gateway has named."""
    app = FastAPI(exception_handlers={MySingleError: answer})

    @app.get("/a")
    @require_roles("trader")
    def read() -> str:
        return "a"

    app.add_middleware(auth.AuthMiddleware, settings=make_settings(ENVIRONMENT="production", GATEWAY_TRUST="network"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        statuses = [
            (await client.get("/a", headers=headers)).status_code
            for headers in ({}, {"X-User-Id": ALICE}, {"X-User-Id": ALICE, "X-User-Roles": "trader"})
        ]

    assert statuses == [401, 403, 200]
