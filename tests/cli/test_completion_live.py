"""Completion as a person gets it: the shells that are on this machine, a terminal, and the Tab key."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}
BEFORE = {
    "bash": "bind 'set enable-bracketed-paste off'",
    "zsh": "unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D",
    "fish": "set fish_greeting",
}
CONTROLLING = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$@" > "$TYPED.draft"
mv "$TYPED.draft" "$TYPED"
"""
SECONDS = 30.0

LINES = [
    pytest.param("mysingle ver\t", ["version"], id="command"),
    pytest.param("mysingle version au\t", ["version", "auto"], id="action"),
    pytest.param("mysingle version auto --pu\t", ["version", "auto", "--push"], id="option"),
    pytest.param("mysingle version auto --pre be\t", ["version", "auto", "--pre", "beta"], id="value"),
    pytest.param("mysingle check --format=sar\t", ["check", "--format=sarif"], id="value-after-equals-sign"),
    pytest.param("mysingle gateway render --target=ko\t", ["gateway", "render", "--target=kong"], id="equals-below"),
    pytest.param(
        "mysingle openapi app:app --output=ord\t", ["openapi", "app:app", "--output=orders.py"], id="equals-file"
    ),
    pytest.param("mysingle check --conf\t", ["check", "--config"], id="option-with-file"),
    pytest.param("mysingle check orders.\t", ["check", "orders.py"], id="file"),
    pytest.param("mysingle check a\\ f\t", ["check", "a file.py"], id="file-with-a-space"),
    pytest.param("mysingle openapi app:app -o orders.\t", ["openapi", "app:app", "-o", "orders.py"], id="value-file"),
    pytest.param("mysingle completion fi\t", ["completion", "fish"], id="word"),
    pytest.param("mysingle migrate v2 o\t", ["migrate", "v2", "orders.py"], id="file-after-word"),
    pytest.param("mysingle migrate v2 --di\t", ["migrate", "v2", "--diff"], id="option-after-word"),
    pytest.param("mysingle-proto gen\t", ["generate"], id="proto"),
]


class Terminal:
    """A shell at a terminal, in a folder with two files and programs that write down what they are called with."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.typed = folder / "typed"
        self._master, slave = pty.openpty()
        environment = {
            "HOME": str(folder),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TERM": "dumb",
            "TYPED": str(self.typed),
            "LC_ALL": "C.UTF-8",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLING, *START[shell]],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder / "work",
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.call(BEFORE[shell])
        self.call(f"source {shlex.quote(str(folder / 'script'))}")

    def call(self, line: str) -> list[str]:
        """Type a line, press Enter, and return the words that the program got; a command of the shell gets none."""
        self.typed.unlink(missing_ok=True)
        typed = line if line.startswith("mysingle") else f"{line}; mysingle"
        os.write(self._master, f"{typed}\r".encode())
        seen = b""
        deadline = time.monotonic() + SECONDS
        while not self.typed.exists():
            assert time.monotonic() < deadline, seen.decode(errors="replace")
            if select.select([self._master], [], [], 0.02)[0]:
                seen += os.read(self._master, 65536)
        return self.typed.read_text().splitlines()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@pytest.fixture(scope="module", params=sorted(START))
def terminal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    folder = tmp_path_factory.mktemp(shell)
    for name in ("bin", "work"):
        (folder / name).mkdir()
    for name in ("orders.py", "a file.py"):
        (folder / "work" / name).touch()
    for name in ("mysingle", "mysingle-proto"):
        (folder / "bin" / name).write_text(PROGRAM)
        (folder / "bin" / name).chmod(0o755)
    words = [sys.executable, "-m", "mysingle", "completion", shell]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    (folder / "script").write_text(done.stdout)
    found = Terminal(shell, folder)
    yield found
    found.close()


@pytest.mark.parametrize(("line", "words"), LINES)
def test_tab(line: str, words: list[str], terminal: Terminal) -> None:
    """Tab completes what is typed to the word that fits, and the line that it leaves can be run."""
    assert words == terminal.call(line)
