"""Code of version 1, as services had it: `corpus/v1` file by file, `service` as a whole."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

HERE = Path(__file__).parent
MAIN = "from mysingle.cli import main; main()"

Done: TypeAlias = "subprocess.CompletedProcess[str]"
Run: TypeAlias = Callable[..., Done]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Give a copy of the corpus, in a folder of that name."""
    return Path(shutil.copytree(HERE / "corpus/v1", tmp_path / "corpus"))


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """Give a copy of a whole service of version 1."""
    return Path(shutil.copytree(HERE / "service", tmp_path / "order-service"))


@pytest.fixture
def run() -> Run:
    """Give a function that runs `mysingle migrate v2` in a folder."""

    def migrate(folder: Path, *arguments: str) -> Done:
        command = [sys.executable, "-c", MAIN, "migrate", "v2", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    return migrate
