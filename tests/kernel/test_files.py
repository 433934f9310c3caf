"""Files that are written whole, or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from mysingle._kernel.files import write_whole


def test_new_and_old(tmp_path: Path) -> None:
    """A new file can be read by everybody; an old one keeps its permissions; nothing else is left."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_bytes(b"before")
    old.chmod(0o600)
    write_whole(new, b"content")
    write_whole(old, b"content")

    assert (new.read_bytes(), old.read_bytes()) == (b"content", b"content")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (new, old)] == [0o644, 0o600]
    assert sorted(tmp_path.iterdir()) == [new, old]


def test_link(tmp_path: Path) -> None:
    """A link stays one, and what it leads to is written."""
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", b"content")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"content"


def test_pipe_stays_a_pipe(tmp_path: Path) -> None:
    """What is no file is written to, and not replaced: as root that would take a device such as /dev/null away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_whole(pipe, b"content")
    reader.join(10)

    assert read == [b"content"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("name", [".", "none/file"])
def test_failure(name: str, tmp_path: Path) -> None:
    """A place where nothing can be written is an OSError, and nothing is left."""
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / name, b"content")

    assert list(tmp_path.iterdir()) == []
