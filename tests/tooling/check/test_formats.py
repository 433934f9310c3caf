"""How findings are written."""

import json
import re
from typing import Any

import pytest

from mysingle.tooling.check import FORMATS, RULES, CheckReport, written

FILES = {
    "app/a.py": "import time\n\n\nasync def f():\n\ttime.sleep(1)\n",
    "app/가격 표.py": "값 = '日本'; formula = eval('1')  # noqa: MS811 no\n",
}


@pytest.fixture
def report(check: Any) -> CheckReport:
    result: CheckReport = check(FILES)
    return result


def test_text(report: CheckReport) -> None:
    """The text names place and rule, and carets stand below what is meant, also behind tabs and wide characters."""
    assert written(report, "text").splitlines() == [
        "app/a.py:5:2: MS601 `time.sleep` stops the event loop; `await asyncio.sleep(...)` [fixable]",
        "  5 | \ttime.sleep(1)",
        "    | \t^^^^^^^^^^^^^",
        "app/가격 표.py:1:21: MS812 `eval()` runs text as code; use `ast.literal_eval`, or the strategy DSL",
        "  1 | 값 = '日本'; formula = eval('1')  # noqa: MS811 no",
        "    |" + " " * 24 + "^" * 9,
        "app/가격 표.py:1:32: MS004 `noqa: MS811` suppresses nothing; remove it [fixable]",
        "  1 | 값 = '日本'; formula = eval('1')  # noqa: MS811 no",
        "    |" + " " * 35 + "^" * 16,
        "2 files checked: 3 findings, 2 with `--fix`",
    ]


def test_colour(report: CheckReport) -> None:
    """Colours change nothing but colours, and only the text has any."""
    colourful = written(report, "text", is_colourful=True)

    assert "\x1b[1;31mMS601\x1b[0m" in colourful
    assert written(report, "text") == re.sub(r"\x1b\[[0-9;]*m", "", colourful)
    assert not any("\x1b" in written(report, form, is_colourful=True) for form in FORMATS if form != "text")


def test_long_line(check: Any) -> None:
    """A line of thousands of characters is cut around what is meant."""
    text = written(check({"a.py": f"x = [{'1, ' * 3000}eval('1')]\n"}), "text")
    source, carets = text.splitlines()[1:3]

    assert max(map(len, text.splitlines())) < 200
    assert source[carets.index("^") : carets.rindex("^") + 1] == "eval('1')"


def test_control_characters(check: Any) -> None:
    """Nothing in a file or its name can drive the terminal."""
    text = written(check({"a\x1b[2J.py": "x = eval('\x1b[31m')\n"}), "text")

    assert "\x1b" not in text


def test_json(report: CheckReport) -> None:
    """The JSON has everything that the text has, as values."""
    document = json.loads(written(report, "json"))

    assert (document["files"], document["repaired"]) == (2, 0)
    assert document["findings"][0] == {
        "code": "MS601",
        "level": "error",
        "path": "app/a.py",
        "line": 5,
        "column": 2,
        "end_line": 5,
        "end_column": 15,
        "message": "`time.sleep` stops the event loop; `await asyncio.sleep(...)`",
        "fixable": True,
        "page": "docs/reference/check.md#ms601",
    }


def test_sarif(report: CheckReport) -> None:
    """The SARIF is of version 2.1.0: rules are described once, results point at them, and paths are URIs."""
    document = json.loads(written(report, "sarif"))
    (run,) = document["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    places = [result["locations"][0]["physicalLocation"] for result in results]

    assert document["version"] == "2.1.0"
    assert [result["ruleId"] for result in results] == [rules[result["ruleIndex"]]["id"] for result in results]
    assert all(result["level"] in ("error", "note") for result in results)
    assert places[-1]["artifactLocation"]["uri"] == "app/%EA%B0%80%EA%B2%A9%20%ED%91%9C.py"
    assert {"startLine", "startColumn", "endLine", "endColumn", "snippet"} == set(places[0]["region"])
    assert len({result["partialFingerprints"]["mysingleCheck/v1"] for result in results}) == len(results)


def test_github(check: Any) -> None:
    """A line for a pipeline is one command, whatever stands in the file or its name."""
    lines = written(check({"a,b:c%.py": "x = eval('1')\ny = 1 # noqa: MS812\n"}), "github").splitlines()

    assert lines[0].startswith("::error file=a%2Cb%3Ac%25.py,line=1,endLine=1,col=5,endColumn=14,title=MS812")
    assert len(lines) == 2


def test_nothing_found(check: Any) -> None:
    """Without findings people read one line, and programs an empty list."""
    report = check({"a.py": "x = 1\n"})

    assert written(report, "text") == "1 file checked: nothing found\n"
    assert (json.loads(written(report, "sarif"))["runs"][0]["results"], written(report, "github")) == ([], "")


@pytest.mark.parametrize("code", list(RULES))
def test_rules_can_be_read(code: str) -> None:
    """Every rule says why, and what to do instead, in whole sentences."""
    rule = RULES[code]

    assert rule.code == code
    assert rule.why.endswith(".")
    assert rule.instead.endswith(".")
    assert rule.family
