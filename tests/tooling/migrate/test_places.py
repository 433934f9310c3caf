"""Places that are easily overlooked: they are rewritten, or a person is told about each of them."""

import textwrap
from pathlib import Path

import pytest

from mysingle.tooling.migrate import plan

IMPORT = "from mysingle.database import BaseRedisCache, GrpcCache, get_user_cache\n"


def migrated(folder: Path, text: str, name: str = "module.py") -> tuple[str, list[tuple[int, str]]]:
    """Give what becomes of a text, and the findings in it."""
    file = folder / name
    file.write_text(textwrap.dedent(text))
    migration = plan(folder)
    migration.apply()
    assert plan(folder).changes == []
    found = [(item.line, item.what) for item in migration.findings if item.file.endswith(name)]
    return file.read_text(), found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'a = BaseRedisCache("market", 60, settings.REDIS_DB_MARKET_DATA)',
            'a = create_service_cache("market", settings.REDIS_DB_MARKET_DATA, ttl=60)',
        ),
        ('a = BaseRedisCache("market", 60, 5)', "settings.REDIS_DB_MARKET_DATA, ttl=60)"),
        ('a = BaseRedisCache("market")', 'a = BaseRedisCache(key_prefix="market")'),
        ('a = BaseRedisCache[dict](key_prefix="market", redis_db=5)', '"market", settings.REDIS_DB_MARKET_DATA'),
        ('a = GrpcCache("strategy", 60, 1)', 'a = create_grpc_cache(service_name="strategy", ttl=60)'),
        ("a = GrpcCache()", "a = create_grpc_cache(service_name="),
        (
            "class C(BaseRedisCache):\n    def __init__(self):\n        super().__init__('c', 60, 5)",
            "super().__init__(key_prefix='c', default_ttl=60, redis_db=settings.REDIS_DB_MARKET_DATA)",
        ),
        (
            "class C(BaseRedisCache):\n    def __init__(self):\n        BaseRedisCache.__init__(self, 'c', redis_db=5)",
            "BaseRedisCache.__init__(self, key_prefix='c', redis_db=settings.REDIS_DB_MARKET_DATA)",
        ),
        (
            "a = BaseRedisCache(\n    key_prefix='a',  # one\n    redis_db=5,  # two\n)",
            "# one\n# two\na = create_service_cache('a', settings.REDIS_DB_MARKET_DATA, ttl=300)",
        ),
    ],
)
def test_caches(tmp_path: Path, before: str, after: str) -> None:
    """Numbers are found wherever they stand in a call, arguments are named, and comments beside them stay."""
    text, _ = migrated(tmp_path, f"from mysingle.core.config import settings\n{IMPORT}{before}\n")

    assert after in text


ROUTE = """
from fastapi import APIRouter, Depends

from mysingle.auth.deps import get_current_user

router = APIRouter()


@router.get("/one")
async def one(
    user=Depends(
        get_current_user  # the caller
    ),
    *,
    boss=Depends(get_current_user),
):
    return user
"""


def test_routes_called_by_hand(tmp_path: Path) -> None:
    """A test that gives the caller to a route as an argument is named; the comment beside the dependency stays."""
    (tmp_path / "test_it.py").write_text("from module import one\n\n\nasync def test():\n    await one(user=1)\n")
    text, _ = migrated(tmp_path, ROUTE)
    (tmp_path / "module.py").write_text(ROUTE)
    found = [(Path(item.file).name, item.line, item.what) for item in plan(tmp_path).findings]

    assert "    # the caller\n    user = get_current_user(request)\n" in text
    assert ("test_it.py", 5, "a route is called with user") in found


@pytest.mark.parametrize(
    "line",
    ['REDIS_URL="redis://cache:6379" # ours', "REDIS_URL=redis://cache:6379  # ours", "REDIS_URL='redis://cache:6379'"],
)
def test_comments_behind_variables(tmp_path: Path, line: str) -> None:
    """A URL is read without its quotes, and without the comment behind it."""
    assert migrated(tmp_path, f"{line}\n", ".env")[0] == "REDIS_HOST=cache\nREDIS_PORT=6379\n"


TOLD = [
    (f"{IMPORT}DB = 5\na = BaseRedisCache(key_prefix='a', redis_db=DB)\n", "the database of a cache is DB"),
    (f"{IMPORT}o = dict(redis_db=5)\na = BaseRedisCache(key_prefix='a', **o)\n", "passed on with a star"),
    (
        "from mysingle.auth.deps import get_current_user\nfrom app.main import app\n\n"
        "app.dependency_overrides[get_current_user] = lambda: None\n",
        "get_current_user is overridden",
    ),
    (
        "from mysingle.auth.deps import get_current_user\nfrom app.main import app\n\n"
        "app.dependency_overrides.update({get_current_user: lambda: None})\n",
        "get_current_user is overridden",
    ),
    (
        "from fastapi import APIRouter, Depends\nfrom mysingle.auth.deps import current_active_user\n\n"
        "router = APIRouter(dependencies=[Depends(current_active_user)])\n",
        "current_active_user is get_current_active_verified_user now",
    ),
    (
        "from unittest.mock import patch\n\n\n"
        "with patch('mysingle.clients.base_client.BaseServiceClient._request'):\n    pass\n",
        "mysingle.clients.base_client.BaseServiceClient is mysingle.clients.BaseGrpcClient now",
    ),
    (
        "from unittest.mock import patch\nfrom mysingle.clients import BaseServiceClient\n\n"
        "patch.object(BaseServiceClient, 'health_check')\n",
        "health_check of a client is patched",
    ),
    ("import importlib\n\nN = 'models'\nm = importlib.import_module(f'mysingle.base.{N}')\n", "puts a path together"),
    (
        "from importlib import import_module\n\n\nm = import_module('mysingle.' + 'base')\n",
        "puts a path together",
    ),
    (
        "from importlib import import_module\n\n\nm = import_module('.models', package='mysingle.base')\n",
        "puts a path together",
    ),
    ("import importlib\n\n\nMODULE = 'mysingle.base.models'\n", "mysingle.base.models is mysingle.core.base now"),
    ("\n\n\nm = __import__('mysingle.logging')\n", "mysingle.logging is mysingle.core.logging now"),
    (
        "from mysingle.logging import get_logger\n\n\nclass A:\n    log = get_logger('a')\n\n    def run(self):\n"
        "        self.log.info('a', extra=dict(b=1))\n",
        "a log call has extra=",
    ),
]


@pytest.mark.parametrize(("text", "what"), TOLD, ids=[what for _, what in TOLD])
def test_told(tmp_path: Path, text: str, what: str) -> None:
    """What only a person can settle is named, at the last line of each of these texts or in the rewritten one."""
    after, found = migrated(tmp_path, text)
    lines = [line for line, said in found if what in said]

    assert lines, found
    assert lines[0] <= len(after.splitlines())


def test_text_annotations(tmp_path: Path) -> None:
    """A path of version 1 inside of an annotation that is text follows too."""
    text, _ = migrated(tmp_path, "import mysingle.base\n\n\ndef f() -> 'list[mysingle.base.BaseDocument]': ...\n")

    assert "'list[mysingle.core.base.BaseDocument]'" in text


def test_enumerations(tmp_path: Path) -> None:
    """A stand-in has the members that are looked up by name or by value."""
    before = (
        "from mysingle.base.enums import TaskStatus\n\nA = [TaskStatus.DONE, TaskStatus['FAILED'], TaskStatus('new')]\n"
    )
    text, _ = migrated(tmp_path, before)
    values: dict[str, object] = {}
    exec(text, values)

    assert values["A"] == ["done", "failed", "new"]


CLIENT = """
from mysingle.clients import BaseServiceClient


class OrderClient(BaseServiceClient):
    def __init__(self, request=None):
        BaseServiceClient.__init__(self, "order-service", 8001, None, request, "token")

    async def _request(self, method, path):
        return await super()._request(method, path)

    async def health_check(self):
        return await super().health_check()
"""
USER = """
from app.clients import OrderClient as Orders


class Special(Orders):
    async def special(self):
        return await self._request("DELETE", "/special")


async def use():
    client = Orders()
    await client.health_check()
    return await client._request("GET", "/direct")
"""


def test_other_modules(tmp_path: Path) -> None:
    """Clients are known in the modules that import them, and so are the classes that extend them."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/use.py").write_text(USER)
    (tmp_path / "app/clients.py").write_text(CLIENT)
    migration = plan(tmp_path)
    migration.apply()
    clients, use = ((tmp_path / "app" / name).read_text() for name in ("clients.py", "use.py"))
    told = {(Path(item.file).name, item.line, item.what) for item in migration.findings}

    assert 'BaseGrpcClient.__init__(self, "order-service", 8001, request=request)\n        self.stub = None' in clients
    assert "def check_health(self):\n        return await super().check_health()" in clients
    assert "await client.check_health()" in use
    assert {
        ("clients.py", 13, "OrderClient._request calls method path over HTTP"),
        ("use.py", 7, "Special.special calls DELETE /special over HTTP"),
        ("use.py", 13, "use calls GET /direct over HTTP"),
    } <= told


def test_calls_of_every_shape(tmp_path: Path) -> None:
    """A call of a client is named however the client is held, and wherever the module gets it."""
    calls = [
        "async def a(): return await later._request('GET', '/a')",
        "async def b(held: Annotated[OrderClient, None]): return await held._request('GET', '/b')",
        "async def c(): return await OrderClient()._request('GET', '/c')",
        "async def d(): return await clients['x']._request('GET', '/d')",
        "typed: OrderClient = make()",
        "async def e(): return await typed.health_check()",
        "later = OrderClient()",
    ]
    before = "from typing import Annotated\n\nfrom app.clients import OrderClient\n\n" + "\n".join(calls) + "\n"
    (tmp_path / "clients.py").write_text(CLIENT)
    text, found = migrated(tmp_path, before)

    assert [line for line, what in found if "over HTTP" in what] == [5, 6, 7, 8]
    assert "typed.check_health()" in text


def test_shared_enumerations(tmp_path: Path) -> None:
    """A stand-in that other modules import has the members that they use."""
    (tmp_path / "use.py").write_text("from module import (\n    TaskStatus,\n)\n\nA = TaskStatus.LATER\n")
    text, _ = migrated(
        tmp_path, "from mysingle.base.enums import TaskStatus\n\n__all__ = ['TaskStatus']\nB = TaskStatus.NOW\n"
    )

    assert '    LATER = "later"\n    NOW = "now"\n' in text


@pytest.mark.parametrize(
    ("name", "line", "what"),
    [
        ("README.md", "from mysingle.base import BaseDocument", "mysingle.base is mysingle.core.base now"),
        (
            "work.ipynb",
            '"from mysingle.logging import get_logger\\n",',
            "mysingle.logging is mysingle.core.logging now",
        ),
        ("tox.ini", "module = mysingle.base.models", "mysingle.base.models is mysingle.core.base now"),
        ("setup.py", 'setup(install_requires=["mysingle==1.8"])', "a package of version 1 is required"),
        ("requirements/base.txt", "mysingle==1.8", "a package of version 1 is required"),
        ("constraints.txt", "mysingle==1.8", "a package of version 1 is required"),
    ],
)
def test_other_texts(tmp_path: Path, name: str, line: str, what: str) -> None:
    """Texts that are not changed by themselves are read too, and stay as they are."""
    (tmp_path / name).parent.mkdir(exist_ok=True)

    assert migrated(tmp_path, f"\n{line}\n", name) == (f"\n{line}\n", [(2, what)])


def test_history_stays(tmp_path: Path) -> None:
    """What a changelog says of the past is true."""
    assert migrated(tmp_path, "- mysingle.base\n", "CHANGELOG.md")[1] == []


def test_declared_encoding(tmp_path: Path) -> None:
    """A file in the encoding that it declares is migrated, and keeps it."""
    file = tmp_path / "latin.py"
    before = "# -*- coding: latin-1 -*-\nfrom mysingle.base import BaseDocument  # été\r\n"
    file.write_bytes(before.encode("latin-1"))
    plan(tmp_path).apply()

    assert file.read_bytes() == before.replace("mysingle.base", "mysingle.core.base").encode("latin-1")


@pytest.mark.parametrize(
    "line",
    [
        'dependencies = ["mysingle[full]>=1.4,<2"]',
        'dependencies = ["mysingle<2"]',
        'old = ["mysingle~=1.8.0"]',
        'mysingle = { version = "^1.8", extras = ["full"] }',
        'mysingle = "1.8.2"',
        'mysingle = { git = "https://git.example/mysingle.git", tag = "v1.8.0" }',
        'dependencies = ["mysingle @ git+https://git.example/mysingle.git@v1.8.0"]',
        'dependencies = ["mysingle-quant==1.0.3"]',
    ],
)
def test_old_requirements(tmp_path: Path, line: str) -> None:
    """Every spelling of a requirement of version 1 is told."""
    _, found = migrated(tmp_path, f"[x]\n{line}\n", "pyproject.toml")

    assert found == [(2, "a package of version 1 is required")]


@pytest.mark.parametrize(
    "line",
    [
        'dependencies = ["mysingle[common]>=2.2", "other==1.0"]',
        'dependencies = ["mysingle[common]>=2.2,<3"]',
        'dependencies = ["mysingle>=1.8"]',
        'mysingle = { version = "^2.2" }',
        'mysingle = "2.2.1"',
        'dependencies = ["mysingle==2.10.0"]',
        'dependencies = ["mysingle[common]<20"]',
        'my = "mysingle and 1.8"',
    ],
)
def test_new_requirements(tmp_path: Path, line: str) -> None:
    """A requirement that version 2 meets is nobody's task."""
    assert migrated(tmp_path, f"[x]\n{line}\n", "pyproject.toml")[1] == []


def test_manifests(tmp_path: Path) -> None:
    """A manifest keeps the variables that nobody reads any more, and each of them is told."""
    before = "environment:\n  - REDIS_URL=redis://cache:6379/3\n  - DEV_MODE=true\n"
    text, found = migrated(tmp_path, before, "docker-compose.yml")

    assert text == before
    assert found == [(2, "REDIS_URL is read no more"), (3, "DEV_MODE is read no more")]
