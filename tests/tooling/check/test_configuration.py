"""What is checked is what was asked for: rules, files, hosts, a baseline."""

import json
from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.check import Baseline, CheckConfig, CheckError, check_paths, find_pyproject, read_config

TWO = {"app/a.py": "value = eval('1')\n", "app/b.py": "import pickle\nvalue = pickle.loads(b'')\n"}


def found(report: Any) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in report.findings]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("app/a.py", "MS812"), ("app/b.py", "MS811")]),
        ({"select": ("MS812",)}, [("app/a.py", "MS812")]),
        ({"select": ("MS8",)}, [("app/a.py", "MS812"), ("app/b.py", "MS811")]),
        ({"ignore": ("MS81",)}, []),
        ({"exclude": ("app/a.py",)}, [("app/b.py", "MS811")]),
        ({"exclude": ("app",)}, []),
        ({"exclude": ("*/b.py",)}, [("app/a.py", "MS812")]),
        ({"per_file_ignores": {"app/a*": ("MS812",)}}, [("app/b.py", "MS811")]),
    ],
)
def test_choice(check: Any, options: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Rules are chosen by code or its beginning, files by pattern."""
    assert expected == found(check(TWO, **options))


def test_hosts(check: Any) -> None:
    """Hosts that the configuration names belong where it says."""
    call = "import httpx\n\ndef f():\n    return httpx.get('{}/x')\n"
    files = {"a.py": call.format("https://quotes.partner"), "b.py": call.format("http://quotes")}
    report = check(files, service_hosts=("*.partner",), external_hosts=("quotes",))

    assert sorted(found(report)) == [("a.py", "MS101"), ("a.py", "MS401")]


def test_pyproject(tmp_path: Path) -> None:
    """The table of pyproject.toml is found upwards, and says everything that there is to say."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.mysingle.check]\nselect = ["MS8"]\nignore = ["MS811"]\nexclude = ["old"]\nexternal-hosts = ["a"]\n'
        'service-hosts = ["b"]\nbaseline = "known.json"\n[tool.mysingle.check.per-file-ignores]\n"x/*" = ["MS4"]\n'
    )
    (tmp_path / "app").mkdir()
    config = read_config(find_pyproject(tmp_path / "app"), tmp_path)

    assert config == CheckConfig(
        select=("MS8",),
        ignore=("MS811",),
        exclude=("old",),
        external_hosts=("a",),
        service_hosts=("b",),
        per_file_ignores={"x/*": ("MS4",)},
        baseline=tmp_path / "known.json",
        base=tmp_path,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.mysingle.check\n", "is not TOML"),
        ('[tool.mysingle]\ncheck = "all"\n', "must be a table"),
        ("[tool.mysingle.check]\nslect = []\n", "has no 'slect'; there are baseline, exclude"),
        ('[tool.mysingle.check]\nselect = "MS5"\n', "select must be a list of texts"),
        ("[tool.mysingle.check]\nignore = [5]\n", "ignore must be a list of texts"),
        ('[tool.mysingle.check]\nignore = ["XX"]\n', "there is no rule 'XX'"),
        ('[tool.mysingle.check]\nper-file-ignores = ["a"]\n', "must be a table of pattern"),
        ("[tool.mysingle.check]\nbaseline = 3\n", "must be the name of a file"),
    ],
)
def test_wrong_pyproject(tmp_path: Path, text: str, said: str) -> None:
    """A configuration that cannot be used says where and what would be accepted."""
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(CheckError, match=said) as caught:
        read_config(tmp_path / "pyproject.toml", tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)


def test_baseline(check: Any, tmp_path: Path) -> None:
    """Known findings do not count, wherever they have moved to; the same mistake once more does."""
    first = check(TWO)
    Baseline.write(tmp_path / "known.json", first.findings)
    moved = TWO | {"app/a.py": "# a new line\n\n" + TWO["app/a.py"]}
    more = TWO | {"app/a.py": TWO["app/a.py"] * 2}

    assert found(check(moved, baseline=tmp_path / "known.json")) == []
    assert found(check(more, baseline=tmp_path / "known.json")) == [("app/a.py", "MS812")]


def test_baseline_is_stable(check: Any, tmp_path: Path) -> None:
    """The same findings are the same bytes, sorted, so that a baseline can be reviewed."""
    report = check(TWO)
    for name in ("one.json", "two.json"):
        Baseline.write(tmp_path / name, tuple(reversed(report.findings)) if name == "two.json" else report.findings)

    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert len(json.loads((tmp_path / "one.json").read_text())["findings"]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "findings": [1]}', '{"version": 9, "findings": []}'])
def test_wrong_baseline(tmp_path: Path, text: str) -> None:
    """A file that is no baseline is one clear line that says how to write one."""
    (tmp_path / "known.json").write_text(text)

    with pytest.raises(CheckError, match="--write-baseline"):
        check_paths([tmp_path], CheckConfig(base=tmp_path, baseline=tmp_path / "known.json"))


def test_rules_are_looser_in_tests(check: Any) -> None:
    """What tests may do is the same code that a service may not."""
    text = "import time\nURL = 'http://localhost:8000'\n\nasync def test_x():\n    time.sleep(0)\n"
    report = check({"app/x.py": text, "tests/unit/helper.py": text, "test_x.py": text, "app/conftest.py": text})

    assert {"app/x.py"} == {path for path, _ in found(report)}
