import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mysingle.cli import main

MAIN = "from mysingle.cli import main; main()"
GOOD = "n = param.int(5, min=2, max=50)\nresult = close > SMA(close, n)\n"
BAD = "fast = EMA(close, windw=12)\nimport os\nresult = clos.shift(-1) > 1\n"
ORDERS = "if close > close[1]:\n    strategy.entry('L', strategy.long)\nelse:\n    strategy.close('L')\n"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with strategies and bars."""
    closes = [20 + day + 4 * (-1) ** (day // 4) for day in range(1, 31)]
    rows = [f"2024-01-{day:02},{at},{at + 1},{at - 1},{at},100" for day, at in enumerate(closes, 1)]
    (tmp_path / "bars.csv").write_text("Date,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n")
    for name, source in (("good", GOOD), ("bad", BAD), ("orders", ORDERS)):
        (tmp_path / f"{name}.dsl").write_text(source)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs `mysingle dsl` and returns its exit code, what it said, and its errors."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["dsl", *words])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


def test_check(command: Command) -> None:
    """A sound strategy is one line."""
    code, said, _ = command("check", "good.dsl")

    assert (code, said) == (0, "good.dsl: ok, 4 nodes, reads close, first valid bar 4\n")


def test_check_shows_all_errors(command: Command) -> None:
    """Every error has code, line, column, caret, advice, and no colour when the text goes into a pipe."""
    code, said, _ = command("check", "bad.dsl")

    assert code == 1
    assert said.startswith(
        "[DSL-002] EMA() has no parameter 'windw'\n"
        "  --> line 1, col 19\n"
        "   1 | fast = EMA(close, windw=12)\n"
        "     |                   ^^^^^\n"
        "     = help: EMA(series, span); did you mean 'span'?\n"
    )
    assert [line for line in said.splitlines() if line.startswith("[")] == [
        "[DSL-002] EMA() has no parameter 'windw'",
        "[DSL-003] 'import' is not part of the language",
        "[DSL-002] The name 'clos' is not known",
    ]
    assert said.endswith("bad.dsl: 3 errors\n")
    assert "\x1b" not in said


def test_check_in_korean(command: Command) -> None:
    """The findings are there in Korean too."""
    _, said, _ = command("check", "bad.dsl", "--language", "ko")

    assert "3행 10열" in said


def test_check_as_json(command: Command) -> None:
    """As data a finding has code, place and advice."""
    code, said, _ = command("check", "bad.dsl", "--json")
    document = json.loads(said)
    places = [(item["code"], item["line"], item["column"]) for item in document["diagnostics"]]

    assert (code, document["ok"]) == (1, False)
    assert places == [("DSL-002", 1, 19), ("DSL-003", 2, 1), ("DSL-002", 3, 10)]
    assert json.loads(command("check", "good.dsl", "--json")[1]) == {"file": "good.dsl", "ok": True, "diagnostics": []}


def test_research_warns(command: Command, folder: Path) -> None:
    """What strict mode refuses, research mode reports with exit code 0."""
    (folder / "ahead.dsl").write_text("result = close > close.mean()\n")
    strict, research = command("check", "ahead.dsl"), command("check", "ahead.dsl", "--mode", "research")

    assert (strict[0], research[0]) == (1, 0)
    assert "warning [DSL-010]" in research[1]


def test_hostile_text_does_not_reach_the_terminal(command: Command, folder: Path) -> None:
    """What a terminal would obey is replaced, in sources and in texts of the strategy."""
    (folder / "escape.dsl").write_bytes(b"x = \x1b]0;title\x07 1\n\xff = 2\n")
    code, said, _ = command("check", "escape.dsl")

    assert code == 1
    assert not {"\x1b", "\x07"} & set(said)


@pytest.mark.parametrize("name", ["good", "orders"])
def test_run(command: Command, name: str) -> None:
    """A run shows its figures, and as data the same ones."""
    code, said, _ = command("run", f"{name}.dsl", "--data", "bars.csv")
    document = json.loads(command("run", f"{name}.dsl", "--data", "bars.csv", "--json")[1])

    assert code == 0
    assert f"{name}.dsl: 30 bars, 2024-01-01 to 2024-01-30" in said
    assert f"largest drawdown    {document['figures']['max_drawdown']:>12.2%}" in said
    assert document["basis"] == ("orders" if name == "orders" else "signals")
    assert len(document["trades"]) == document["figures"]["trades"] >= 3


def test_run_of_an_indicator(command: Command, folder: Path) -> None:
    """An indicator has values instead of trades."""
    (folder / "sma.dsl").write_text("result = SMA(close, 3)\n")
    code, said, _ = command("run", "sma.dsl", "--data", "bars.csv")

    assert code == 0
    assert said.splitlines()[-1].split() == ["2024-01-30", "45"]


@pytest.mark.parametrize("words", [["n=9"], ['{"n": 9}'], ['{"n": 5}', "n=9"]])
def test_parameters(command: Command, words: list[str]) -> None:
    """Parameters are words or JSON; the later one counts."""
    code, said, _ = command("run", "good.dsl", "--data", "bars.csv", "--json", "--params", *words)

    assert (code, json.loads(said)["warmup"]) == (0, 8)


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.html", b"<!doctype html>")])
def test_chart(command: Command, folder: Path, name: str, magic: bytes) -> None:
    """The ending of the name says what is drawn, and the text says where it is."""
    code, _, told = command("run", "good.dsl", "--data", "bars.csv", "--chart", name, "--last", "20")

    assert (code, told) == (0, f"{name} is written\n")
    assert (folder / name).read_bytes().startswith(magic)


def test_explain(command: Command) -> None:
    """A program is explained by its parameters, its warm-up, its cost, and its values at a bar."""
    code, said, _ = command("explain", "good.dsl", "--data", "bars.csv", "--bar", "10")
    document = json.loads(command("explain", "good.dsl", "--json")[1])

    assert code == 0
    assert ["n", "int", "5", "2..50"] in [line.split() for line in said.splitlines()]
    assert "values at 2024-01-11" in said
    assert document["parameters"]["properties"]["n"] == {"type": "integer", "default": 5, "minimum": 2, "maximum": 50}
    assert document["warmup"] == {"result": {"first_valid": 4, "converged": 4}}


REFUSED = {
    "no strategy": (["check", "nothing.dsl"], "nothing.dsl: the file cannot be read: No such file or directory"),
    "no data": (["run", "good.dsl", "--data", "nothing.csv"], "nothing.csv: the file cannot be read"),
    "data that are no table": (["run", "good.dsl", "--data", "orders.dsl"], "line 1 must name the columns"),
    "unknown parameter": (["run", "good.dsl", "--data", "bars.csv", "--params", "m=3"], "Unknown parameter 'm'"),
    "parameter out of range": (["run", "good.dsl", "--data", "bars.csv", "--params", "n=99"], "between 2 and 50"),
    "no parameter": (["run", "good.dsl", "--data", "bars.csv", "--params", "n"], "write NAME=VALUE"),
    "bad JSON": (["run", "good.dsl", "--data", "bars.csv", "--params", "{n: 3}"], "not JSON"),
    "no such bar": (["explain", "good.dsl", "--data", "bars.csv", "--bar", "30"], "the bars 0 to 29"),
    "no place for a chart": (["run", "good.dsl", "--data", "bars.csv", "--chart", "no/a.html"], "cannot be written"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(command: Command, words: list[str], said: str) -> None:
    """What cannot be used is one line and exit code 2."""
    code, _, told = command(*words)

    assert code == 2
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert said in told


@pytest.mark.parametrize(
    "words", [[], ["check"], ["run", "good.dsl"], ["check", "good.dsl", "--mode", "easy"],
              ["run", "good.dsl", "--data", "bars.csv", "--chart", "a.gif"],
              ["run", "good.dsl", "--data", "bars.csv", "--last", "-3"],
              ["run", "good.dsl", "--data", "bars.csv", "--capital", "nan"]],
)  # fmt: skip
def test_usage(command: Command, words: list[str]) -> None:
    """Wrong usage is exit code 2."""
    assert command(*words)[0] == 2


@pytest.mark.parametrize(
    ("source", "code"),
    [("raise ValueError('no')\nresult = close > 1", "DSL-004"), ("result = SMA(close, 40) > 1", "DSL-011"),
     ("x = close", "DSL-004")],
)  # fmt: skip
def test_runs_that_end(command: Command, folder: Path, source: str, code: str) -> None:
    """A run that the strategy itself ends, or that gives nothing, is exit code 1 with the code."""
    (folder / "ends.dsl").write_text(source)
    status, said, _ = command("run", "ends.dsl", "--data", "bars.csv")

    assert status == 1
    assert said.startswith(f"[{code}]")


def run(*words: str, code: str = MAIN, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, "dsl", *words], text=True, timeout=60, check=False, **more)


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [("numpy", ["check", "good.dsl"], "dsl"),
     ("matplotlib", ["run", "good.dsl", "--data", "bars.csv", "--chart", "a.png"], "charts")],
)  # fmt: skip
def test_missing_extra(folder: Path, missing: str, words: list[str], extra: str) -> None:
    """Without the libraries the command says which pip command installs them, and ends with 2."""
    done = run(*words, code=f"import sys; sys.modules[{missing!r}] = None; {MAIN}", capture_output=True)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f'pip install "mysingle[{extra}]"' in done.stderr
    assert not (folder / "a.png").exists()


def test_standard_input(folder: Path) -> None:
    """A strategy may come from standard input."""
    done = run("check", "-", input=GOOD, capture_output=True)

    assert (done.returncode, done.stdout[:8]) == (0, "-: ok, 4")


def test_colour_in_a_terminal(folder: Path) -> None:
    """In a terminal the caret is red and the advice has a colour."""
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        done = run("check", "bad.dsl", stdout=follower)
        os.close(follower)
        said = terminal.read(100_000)

    assert done.returncode == 1
    assert b"\x1b[1;31m     |                   ^^^^^\x1b[0m" in said
    assert b"\x1b[36m     = help" in said
