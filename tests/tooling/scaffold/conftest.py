"""Services that are made for a test, and a small template whose history a test can write."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.scaffold import Answers, create

PARTS = tuple(part for part in ("grpc", "dsl", "tasks") if find_spec(f"mysingle.{part}") is not None)
NINE = "".join(f"line {number}\n" for number in range(1, 10))
COPIER = "_subdirectory: template\n_exclude: []\nservice_name: {type: str}\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs a module of Python, `mysingle` unless told otherwise, as somebody would."""

    def call(*arguments: str, module: str = "mysingle", cwd: Path = tmp_path, **more: str) -> Any:
        paths = [str(cwd), *(path for path in sys.path if path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", **more}
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return call


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give a template of two files, nine lines each."""
    folder = tmp_path / "small"
    (folder / "template").mkdir(parents=True)
    (folder / "copier.yml").write_text(COPIER)
    for name in ("a.txt", "b.txt"):
        (folder / "template" / f"{name}.jinja").write_text(NINE)
    return folder


@pytest.fixture
def service(tmp_path: Path, small: Path) -> Path:
    """Give a service of the small template."""
    create(Answers(service_name="order-service"), tmp_path / "order-service", template=small)
    return tmp_path / "order-service"


@pytest.fixture(scope="session")
def make_service(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that returns a fresh service of the package's own template; each kind is rendered once."""
    made: dict[Any, Path] = {}

    def make(service_type: str = "non-iam", parts: tuple[str, ...] = (), name: str = "order-service") -> Path:
        key = (service_type, parts, name)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("made") / name
            options = dict.fromkeys(parts, True)
            create(Answers(service_name=name, service_type=service_type, **options), made[key])
        copy = tmp_path_factory.mktemp("service") / name
        return Path(shutil.copytree(made[key], copy))

    return make
