"""Whatever a file holds, the check ends with findings, and repairs keep it what it was."""

import ast
import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysingle.tooling.check import check_text

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = st.sampled_from(
    [
        *(
            "import httpx",
            "x",
            "=",
            "(",
            ")",
            "eval",
            ".",
            "'http://a'",
            "async def f():",
            "\n",
            " ",
            "await",
            "lambda:",
        ),
        *(
            "class A:",
            "self",
            "[",
            "]",
            "{",
            "}",
            ":",
            "f'{x}'",
            "# noqa: MS101",
            "del x",
            "*",
            "**k",
            "5",
            "\t",
            ",",
            "\r\n",
        ),
    ]
)


def codes(text: str) -> list[str]:
    return [finding.code for finding in check_text(text)]


@QUICK
@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is checked, or is one finding."""
    assert all(code.startswith("MS") for code in codes(text))


@QUICK
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_tokens(text: str) -> None:
    """Any row of pieces of Python is checked, or is one finding."""
    assert all(code.startswith("MS") for code in codes(text))


def test_mutilated_snippets(labelled: list[Any]) -> None:
    """The labelled set, with parts taken out, doubled and exchanged, never breaks the check."""
    chance = random.Random(7)
    texts = [text for case in labelled for text in case.files.values()]
    for text in texts:
        lines = text.splitlines()
        chance.shuffle(lines)
        cut = chance.randrange(len(text) + 1)
        for broken in ("\n".join(lines), text[:cut] + text[cut + 3 :], text + chance.choice(texts)):
            assert all(code.startswith("MS") for code in codes(broken))


def test_place_is_in_the_file(labelled: list[Any]) -> None:
    """What a finding points at is a part of the file, and begins where it says."""
    for case in labelled:
        for path, text in case.files.items():
            for finding in check_text(text, path=path):
                lines = text.splitlines()
                assert lines[finding.span.line - 1] == finding.source
                assert 1 <= finding.span.column <= len(finding.source) + 1
                assert (finding.span.end_line, finding.span.end_column) > (finding.span.line, finding.span.column)


def test_own_code_is_read(tmp_path: Path) -> None:
    """All of this package can be read by its own check, without a finding that says otherwise."""
    import mysingle

    for file in sorted(Path(mysingle.__file__).parent.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        assert ast.parse(text)
        assert not {"MS001", "MS002"} & set(codes(text))
