"""`# noqa: MS101 reason`."""

from typing import Any

import pytest

LINE = "KEY = eval('1')"


def codes(report: Any) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# noqa: MS812 the text is a constant", []),
        ("# NOQA:MS812 - the text is a constant", []),
        ("# noqa: MS812  # the text is a constant", []),
        ("# noqa: S307, MS812 the text is a constant", []),
        ("# noqa: MS812,MS811 the text is a constant", ["MS004"]),
        ("# noqa: MS812", ["MS003"]),
        ("# noqa: MS101 wrong rule", ["MS004", "MS812"]),
        ("# noqa: MS999 no such rule", ["MS004", "MS812"]),
        ("# noqa", ["MS812"]),
        ("# noqa: S307", ["MS812"]),
        ("# nothing", ["MS812"]),
    ],
)
def test_suppression(check: Any, comment: str, expected: list[str]) -> None:
    """A suppression names the rule and the reason; one without a reason is noted, one that hides nothing is found."""
    assert expected == sorted(codes(check({"app.py": f"{LINE}  {comment}\n"})))


def test_only_notes_do_not_fail(check: Any) -> None:
    """A missing reason is said, and does not make the check fail."""
    report = check({"app.py": f"{LINE}  # noqa: MS812\n"})

    assert (codes(report), report.has_failed) == (["MS003"], False)


@pytest.mark.parametrize(
    "text",
    [
        "value = eval(  # noqa: MS812 on the first line\n    '1',\n)\n",
        "value = eval(\n    '1',\n)  # noqa: MS812 on the last line\n",
    ],
)
def test_several_lines(check: Any, text: str) -> None:
    """A finding of several lines is suppressed on its first or its last one."""
    assert codes(check({"app.py": text})) == []


def test_in_a_text(check: Any) -> None:
    """A text that looks like a suppression is none."""
    assert codes(check({"app.py": "value = eval('# noqa: MS812 no')\n"})) == ["MS812"]


def test_rule_that_is_off(check: Any) -> None:
    """A suppression of a rule that is not checked in this run is not called unused."""
    assert codes(check({"app.py": f"{LINE}  # noqa: MS812 a reason\n"}, ignore=("MS812",))) == []
