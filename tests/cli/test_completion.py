"""The completion scripts, asked by a real bash."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mysingle.cli._main import COMMANDS, PROTO_COMMANDS
from mysingle.cli._tree import read_tree

ASK = """\
source {script}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script(shell: str) -> str:
    words = [sys.executable, "-m", "mysingle", "completion", shell]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "mysingle.bash"
    file.write_text(script("bash"))
    return file


def complete(file: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    function = f"_{words[0].replace('-', '_')}"
    code = ASK.format(script=file, words=" ".join(map(shlex.quote, words)), function=function)
    done = subprocess.run(["bash", "--norc", "-u", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(("mysingle", "vers"), ["version"], id="command"),
        pytest.param(("mysingle", "version", "m"), ["major", "minor"], id="action"),
        pytest.param(("mysingle", "version", "auto", "--p"), ["--path", "--push", "--pre"], id="option"),
        pytest.param(("mysingle", "version", "auto", "--push", "--pr"), ["--pre"], id="after-a-flag"),
        pytest.param(("mysingle", "version", "auto", "--pre", ""), ["alpha", "beta", "rc"], id="value"),
        pytest.param(("mysingle", "gateway", "render", "--target", "k"), ["kong"], id="choice"),
        pytest.param(("mysingle", "completion", ""), ["bash", "fish", "zsh"], id="word"),
        pytest.param(("mysingle", "migrate", "v2", ""), [], id="a-word-once"),
        pytest.param(("mysingle", "gateway", "render", "--target", "=", "k"), ["kong"], id="after-equals-sign"),
        pytest.param(("mysingle", "gateway", "render", "--target", "="), ["envoy", "kong"], id="at-equals-sign"),
        pytest.param(("mysingle", "routes", ""), [], id="nothing-known"),
        pytest.param(("mysingle", "--v"), ["--version"], id="version"),
        pytest.param(("mysingle-proto", "gen"), ["generate"], id="proto"),
    ],
)
def test_bash(words: tuple[str, ...], offered: list[str], bash_script: Path) -> None:
    """Bash offers the commands, actions, options and values that fit."""
    assert sorted(offered) == sorted(complete(bash_script, *words))


def test_bash_offers_every_command(bash_script: Path) -> None:
    """Nothing but the program's name typed, every command is offered."""
    assert sorted(COMMANDS) == sorted(complete(bash_script, "mysingle", ""))
    assert sorted(PROTO_COMMANDS) == sorted(complete(bash_script, "mysingle-proto", ""))


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_every_word_is_in_every_script(shell: str) -> None:
    """Each script knows each command, option and choice of both programs, and its quotes are closed."""
    text = script(shell)
    trees = (read_tree("mysingle", COMMANDS), read_tree("mysingle-proto", PROTO_COMMANDS, "proto_"))
    nodes = [node for tree in trees for node in tree.walk()]
    flags = {flag for node in nodes for option in node.options for flag in option.flags}
    words = {node.name for node in nodes}
    shown = {f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in flags}

    assert {word for word in words if word not in text} == set()
    assert {flag for flag in (shown if shell == "fish" else flags) if flag not in text} == set()
    assert all(line.replace("\\'", "").count("'") % 2 == 0 for line in text.splitlines())
