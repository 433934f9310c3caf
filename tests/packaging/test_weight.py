"""What an installation weighs, and that the base alone is enough for what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMITS = [("", 30), ("common-grpc", 160)]
HEAVY = ("fastapi", "grpc", "redis", "beanie", "pymongo", "numpy", "duckdb")

pytestmark = pytest.mark.xdist_group("packaging")


def _install(extra: str, target: Path) -> None:
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    arguments = ["--constraint", str(ROOT / "constraints.txt"), "--target", str(target), what]
    subprocess.run([*command, *arguments], check=True, timeout=400)


@pytest.mark.parametrize(("extra", "limit"), LIMITS, ids=["base", "common-grpc"])
def test_weight(extra: str, limit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An installation stays below its weight in megabytes; the figure is printed."""
    _install(extra, tmp_path / "site")
    weight = sum(path.stat().st_size for path in (tmp_path / "site").rglob("*") if path.is_file()) / 1e6
    with capsys.disabled():
        print(f"\nmysingle[{extra or 'base'}]: {weight:.0f} MB (limit {limit})")

    assert weight <= limit
    if not extra:
        found = {path.name for path in (tmp_path / "site").iterdir()}
        assert found.isdisjoint(HEAVY)
        names = ", ".join(f"mysingle.core.{name}" for name in ("config", "logging", "metrics", "health", "errors"))
        code = f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}]; import mysingle, {names}"
        subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
