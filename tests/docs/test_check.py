"""The page of the rules says what the table of rules says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mysingle.tooling.check import RULES

ROOT = Path(__file__).parents[2]
PAGE = "docs/reference/check.md"


def test_overview(read_table: Callable[..., list[dict[str, str]]]) -> None:
    """The overview has every rule, in order, with what counts for it."""
    words = {True: "yes", False: "no"}
    expected = [
        {
            "Rule": f"[`{rule.code}`](#{rule.code.lower()})",
            "Finds": rule.title,
            "In tests": words[rule.in_tests],
            "`--fix`": words[rule.has_fix],
            "Level": rule.level,
        }
        for rule in RULES.values()
    ]

    assert read_table(PAGE, "Overview") == expected


@pytest.mark.parametrize("code", list(RULES))
def test_section(code: str) -> None:
    """The section of a rule, to which its findings lead, says why it is there and what to do instead."""
    rule = RULES[code]
    page, _, anchor = rule.page.partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")

    assert anchor == code.lower()
    assert f"\n### {code}\n\n{rule.title}.\n{rule.why}\n\n{rule.instead}\n" in text


def test_options(read_table: Callable[..., list[dict[str, str]]]) -> None:
    """Every option of the command has a row, and no other."""
    import argparse

    from mysingle.cli.check import add_arguments

    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    options = {name for action in parser._actions for name in action.option_strings}
    rows = {row["Option"].strip("`") for row in read_table("docs/reference/command-line.md", "mysingle check")}

    assert rows == options
