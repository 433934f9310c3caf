"""The pages of the API document, read by a client and by a browser that can reach nothing but the service."""

import base64
import hashlib
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import APIRouter, FastAPI

PAGES = ["/docs", "/redoc"]
LOADED = re.compile(r'<(?:script|img|link)[^>]*? (?:src|href)="([^"]*)"')
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
SERVED = """
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("page-service", enable_database=False))


@app.get("/candles", tags=["market"])
async def candles() -> list[int]:
    return []
"""

Make = Callable[..., FastAPI]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("prefix", ["", "/prices"])
async def test_page_stands_alone(page: str, prefix: str, make_app: Make, unborn: Callable[..., Any]) -> None:
    """Whatever a page loads, the service itself gives to somebody who is not logged in, below its prefix too."""
    app = make_app()
    app.root_path = prefix
    async with unborn(app) as client:
        client.headers.pop("X-User-Id")
        html = (await client.get(f"{prefix}{page}")).text
        targets = [urljoin(f"{prefix}{page}", target) for target in LOADED.findall(html) if target != "data:,"]
        answers = {target: await client.get(target) for target in targets}

    assert targets
    assert all(target.startswith(f"{prefix}/") and "//" not in target for target in targets)
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {answer.headers["x-content-type-options"] for answer in answers.values()} == {"nosniff"}
    assert any(len(answer.content) > 500_000 for answer in answers.values())


@pytest.mark.parametrize("page", [*PAGES, "/docs/oauth2-redirect"])
async def test_page_runs_no_foreign_script(page: str, make_app: Make, unborn: Callable[..., Any]) -> None:
    """The policy of a page names its own scripts: files of the service, and inline ones by what they are."""
    async with unborn(make_app()) as client:
        answer = await client.get(page)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in INLINE.findall(answer.text)
    }

    assert policy["default-src"] == "'none'"
    assert set(policy["script-src"].split()) == {"'self'", *hashes}
    assert policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("page", PAGES)
async def test_page_says_what_is_missing(
    page: str, make_app: Make, unborn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra a page is the command that installs it, and a link to the document."""
    monkeypatch.setitem(sys.modules, "fastapi_offline", None)  # this is how Python says that it cannot be imported
    async with unborn(make_app()) as client:
        answer = await client.get(page)

    assert answer.status_code == 200
    assert "pip install &quot;mysingle[api-docs]&quot;" in answer.text
    assert LOADED.findall(answer.text) == []
    assert '<a href="/openapi.json">' in answer.text


async def test_pages_are_not_in_the_document(make_app: Make, unborn: Callable[..., Any]) -> None:
    """The API document holds the service's own routes, not the files of its pages."""
    app = make_app()
    router = APIRouter()
    router.add_api_route("/mine", lambda: None)
    app.include_router(router)
    async with unborn(app) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]

    assert "/mine" in paths
    assert not [path for path in paths if path.startswith(("/docs", "/redoc"))]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
@pytest.mark.parametrize(("page", "shown"), [("/docs", "operations-market-market-candles"), ("/redoc", "tag/market")])
def test_browser(page: str, shown: str, tmp_path: Path) -> None:
    """A browser that knows no other host shows the operations."""
    (tmp_path / "served.py").write_text(SERVED)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    program = [sys.executable, "-m", "mysingle", "run", "served:app", "--port", str(port)]
    service = subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/ready")
        text = _look(f"http://127.0.0.1:{port}{page}", tmp_path)
    finally:
        service.kill()
        service.wait()

    assert shown in text


def _wait_for(url: str) -> None:
    for _ in range(150):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} never said 200")


def _look(url: str, folder: Path) -> str:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    command = ["chromium", *flags, alone, "--virtual-time-budget=10000", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
