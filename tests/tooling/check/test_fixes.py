"""Repairs change what they mean to change and nothing else."""

import ast
from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.check import CheckConfig, CheckError, fix_paths

CLIENT = "from mysingle.database import get_redis_client\n\n"
REPAIRS = {
    "sleep": ("import time\n\nasync def f():\n    time.sleep(1)  # rest\n", "await asyncio.sleep(1)  # rest"),
    "await": (
        "from mysingle.auth import get_current_user\n\nasync def f(r):\n    return (await get_current_user(r)).id\n",
        "    return (get_current_user(r)).id\n",
    ),
    "module": ("from mysingle.base import (\n    BaseDocument,  # ours\n)\n", "from mysingle.core.base import (\n"),
    "module-alias": ("import mysingle.logging as l\n", "import mysingle.core.logging as l\n"),
    "old-package": ("from mysingle_quant.core import x\n", "from mysingle.core import x\n"),
    "database": (
        "from mysingle.database import create_service_cache as make\n\nc = make('market',  5)\n",
        "c = make('market',  settings.REDIS_DB_MARKET_DATA)\n",
    ),
    "database-import": (
        "from mysingle.database import create_service_cache\n\nc = create_service_cache('market', 5)\n",
        "from mysingle.core.config import settings\n",
    ),
    "database-import-above": (
        "import a\nfrom mysingle.database import create_service_cache\n\nc = create_service_cache('market', 5)\n"
        "import z\n",
        "import create_service_cache\nfrom mysingle.core.config import settings\n\nc = ",
    ),
    "database-decorated": (
        "@wrap\ndef cache(): return create_service_cache('market', 5)\n",
        "from mysingle.core.config import settings\n@wrap\n",
    ),
    "sleep-beside-await": (
        "import time\nfrom mysingle.auth import get_current_user\n\nasync def f(r):\n"
        "    await (\n        get_current_user(r)\n    )\n    time.sleep(1)\n",
        "    await asyncio.sleep(1)\n",
    ),
    "sleep-imported-among-others": (
        "import asyncio, time\n\nasync def f():\n    time.sleep(1)\n",
        "import asyncio, time\n",
    ),
    "noqa": ("x = 1  # noqa: MS101 once upon a time\n", "x = 1\n"),
    "noqa-beside-others": ("x = 1  # noqa: E501, MS101 once upon a time\n", "x = 1  # noqa: E501\n"),
}
KEPT = {
    "two-arguments": "import time\n\nasync def f(*a):\n    time.sleep(*a)\n",
    "value-used": "import time\n\nasync def f():\n    return time.sleep(1)\n",
    "asyncio-is-something-else": "import time\n\nasync def f(asyncio):\n    time.sleep(1)\n",
    "settings-is-something-else": f"{CLIENT}settings = 1\nx = get_redis_client(5)\n",
    "settings-in-a-function": f"{CLIENT}async def f(settings):\n    return await get_redis_client(5)\n",
    "settings-imported-below": f"{CLIENT}x = get_redis_client(5)\nfrom mysingle.core.config import settings\n",
    "settings-for-types": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
    f"    from mysingle.core.config import settings\n{CLIENT}x = get_redis_client(5)\n",
    "settings-of-a-class": f"{CLIENT}class C:\n    settings = 1\n    x = get_redis_client(5)\n",
    "settings-of-a-star": f"from app.names import *\n{CLIENT}x = get_redis_client(5)\n",
    "lock-is-held": "import time\n\nasync def f(lock):\n    with lock:\n        time.sleep(1)\n",
    "module-of-a-package": "from mysingle.base import models\n",
    "database-in-options": f"{CLIENT}OPTIONS = {{'db': 5}}\nx = get_redis_client(**OPTIONS)\n",
    "database-in-partial": f"from functools import partial\n{CLIENT}OPTIONS = {{'db': 5}}\n"
    "x = partial(get_redis_client, **OPTIONS)\n",
    "plain-import": "import mysingle.base\n\nx = mysingle.base.BaseDocument\n",
    "removed": "from mysingle.base.enums import TaskStatus\n",
}


def fixed(folder: Path, content: bytes) -> bytes:
    file = folder / "service.py"
    file.write_bytes(content)
    fix_paths([folder], CheckConfig(base=folder))
    return file.read_bytes()


@pytest.mark.parametrize(("before", "line"), REPAIRS.values(), ids=REPAIRS)
def test_repair(tmp_path: Path, before: str, line: str) -> None:
    """What is safe to repair is repaired, and the result is Python."""
    after = fixed(tmp_path, before.encode()).decode()

    assert line in after
    assert ast.parse(after)


@pytest.mark.parametrize("before", KEPT.values(), ids=KEPT)
def test_not_safe(tmp_path: Path, before: str) -> None:
    """Where a repair could change what the code does, a person has to do it."""
    assert before.encode() == fixed(tmp_path, before.encode())


def test_idempotent(case: Any, tmp_path: Path) -> None:
    """A second run repairs nothing, whatever the first one did."""
    case.write(tmp_path)
    fix_paths([tmp_path], CheckConfig(base=tmp_path))
    again = fix_paths([tmp_path], CheckConfig(base=tmp_path))

    assert (again.texts, again.repaired) == ({}, ())


@pytest.mark.parametrize(
    ("encoding", "cookie"),
    [("utf-8", ""), ("utf-8-sig", ""), ("euc-kr", "# -*- coding: euc-kr -*-\n"), ("latin-1", "# coding: latin-1\n")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_bytes_are_kept(tmp_path: Path, encoding: str, cookie: str, end: str) -> None:
    """Encoding, byte order mark, line ends, tabs and odd spaces stay as they were."""
    word = "가격" if encoding == "euc-kr" else "Größe" if encoding != "utf-8" else "價格 💹"
    text = f"{cookie}from mysingle.base import (\n\tBaseDocument ,\n)\n\nx  =  '{word}' # {word}\t\n\n\ny = 1".replace(
        "\n", end
    )
    after = fixed(tmp_path, text.encode(encoding))

    assert text.replace("mysingle.base", "mysingle.core.base").encode(encoding) == after


def test_columns_behind_wide_characters(tmp_path: Path) -> None:
    """Characters of several bytes before a repair do not shift it."""
    before = "import time\n\nasync def f():\n    x = '日本💹'; time.sleep(1)\n"

    assert "x = '日本💹'; await asyncio.sleep(1)" in fixed(tmp_path, before.encode()).decode()


def test_imports_stand_below_the_docstring(tmp_path: Path) -> None:
    """A new import stands behind docstring and `__future__`, once."""
    before = (
        '"""A service."""\n\nfrom __future__ import annotations\n\nimport time\n\n\n'
        "async def f():\n    time.sleep(1)\n    time.sleep(2)\n"
    )
    after = fixed(tmp_path, before.encode()).decode()

    assert after.startswith('"""A service."""\n\nfrom __future__ import annotations\n\nimport asyncio\nimport time\n')
    assert after.count("import asyncio") == 1


def test_dry_run(tmp_path: Path) -> None:
    """Without writing, the report holds the text, and the file stays."""
    file = tmp_path / "service.py"
    file.write_text("from mysingle.base import BaseDocument\n")
    report = fix_paths([tmp_path], CheckConfig(base=tmp_path), writes=False)

    assert file.read_text() == "from mysingle.base import BaseDocument\n"
    assert report.texts[file][1] == "from mysingle.core.base import BaseDocument\n"


def test_permissions_are_kept(tmp_path: Path) -> None:
    """A script that could be executed still can be."""
    file = tmp_path / "run.py"
    file.write_text("from mysingle.base import BaseDocument\n")
    file.chmod(0o755)
    fix_paths([file], CheckConfig(base=tmp_path))

    assert file.stat().st_mode & 0o777 == 0o755
    assert [file] == list(tmp_path.iterdir())


def test_folder_that_cannot_be_written() -> None:
    """A file that cannot be replaced is one clear line."""
    from mysingle.tooling.check._writing import write_atomically

    with pytest.raises(CheckError, match="the file cannot be written"):
        write_atomically(Path("/proc/self/nowhere.py"), b"")
