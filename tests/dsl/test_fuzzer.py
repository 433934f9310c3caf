"""The fuzzer of `benchmarks` runs, briefly: nightly it runs for as long as it is given."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["source", "container", "structure"])
def test_finds_nothing(target: str) -> None:
    """Some hundred changed programs and containers are refused, or run with the same bits however they are run."""
    pytest.importorskip("talib")
    command = [sys.executable, "-m", "benchmarks.dsl_fuzz", target, "--count", "400", "--seed", "3"]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "400 executions" in found.stdout
