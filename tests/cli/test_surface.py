"""`mysingle routes` and `mysingle openapi`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = """
from fastapi import APIRouter, FastAPI, WebSocket

from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("surface", enable_database=False, public_paths=["/prices", "/open/*"]))
items = APIRouter(prefix="/items", tags=["items"])


@items.get("")
def list_items() -> list[str]:
    return []


@items.post("/{item_id}/start")
def start(item_id: str) -> None: ...


@items.post("/{item_id}/notes", tags=["external"])
def note(item_id: str) -> None: ...


@items.post("/{item_id}/lock", tags=["Admin"])
def lock(item_id: str) -> None: ...


@items.put("/{item_id}", tags=["Internal"])
def put(item_id: str) -> None: ...


@items.websocket("/live")
async def live(socket: WebSocket) -> None: ...


outer = APIRouter(prefix="/v1")
outer.include_router(items)
app.include_router(outer)
app.mount("/files", FastAPI())


@app.get("/prices")
def prices() -> None: ...


@app.post("/open/{x}/start")
def opened(x: str) -> None: ...


@app.delete("/internal/cache")
def clear() -> None: ...
"""
RPC = """
import grpc

from mysingle.core import create_fastapi_app, create_service_config
from mysingle.grpc import BaseGrpcServer, GrpcServerConfig


class Server(BaseGrpcServer):
    def register_servicers(self, server):
        one = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
        many = grpc.unary_stream_rpc_method_handler(lambda request, context: iter(()))
        handlers = {"Get": one, "Watch": many}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("quotes.v1.Quotes", handlers),))
        server.add_registered_method_handlers("quotes.v1.Quotes", handlers)


config = GrpcServerConfig(service_name="surface", exempt_methods=("quotes.v1.Quotes/Get",))
app = create_fastapi_app(create_service_config("surface", enable_database=False, grpc_server=Server(config)))
"""

BROKEN = {
    "raises": "from service import app\n\ndef go():\n    raise RuntimeError('two\\nlines')\n\ngo()\n",
    "syntax": "app = 1\ndef f(:\n",
    "library": "import json\njson.loads('{')\n",
    "absent": "import no_such_library\n",
    "leaves": "import sys\nsys.exit('not today')\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with apps."""
    (tmp_path / "service.py").write_text(APP)
    (tmp_path / "rpc.py").write_text(RPC)
    (tmp_path / "foreign.py").write_text("app = print\n")
    (tmp_path / "talks.py").write_text("print('hello')\nfrom service import app as app\n")
    for name, text in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mysingle", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_routes(folder: Path) -> None:
    """Every way in is listed with who may use it and for whom it is, also below routers in routers."""
    done = run(folder, "routes", "service:app", "--json")
    found = {
        (item["method"], item["path"]): (item["auth"], item["audience"], item["tags"])
        for item in json.loads(done.stdout)
        if item["audience"] != "operations"
    }

    assert done.returncode == 0, done.stderr
    assert found == {
        ("GET", "/v1/items"): ("required", "external", ["items"]),
        ("POST", "/v1/items/{item_id}/start"): ("required", "internal", ["items"]),
        ("POST", "/v1/items/{item_id}/notes"): ("required", "external", ["items", "external"]),
        ("POST", "/v1/items/{item_id}/lock"): ("required", "external", ["items", "Admin"]),
        ("PUT", "/v1/items/{item_id}"): ("required", "internal", ["items", "Internal"]),
        ("WEBSOCKET", "/v1/items/live"): ("required", "external", []),
        ("MOUNT", "/files"): ("required", "external", []),
        ("GET", "/prices"): ("public", "external", []),
        ("POST", "/open/{x}/start"): ("public", "external", []),
        ("DELETE", "/internal/cache"): ("required", "internal", []),
    }


def test_nothing_of_the_user_service_is_internal(folder: Path) -> None:
    """Whoever resets the password of somebody else is a person, so every route of the user service is external."""
    (folder / "users.py").write_text(
        "from mysingle.core import ServiceType, create_fastapi_app, create_service_config\n"
        'app = create_fastapi_app(create_service_config("users", service_type=ServiceType.IAM_SERVICE))\n'
    )
    done = run(folder, "routes", "users:app", "--json")
    found = {item["path"]: item["audience"] for item in json.loads(done.stdout)}

    assert found["/api/v1/users/{user_id}/password-reset"] == "external"
    assert "internal" not in found.values()


def test_routes_are_what_the_app_does(folder: Path) -> None:
    """What the list calls public answers without a caller, and what it calls required refuses."""
    code = (
        "import json, sys; from starlette.testclient import TestClient; from service import app;"
        "client = TestClient(app, raise_server_exceptions=False);\n"
        "with client: print(json.dumps({path: client.get(path).status_code for path in sys.argv[1:]}))"
    )
    listed = json.loads(run(folder, "routes", "service:app", "--json").stdout)
    auth = {item["path"]: item["auth"] for item in listed if item["method"] == "GET" and "{" not in item["path"]}
    words = [sys.executable, "-W", "ignore", "-c", code, *auth]
    environment = {**os.environ, "ENVIRONMENT": "development", "LOG_LEVEL": "CRITICAL", "HTTP_ACCESS_LOG": "false"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment)
    statuses = json.loads(done.stdout.splitlines()[-1])

    assert {path: "required" if status == 401 else "public" for path, status in statuses.items()} == auth


def test_routes_of_operations(folder: Path) -> None:
    """The operations and the documentation pages are listed as such."""
    done = run(folder, "routes", "service:app", "--json")
    found = {item["path"] for item in json.loads(done.stdout) if item["audience"] == "operations"}

    assert found >= {"/health", "/ready", "/metrics", "/docs", "/openapi.json"}


def test_routes_of_grpc(folder: Path) -> None:
    """Methods of gRPC are listed with their kind, and those that need no user."""
    done = run(folder, "routes", "rpc:app")
    lines = [line.split("\t") for line in done.stdout.splitlines() if "quotes" in line]

    assert done.returncode == 0, done.stderr
    assert lines == [
        ["UNARY", "/quotes.v1.Quotes/Get", "public", "internal", "quotes.v1.Quotes"],
        ["SERVER STREAM", "/quotes.v1.Quotes/Watch", "required", "internal", "quotes.v1.Quotes"],
    ]


def test_openapi_is_the_same_everywhere(folder: Path) -> None:
    """The document does not depend on the environment, nor on the order in which Python hashes."""
    texts = {
        run(folder, "openapi", "service:app", ENVIRONMENT=name, PYTHONHASHSEED=str(seed)).stdout
        for seed, name in enumerate(["development", "production", "testing"])
    }
    document = json.loads(texts.pop())

    assert texts == set()
    assert "/v1/items/{item_id}/start" in document["paths"]
    assert document["info"]["title"] == "surface"


def test_openapi_file(folder: Path) -> None:
    """The written document passes the check; a changed one does not, and the difference is shown."""
    written = run(folder, "openapi", "service:app", "--output", "api.json")
    same = run(folder, "openapi", "service:app", "--check", "api.json")
    file = folder / "api.json"
    file.write_text(file.read_text().replace('"/prices"', '"/price"'))
    other = run(folder, "openapi", "service:app", "--check", "api.json")

    assert (written.returncode, written.stdout, same.returncode) == (0, "", 0)
    assert (other.returncode, '+    "/prices": {' in other.stdout) == (1, True)
    assert "api.json is not the document of the app" in other.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["openapi", "nowhere:app"], "'nowhere:app' cannot be imported"),
        (["routes", "foreign:app"], "is no FastAPI app"),
        (["openapi", "foreign:app"], "is no FastAPI app"),
        (["openapi", "service:app", "--check", "none.json"], "none.json cannot be read: No such file"),
        (["openapi", "service:app", "-o", "none/api.json"], "none/api.json cannot be written: No such file"),
        (["openapi", "service:app", "-o", "."], ". cannot be written: Is a directory"),
        (["routes", "../x:app"], "'../x:app' cannot be imported"),
        (["routes", "raises:app"], "cannot be imported: RuntimeError: two lines (raises.py:4)"),
        (["openapi", "syntax:app"], "cannot be imported: SyntaxError: invalid syntax (syntax.py:2)"),
        (["routes", "library:app"], "(library.py:2)"),
        (["doctor", "--app", "absent:app"], "No module named 'no_such_library' (absent.py:1)"),
        (["routes", "leaves:app"], "cannot be imported: SystemExit: not today (leaves.py:2)"),
        (["doctor", "--app", "foreign:app"], "'foreign:app' is no app that create_fastapi_app made"),
    ],
    ids=" ".join,
)
def test_bad_input(words: list[str], said: str, folder: Path) -> None:
    """What cannot be used is one line and exit code 2."""
    done = run(folder, *words)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


@pytest.mark.parametrize("example", ["iam_service", "strategy_service", "market_data_service"])
def test_examples(example: str) -> None:
    """The examples say what they offer."""
    folder = ROOT / "examples" / example
    app = "market_data.main:app" if example == "market_data_service" else "app.main:app"
    done = run(folder, "routes", app, "--json", ENVIRONMENT="development")

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) > 8


def test_noise_of_the_app(folder: Path) -> None:
    """What an app prints while it is imported is no part of the answer, which another program may read."""
    document = run(folder, "openapi", "talks:app")
    routes = run(folder, "routes", "talks:app", "--json")

    assert json.loads(document.stdout) == json.loads(run(folder, "openapi", "service:app").stdout)
    assert json.loads(routes.stdout)
    assert document.stderr == routes.stderr == "hello\n"


@pytest.mark.parametrize("words", ["openapi service:app", "routes service:app", "completion zsh"])
def test_reader_goes_away(words: str, folder: Path) -> None:
    """A reader that has enough, as head has, is no traceback."""
    command = f'"{sys.executable}" -m mysingle {words} | head -c 1'
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    assert (len(done.stdout), done.stderr) == (1, "")
