"""Files that are hard to change: what happens to them, and that the others are still migrated."""

import os
import stat
from pathlib import Path

import pytest

from mysingle.tooling.migrate import Migration, plan

OLD = "from mysingle.base import BaseDocument\n"
NEW = "from mysingle.core.base import BaseDocument\n"


def migrate(folder: Path) -> Migration:
    result = plan(folder)
    result.apply()
    return result


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """Give a plain file of version 1, beside the one that makes trouble; it must be migrated."""
    path = tmp_path / "neighbour.py"
    path.write_text(OLD)
    return path


def test_syntax_error(tmp_path: Path, neighbour: Path) -> None:
    """A file that is no Python is reported with its line and stays; the rest is migrated."""
    (tmp_path / "broken.py").write_text(f"{OLD}def f(:\n    pass\n")
    result = migrate(tmp_path)

    assert [(item.line, item.why.partition(":")[0]) for item in result.failures] == [(2, "no valid Python")]
    assert (tmp_path / "broken.py").read_text().startswith(OLD)
    assert neighbour.read_text() == NEW


@pytest.mark.parametrize("data", [b"\xff\xfe\x00from mysingle.base", b"name = '\xe9'\n", b"# coding: nothing\n\xe9"])
def test_not_utf8(tmp_path: Path, neighbour: Path, data: bytes) -> None:
    """A file in another encoding is reported and stays byte for byte."""
    (tmp_path / "other.py").write_bytes(data)
    result = migrate(tmp_path)

    assert [Path(item.file).name for item in result.failures] == ["other.py"]
    assert data == (tmp_path / "other.py").read_bytes()
    assert neighbour.read_text() == NEW


def test_deep_nesting(tmp_path: Path, neighbour: Path) -> None:
    """A text that no parser can hold is reported, and the rest is migrated."""
    (tmp_path / "deep.py").write_text(f"{OLD}x = {'(' * 5000}{')' * 5000}\n")
    result = migrate(tmp_path)

    assert [Path(item.file).name for item in result.failures] == ["deep.py"]
    assert neighbour.read_text() == NEW


def test_read_only(tmp_path: Path, neighbour: Path) -> None:
    """A read-only file is reported and stays, and so do its permissions."""
    locked = tmp_path / "locked.py"
    locked.write_text(OLD)
    locked.chmod(0o444)
    result = migrate(tmp_path)

    assert [(Path(item.file).name, item.why) for item in result.failures] == [("locked.py", "the file is read-only")]
    assert (locked.read_text(), stat.S_IMODE(locked.stat().st_mode)) == (OLD, 0o444)
    assert neighbour.read_text() == NEW


def test_permissions_stay(tmp_path: Path) -> None:
    """A script that could be executed still can."""
    script = tmp_path / "script.py"
    script.write_text(f"#!/usr/bin/env python\n{OLD}")
    script.chmod(0o755)
    migrate(tmp_path)

    assert script.read_text().endswith(NEW)
    assert stat.S_IMODE(script.stat().st_mode) == 0o755


def test_nothing_is_left_behind(tmp_path: Path, neighbour: Path) -> None:
    """No temporary file stays in the tree."""
    migrate(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["neighbour.py"]


def test_links(tmp_path: Path, neighbour: Path) -> None:
    """Loops of links end, and what lies outside of the tree is not changed through a link."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside.py"
    outside.write_text(OLD)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.py").symlink_to("self.py")
    (tmp_path / "outside.py").symlink_to(outside)
    result = migrate(tmp_path)

    assert (result.failures, len(result.written)) == ([], 1)
    assert outside.read_text() == OLD
    assert (tmp_path / "outside.py").is_symlink()


@pytest.mark.parametrize("folder", [".venv", "node_modules", "__pycache__", "build", ".git", "x.egg-info"])
def test_folders_that_are_made(tmp_path: Path, folder: str) -> None:
    """Folders that tools make are left alone."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.py").write_text(OLD)

    assert plan(tmp_path).looked_at == 0


def test_submodule(tmp_path: Path, neighbour: Path) -> None:
    """The package itself, as a submodule of a service, is left alone."""
    package = tmp_path / "packages/mysingle"
    (package / "src/mysingle/_kernel").mkdir(parents=True)
    (package / "src/mysingle/base.py").write_text(OLD)

    assert [Path(change.file).name for change in plan(tmp_path).changes] == ["neighbour.py"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\xef\xbb\xbf" + OLD.encode(), b"\xef\xbb\xbf" + NEW.encode(), id="byte-order-mark"),
        pytest.param(OLD.replace("\n", "\r\n").encode(), NEW.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(OLD.rstrip().encode(), NEW.rstrip().encode(), id="no-newline-at-the-end"),
        pytest.param("# 주문 🚀\n".encode() + OLD.encode(), "# 주문 🚀\n".encode() + NEW.encode(), id="unicode"),
        pytest.param(b"\x0c\n" + OLD.encode(), b"\x0c\n" + NEW.encode(), id="form-feed"),
        pytest.param(b"", b"", id="empty"),
    ],
)
def test_bytes_stay(tmp_path: Path, data: bytes, expected: bytes) -> None:
    """Line ends, byte order marks and the end of a file stay as they are."""
    path = tmp_path / "größe 주문.py"
    path.write_bytes(data)
    migrate(tmp_path)

    assert expected == path.read_bytes()


def test_one_file(tmp_path: Path, neighbour: Path) -> None:
    """A file may be named instead of a folder; others are not looked at."""
    (tmp_path / "other.py").write_text(OLD)
    result = migrate(neighbour)

    assert (result.looked_at, [str(neighbour)]) == (1, result.written)
    assert (tmp_path / "other.py").read_text() == OLD


def test_own_protos(tmp_path: Path) -> None:
    """A service's own package `protos` is not the old repository."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos/orders_pb2.py").write_text("")
    (tmp_path / "a.py").write_text("from protos import orders_pb2\n")

    assert plan(tmp_path).changes == []


ENVIRONMENTS = [
    ("REDIS_URL=redis://redis\n", "REDIS_HOST=redis\n"),
    (
        "REDIS_URL='rediss://me:p%23w@r:1/0'",
        "REDIS_HOST=r\nREDIS_PORT=1\nREDIS_USERNAME=me\nREDIS_PASSWORD='p#w'\nREDIS_TLS=true",
    ),
    ("REDIS_HOST=a\nREDIS_URL=redis://b:2\n", "REDIS_HOST=a\nREDIS_PORT=2\n"),
    ("REDIS_URL=unix:///tmp/redis.sock\n", "REDIS_URL=unix:///tmp/redis.sock\n"),
    ("REDIS_URL=redis://r:port\n", "REDIS_URL=redis://r:port\n"),
    ("# REDIS_URL=redis://r\n\nA = 1\r\n", "# REDIS_URL=redis://r\n\nA = 1\r\n"),
    ("DEV_MODE=1\nOKTA_X=2\nUSE_GRPC_FOR_IAM=1\nAUTH_APP_VERSION=v\nKEEP=1", "KEEP=1"),
    ("REDIS_DB_ML_MODEL=12\nREDIS_DB_DSL_BYTECODE=4\n", "REDIS_DB_ML=12\nREDIS_DB_DSL=4\n"),
    ("REDIS_DB_ML_MODEL=12\nREDIS_DB_ML=12\n", "REDIS_DB_ML=12\n"),
]


@pytest.mark.parametrize(("before", "after"), ENVIRONMENTS)
def test_environment(tmp_path: Path, before: str, after: str) -> None:
    """Variables of version 1 in a .env file become those of version 2; a second run changes nothing."""
    path = tmp_path / ".env.local"
    path.write_bytes(before.encode())
    migrate(tmp_path)

    assert path.read_bytes() == after.encode()
    assert plan(tmp_path).changes == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Makefile", "release:\n\tpython3 ./scripts/bump_version.py minor\n", "release:\n\tmysingle version minor\n"),
        ("release.sh", "uv run python scripts/bump_version.py auto", "mysingle version auto"),
        (".github/workflows/r.yml", "run: python scripts/bump_version.py patch\n", "run: mysingle version patch\n"),
    ],
)
def test_release_script(tmp_path: Path, name: str, before: str, after: str) -> None:
    """Calls of the old release script call the command, and a person is told."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before)
    result = migrate(tmp_path)

    assert path.read_text() == after
    assert [item.section for item in result.findings] == ["releases"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder(tmp_path: Path, neighbour: Path) -> None:
    """A folder that cannot be written is reported, and its files stay."""
    tmp_path.chmod(0o555)
    try:
        result = migrate(tmp_path)
    finally:
        tmp_path.chmod(0o755)

    assert len(result.failures) == 1
    assert neighbour.read_text() == OLD
