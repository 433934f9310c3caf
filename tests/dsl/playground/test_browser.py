"""The page in a real browser, where there is one: it loads, checks, runs and draws, under its own policy."""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the playground from a process of its own; give its address."""
    code = "from mysingle.cli import main; main(['dsl', 'playground', '--port', '0'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path_factory.mktemp("served"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate(timeout=30)


def page(address: str, folder: Path, fragment: str = "") -> str:
    """Open the page, let it work, and return its document."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", f"--user-data-dir={folder}"]
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", address + fragment], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    return done.stdout


def link(source: str, **state: object) -> str:
    text = json.dumps({"source": source, **state})
    return "#s=" + urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_example_is_run(address: str, tmp_path: Path) -> None:
    """The first example compiles, runs and is drawn, without a click."""
    document = page(address, tmp_path)

    assert ">Compiles</p>" in document
    assert re.search(r"<dt>Return</dt><dd[^>]*>[+-]\d", document)
    assert 'aria-label="Chart of 600 bars' in document
    assert document.count('type="range"') == 2
    assert '<div id="busy" class="busy" hidden' in document


def test_link_is_opened(address: str, tmp_path: Path) -> None:
    """A link brings strategy, parameters and prices; what it says is text and never markup."""
    source = "n = param.int(5, min=2, max=50, title='<img src=x onerror=alert(1)>')\nresult = close > SMA(close, n)\n"
    document = page(address, tmp_path, link(source, params={"n": 7}, data={"demo": "range", "bars": 120, "seed": 2}))

    assert 'aria-label="Chart of 120 bars' in document
    assert 'value="7"' in document
    assert "&lt;img src=x" in document
    assert "<img src=x" not in document


def test_mistake_is_underlined(address: str, tmp_path: Path) -> None:
    """A mistake has a line below it, and a button that repairs it; the Korean text before it moves nothing."""
    document = page(address, tmp_path, link("값 = close\nfast = EMA(값, windw=12)\n"))

    assert re.search(r'<span class="[^"]*d-error">windw</span>', document)
    assert "Write span</button>" in document
    assert ">1 error</p>" in document


def test_damaged_link(address: str, tmp_path: Path) -> None:
    """A link that lost a part is told, and the page is there with an example."""
    document = page(address, tmp_path, "#s=eyJzb3VyY2Ui")

    assert "The link is damaged" in document
    assert ">Compiles</p>" in document
