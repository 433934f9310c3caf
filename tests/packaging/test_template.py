"""The template is part of the package, and what it makes is a package too."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mysingle.tooling.scaffold.rendering import TEMPLATE

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("packaging")


def _wheel(source: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(target), str(source)], check=True, timeout=300)
    (wheel,) = target.glob("*.whl")
    return wheel


def test_template_is_in_the_wheel(tmp_path: Path) -> None:
    """The wheel holds every file of the template; a service that it makes is a wheel with the app in it."""
    wheel = _wheel(ROOT, tmp_path / "mysingle")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    inside = tmp_path / "site/mysingle/tooling/scaffold/service"
    paths = os.pathsep.join(
        [str(tmp_path / "site"), *(path for path in sys.path if path and path != str(ROOT / "src"))]
    )
    code = "import mysingle.cli, sys; print(mysingle.cli.__file__); mysingle.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "new", "order-service"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with zipfile.ZipFile(_wheel(tmp_path / "order-service", tmp_path / "service")) as archive:
        names = set(archive.namelist())

    assert done.stdout.startswith(str(tmp_path / "site"))
    assert {path.relative_to(TEMPLATE) for path in TEMPLATE.rglob("*")} == {
        path.relative_to(inside) for path in inside.rglob("*")
    }
    assert {"app/main.py", "app/routes/external.py"} <= names
    assert not [name for name in names if name.startswith("tests")]
