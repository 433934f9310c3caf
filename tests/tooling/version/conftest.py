"""Repositories in which git knows who commits, and does not read the configuration of the machine."""

from pathlib import Path

import pytest

from tests.tooling.version.repositories import IDENTITY, make_repository


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a repository whose next release is 1.3.0."""
    return make_repository(tmp_path / "quotes", ["fix(api): answer", "feat: more quotes", "docs: words"])
