"""Files that are no Python, before they end a service."""

import sys
from pathlib import Path

import pytest

from mysingle.tooling.devplatform._syntax import syntax_errors

OURS = Path(sys.executable)


@pytest.fixture(params=["our interpreter", "another one"])
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give the interpreter of this process, or one at another place."""
    if request.param == "our interpreter":
        return OURS
    other = tmp_path / "python"
    other.symlink_to(OURS.resolve())
    return other


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"def good() -> None: ...\n", ""),
        (b"", ""),
        (b"\n\ndef bad(\n", "SyntaxError"),
        (b"if True:\nx = 1\n", "IndentationError"),
        (b"# coding: no-such\n", "SyntaxError"),
        (b"x = '\xff'\n", "Error"),
        (b"\x00", "null bytes"),
        (None, ""),
    ],
    ids=["good", "empty", "open", "indentation", "coding", "no-utf-8", "null", "deleted"],
)
async def test_errors(python: Path, tmp_path: Path, content: bytes | None, said: str) -> None:
    """What cannot be parsed is said with its kind; a file that is gone is no error."""
    file = tmp_path / "main.py"
    if content is not None:
        file.write_bytes(content)
    found = await syntax_errors(python, [file])

    assert said in found
    assert bool(said) == bool(found)


async def test_place(tmp_path: Path) -> None:
    """The place is the file and the line."""
    file = tmp_path / "main.py"
    file.write_text("\n\ndef bad(\n")

    assert f'File "{file}", line 3' in await syntax_errors(OURS, [file])
