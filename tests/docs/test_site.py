"""The documentation site: it builds without a warning, every link leads somewhere, and it needs nobody else's host."""

import html
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


def _imports() -> set[tuple[str, str]]:
    """Return every name of the package that a page, a README or the template imports."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/mysingle/**/README.md")]
    files += ROOT.glob("src/mysingle/tooling/scaffold/service/template/app/**/*.jinja")
    found = set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        for module, names in re.findall(r"^from (mysingle\.[\w.]+) import (\w+(?:, \w+)*)$", text, re.MULTILINE):
            found |= {(module, name) for name in names.split(", ")}
    return {
        pair for pair in found if not pair[0].startswith(("mysingle.base", "mysingle.protos.")) and pair[1][0] != "_"
    }


@pytest.mark.parametrize(("module", "name"), sorted(_imports()))
def test_reference_has_what_the_pages_import(module: str, name: str, pages: dict[str, str]) -> None:
    """Whatever a reader is told to import has an entry in the reference, or is a page of it."""
    page = pages.get(f"reference/api/{module}/index.html", "")

    assert re.search(rf'<h2 id="[^"]*">{name}<', page) or f"reference/api/{module}.{name}/index.html" in pages


@pytest.mark.parametrize("readme", sorted(ROOT.glob("src/mysingle/**/README.md")))
def test_every_readme_is_a_page(readme: Path, pages: dict[str, str]) -> None:
    """What the README of a package says stands above the reference of its names."""
    name = ".".join(readme.parent.relative_to(ROOT / "src").parts)
    first = next(line for line in readme.read_text(encoding="utf-8").splitlines()[1:] if line)
    shown = html.unescape(re.sub(r"<[^>]*>", "", pages[f"reference/api/{name}/index.html"]))

    assert re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", first).replace("`", "") in shown


def test_order(pages: dict[str, str]) -> None:
    """The sections stand in the order in which people need them."""
    tabs = pages["index.html"].split('class="md-tabs__list"')[1].split("</nav>")[0]
    names = [name.strip() for name in re.findall(r'class="md-tabs__link">(.*?)</a>', tabs, re.DOTALL)]

    assert names == ["Home", "Guide", "Tutorial", "How to", "Reference", "Explanation"]


def test_menu(pages: dict[str, str]) -> None:
    """Every page is in the menu, under a name of its own."""
    menu = pages["reference/settings/index.html"].split('data-md-level="0"')[1].split("<article")[0]
    menu = re.sub(r'<nav class="md-nav md-nav--secondary".*?</nav>', "", menu, flags=re.DOTALL)
    entries = re.findall(r'<a href="([^"]*)" class="md-nav__link[^"]*">\s*<span class="md-ellipsis">\s*(.*?)\s*<', menu)
    names = [name for _, name in entries]
    places = {posixpath.normpath(posixpath.join("reference/settings", place)) for place, _ in entries}
    below = {posixpath.dirname(name) for name in pages if name != "index.html"} - {"reference/settings"}

    assert below <= places
    assert not {"None", ""} & set(names)
    assert len(names) == len(set(names))
