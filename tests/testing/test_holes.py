"""Services with a hole do not pass: each of these small ones lets somebody in, or nobody, and the suite says so."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mysingle.testing.attacks import AttackedService, AttackError, Launcher

pytestmark = pytest.mark.xdist_group("holes")

SERVICE = """
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.config import CommonSettings, set_settings
from starlette.middleware import Middleware
from mysingle.auth import AuthMiddleware
from mysingle.testing import ALICE, make_user

{before}
app = create_fastapi_app(create_service_config("items-service", enable_database=False{options}))

@app.get("/items")
async def items() -> list[str]:
    return []

{after}
"""
USER_FROM_HEADER = """
class FromHeader:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        name = dict(scope.get("headers", ())).get(b"{name}")
        if name is not None:
            scope["state"]["user"] = make_user(name.decode("latin-1"))
        await self.app(scope, receive, send)
"""
REWRITES = """
class Rewrites:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            {rewrite}
        await self.app(scope, receive, send)

app.add_middleware(Rewrites)
"""
REFUSES = """
@app.middleware("http")
async def refuse(request, call_next):
    from starlette.responses import JSONResponse
    return JSONResponse({"code": "AUTH_REQUIRED"}, 401, {"WWW-Authenticate": 'Bearer realm="mysingle"'})
"""
HOLES: dict[str, tuple[dict[str, str], set[str], set[str]]] = {
    # name → parts of the source, attacks that have to fail, attacks that stand all the same
    "network": (
        {"before": 'set_settings(CommonSettings(GATEWAY_TRUST="network"))'},
        {"A01-id", "A01-superuser", "A02-zeros", "A03-superuser", "A05-old", "A23-wrong", "closed-GET /items"},
        {"A01-nobody", "A12-id-23"},
    ),
    "development": (
        {"before": 'set_settings(CommonSettings(ENVIRONMENT="development"))'},
        {"A01-nobody", "path-trailing-slash", "closed-GET /items"},
        {"A01-superuser", "control-signed"},
    ),
    "public by accident": (
        {"options": ', public_paths=["/items"]'},
        {"A01-nobody", "A01-superuser", "A06-replay", "closed-GET /items"},
        {"control-signed", "path-dot"},
    ),
    "public by prefix": (
        {"options": ', public_paths=["/items/*"]'},
        {"A01-nobody", "path-extension-static", "closed-GET /items"},
        {"control-signed", "path-neighbour"},
    ),
    "no middleware": (
        {"after": "app.user_middleware[:] = [one for one in app.user_middleware if one.cls is not AuthMiddleware]"},
        {"A01-nobody", "A01-superuser", "control-signed", "control-token", "closed-GET /items"},
        set(),
    ),
    "user from a header": (
        {
            "after": USER_FROM_HEADER.replace("{name}", "remote-user")
            + "app.user_middleware.append(Middleware(FromHeader))"
        },
        {"A21-signed-remote-user"},
        {"A21-remote-user", "A21-signed-x-forwarded-user", "control-signed"},
    ),
    "user from a header, before the check": (
        {"after": USER_FROM_HEADER.replace("{name}", "remote-user") + "app.add_middleware(FromHeader)"},
        set(),
        {"A21-remote-user", "A21-signed-remote-user", "A01-superuser", "control-signed"},
    ),
    "proves everything": (
        {
            "after": REWRITES.replace(
                "{rewrite}",
                "import os; scope['headers'] = [*scope['headers'], "
                "(b'x-gateway-secret', os.environ['GATEWAY_SHARED_SECRETS'].encode())]",
            )
        },
        {"A01-id", "A01-superuser", "A02-zeros", "closed-GET /items"},
        {"A01-nobody", "control-token"},
    ),
    "token from the query": (
        {
            "after": REWRITES.replace(
                "{rewrite}",
                "query = scope['query_string']; scope['headers'] = scope['headers'] + ("
                "[(b'authorization', b'Bearer ' + query[13:])] if query.startswith(b'access_token=') else [])",
            )
        },
        {"B18-query-access_token"},
        {"B18-query-jwt", "B18-cookie-access", "control-token"},
    ),
    "token from a cookie": (
        {
            "after": REWRITES.replace(
                "{rewrite}",
                "cookie = headers.get(b'cookie', b''); scope['headers'] = scope['headers'] + ("
                "[(b'authorization', b'Bearer ' + cookie[14:])] if cookie.startswith(b'__Host-access=') else [])",
            )
        },
        {"B18-cookie-access"},
        {"B18-cookie-jwt", "control-token"},
    ),
    "path from a header": (
        {
            "after": REWRITES.replace(
                "{rewrite}", "scope['path'] = headers.get(b'x-original-url', scope['path'].encode()).decode()"
            )
        },
        {"override-url"},
        {"override-rewrite", "A01-nobody"},
    ),
    "refuses everybody": (
        {"after": REFUSES},
        {"control-signed", "control-token", "control-secret", "control-health", "A27-id-alone"},
        set(),
    ),
}


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as shared:
        yield shared


@pytest.fixture
def attacked(
    request: pytest.FixtureRequest, tmp_path: Path, launcher: Launcher
) -> Iterator[tuple[AttackedService, set[str], set[str]]]:
    parts, falls, stands = HOLES[request.param]
    source = SERVICE
    for part in ("before", "options", "after"):
        source = source.replace(f"{{{part}}}", parts.get(part, ""))
    (tmp_path / "holed.py").write_text(source)
    with AttackedService("holed:app", path="/items", directory=tmp_path, launcher=launcher) as service:
        yield service, falls, stands


@pytest.mark.parametrize("attacked", HOLES, indirect=True)
def test_hole(attacked: tuple[AttackedService, set[str], set[str]]) -> None:
    """A hole makes the attacks fail that go through it, and no others."""
    service, falls, stands = attacked
    cases = {case.id: case for case in service.cases}

    assert {name for name in falls if cases[name].run() is None} == set()
    assert {name: wrong for name in stands if (wrong := cases[name].run()) is not None} == {}


def test_what_is_said(tmp_path: Path, launcher: Launcher) -> None:
    """A failure says what came back, what is right, who was let in, and which bytes did it."""
    source = SERVICE.replace("{before}", HOLES["network"][0]["before"]).replace("{options}", "").replace("{after}", "")
    (tmp_path / "holed.py").write_text(source)
    with AttackedService("holed:app", directory=tmp_path, launcher=launcher) as service:
        said = next(case.run() for case in service.cases if case.id == "A01-superuser")

    assert said is not None
    assert "the handler was reached" in said
    assert "'is_superuser': True" in said
    assert "> X-User-Superuser: true" in said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "app"),
        ("app = None", "create_fastapi_app"),
        ("raise RuntimeError('no such thing')", "no such thing"),
        ("raise SystemExit('not like this')", "not like this"),
        (
            "from mysingle.core import *\nfrom mysingle.core import create_fastapi_app as make\n"
            "app = make(create_service_config('iam-service', ServiceType.IAM_SERVICE))",
            "IAM",
        ),
        (
            "from mysingle.core import *\napp = create_fastapi_app(create_service_config('s', enable_database=False))",
            "no protected GET route",
        ),
    ],
    ids=["no app", "no service", "broken", "ends", "IAM", "no route"],
)
def test_nothing_to_attack(source: str, said: str, tmp_path: Path, launcher: Launcher) -> None:
    """What cannot be attacked says why."""
    (tmp_path / "nothing.py").write_text(dedent(source))

    with pytest.raises(AttackError, match=said):
        AttackedService("nothing:app", directory=tmp_path, launcher=launcher)


def test_environment_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's environment and `.env` allow, the attacked service runs under production rules."""
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("GATEWAY_TRUST", "network")
    (tmp_path / ".env").write_text("ENVIRONMENT=development\nMYSINGLE_AUTH_BYPASS=true\nGATEWAY_TRUST=none\n")
    (tmp_path / "sound.py").write_text(SERVICE.replace("{before}", "").replace("{options}", "").replace("{after}", ""))
    with AttackedService("sound:app", directory=tmp_path) as service:
        cases = {case.id: case for case in service.cases}
        wrong = {name: cases[name].run() for name in ("A01-nobody", "A01-superuser", "control-signed")}

    assert set(wrong.values()) == {None}
