import re
from pathlib import Path

import pandas as pd
import pytest

from mysingle import dsl
from mysingle.dsl.errors import Diagnostic, DSLCode
from mysingle.dsl.ir.ops import OPS
from mysingle.dsl.lang.tables import FUNCTION_NAMES, INDICATOR_NAMES
from mysingle.dsl.workbench.codes import CODES
from mysingle.dsl.workbench.reference import COMMAND, pages

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs/reference/dsl"
SOURCES = re.findall(r"^```text\n(.*?)^```$", (FOLDER / "language.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["functions.md", "errors.md"])
def test_pages_are_those_of_the_tables(name: str) -> None:
    """The generated pages are what the command writes now."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], f"run: {COMMAND}"


def test_every_function_is_on_the_page() -> None:
    """Whatever can be called has a row, under its name or as another spelling."""
    page = (FOLDER / "functions.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:pattern\.)?(\w+)\(", page)) | set(re.findall(r"Also ((?:`\w+`(?:, )?)+)", page))
    spelled = {name for text in named for name in re.findall(r"\w+", text)}
    short = {f"cdl{name}" for name in spelled}

    assert {*FUNCTION_NAMES, *INDICATOR_NAMES} <= spelled | short
    assert len(OPS) > 350


@pytest.mark.parametrize("code", list(DSLCode), ids=lambda code: code.value)
def test_every_code_has_its_place(code: DSLCode) -> None:
    """The page that a diagnostic names has a heading for its code."""
    path, _, anchor = Diagnostic(code=code, message="").doc.partition("#")

    assert f"\n## {anchor.upper()}\n" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [code for code, page in CODES.items() if page.is_source], ids=lambda code: code.value)
def test_the_example_of_a_code_has_it(code: DSLCode) -> None:
    """The source that stands for a code fails with that code."""
    bars = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close", "volume")})
    with pytest.raises(dsl.DSLError, match=code.value):
        dsl.compile(CODES[code].example).run(bars)


@pytest.mark.parametrize("source", SOURCES)
def test_sources_of_the_language_page(source: str) -> None:
    """A source of the page compiles without a warning, or is refused with the code that it names."""
    refused = re.match(r"# refused: (DSL-\d+)\n", source)
    if refused is None:
        assert dsl.compile(source).warnings == ()
        return
    with pytest.raises(dsl.DSLError, match=re.escape(f"[{refused[1]}]")):
        dsl.compile(source)
