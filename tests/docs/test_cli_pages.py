"""The pages of the commands list the options that the commands have, and no others."""

import re
from pathlib import Path

import pytest

from mysingle.cli._main import COMMANDS
from mysingle.cli._tree import read_tree

ROOT = Path(__file__).parents[2]
PAGES = {page.stem: page for page in sorted((ROOT / "docs/reference/cli").glob("*.md"))}
ROW = re.compile(r"^\| (`-[^|]*) \|", re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_options(name: str) -> None:
    """Every option of a command stands in the table of its page, with each of its spellings."""
    (tree,) = read_tree("mysingle", {name: COMMANDS[name]}).children
    real = {flag for node in tree.walk() for option in node.options for flag in option.flags}
    listed = set(re.findall(r"`(-[\w-]+)`", " ".join(ROW.findall(PAGES[name].read_text(encoding="utf-8")))))

    assert real - {"-h", "--help"} == listed


@pytest.mark.parametrize("name", PAGES)
def test_is_linked(name: str) -> None:
    """The overview of the command line leads to the page."""
    assert f"](cli/{name}.md)" in (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
