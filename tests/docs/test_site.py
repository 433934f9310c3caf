"""The documentation site: it builds without a warning, every link leads somewhere, and it needs nobody else's host."""

import importlib
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r'<a [^>]*?href="([^"]*)"')
LOADED = re.compile(r'<(?:script|img|link)[^>]*? (?:src|href)="([^"]*)"')
IDENTIFIER = re.compile(r' id="([^"]*)"')

pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, and give its folder."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, str]:
    """Give the text of every page, by its path in the site."""
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("index.html")}


def test_every_page_is_there(pages: dict[str, str]) -> None:
    """Each file of the documentation is a page."""
    names = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    expected = {"index.html" if name == "index" else f"{name}/index.html" for name in names}

    assert expected <= set(pages)


def test_links(site: Path, pages: dict[str, str]) -> None:
    """Every link inside the site names a file, and an anchor of it."""
    anchors = {name: set(IDENTIFIER.findall(text)) | {"", "__comments"} for name, text in pages.items()}
    broken, seen = [], 0
    for name, text in pages.items():
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            seen += 1
            path, _, anchor = target.partition("#")
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            place = f"{place}/index.html".removeprefix("./") if (site / place).is_dir() else place
            if not (site / place).is_file() or (place in anchors and anchor not in anchors[place]):
                broken.append(f"{name}: {target}")

    assert broken == []
    assert seen > 1_000


def test_stands_alone(pages: dict[str, str]) -> None:
    """A page loads scripts, styles and pictures from the site alone."""
    loaded = {target for text in pages.values() for target in LOADED.findall(text)}

    assert loaded
    assert not {target for target in loaded if re.match(r"(?:[a-z]+:)?//", target)}


def test_hidden_checks_stay_hidden(pages: dict[str, str]) -> None:
    """What only the tests read is in no page."""
    assert not [
        name for name, text in pages.items() if "<!-- check" in text or "asyncio.create_task(client.get" in text
    ]


@pytest.mark.parametrize("package", ["mysingle.core", "mysingle.auth", "mysingle.database", "mysingle.testing"])
def test_reference_of_names(package: str, pages: dict[str, str]) -> None:
    """Every public name has an entry in the reference, with its docstring."""
    text = pages[f"reference/api/{package}/index.html"]
    module = importlib.import_module(package)
    headings = set(re.findall(r'<h2 id="[^"]*">(\w+)<', text))

    assert set(module.__all__) <= headings


def test_order(pages: dict[str, str]) -> None:
    """The sections stand in the order in which people need them."""
    tabs = pages["index.html"].split('class="md-tabs__list"')[1].split("</nav>")[0]
    names = [name.strip() for name in re.findall(r'class="md-tabs__link">(.*?)</a>', tabs, re.DOTALL)]

    assert names[-4:] == ["Tutorial", "How to", "Reference", "Explanation"]
