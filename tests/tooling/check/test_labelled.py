"""The labelled set: what has to be found, and look-alikes that must not be."""

from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.check import RULES, CheckConfig, check_paths

ROOT = Path(__file__).parents[3]
MIN_RECALL = 0.95
MAX_FALSE = 0.02


def found(case: Any, folder: Path) -> set[str]:
    case.write(folder)
    return {finding.code for finding in check_paths([folder], CheckConfig(base=folder)).findings}


def test_case(case: Any, tmp_path: Path) -> None:
    """The rules that a snippet breaks are found, and no others."""
    assert sorted(case.codes) == sorted(found(case, tmp_path))


def test_figures(labelled: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of at least 200 snippets, 95 % of what is wrong is found, and 2 % of the look-alikes are accused at most."""
    results = [(case, found(case, tmp_path / str(number))) for number, case in enumerate(labelled)]
    expected = sum(len(case.codes) for case, _ in results)
    hits = sum(len(case.codes & codes) for case, codes in results)
    clean = [codes for case, codes in results if not case.codes]
    recall, accused = hits / expected, sum(map(bool, clean)) / len(clean)
    with capsys.disabled():
        print(f"\nmysingle check: {len(results)} snippets, {len(clean)} of them look-alikes")
        print(f"  recall {recall:.1%} ({hits} of {expected}), false positives {accused:.1%} of the look-alikes")

    assert len(results) >= 200
    assert len(clean) >= 80
    assert recall >= MIN_RECALL
    assert accused <= MAX_FALSE


def test_every_rule_has_a_snippet(labelled: list[Any]) -> None:
    """No rule is without a snippet that breaks it; those of the check itself have tests of their own."""
    covered = {code for case in labelled for code in case.codes}

    assert {code for code in RULES if not code.startswith("MS00")} == covered


def test_examples_are_clean() -> None:
    """Our own services keep every rule, and need no configuration for it."""
    folders = [ROOT / "examples" / name for name in ("strategy_service", "iam_service")]
    report = check_paths(folders, CheckConfig(base=ROOT))

    assert [(finding.path, finding.code) for finding in report.findings] == []
    assert report.files >= 8
