"""Real repositories for the tests of releases, made in a moment."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

PYPROJECT = """\
# the package
[project]
name = "quotes"
version = "1.2.3"  # written by releases

[tool.other]
version = "1.2.3"
"""
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_CONFIG_KEY_1": "protocol.file.allow",
    "GIT_CONFIG_VALUE_1": "always",
}


def git(folder: Path, *words: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, input=given, env={**os.environ, **IDENTITY}, timeout=30
    )
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.rstrip("\n")


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-", given=message)
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path, messages: Iterable[str] = (), tag: str | None = "v1.2.3") -> Path:
    """Make a repository with a package, a tag, and empty commits after it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "feat: begin")
    if tag:
        git(folder, "tag", "--annotate", "--message", tag, tag)
    for message in messages:
        commit(folder, message)
    return folder


def state(folder: Path) -> tuple[str, str, str, str]:
    """Return what a release changes: newest commit, tags, status, version line."""
    text = (folder / "pyproject.toml").read_text()
    version = next(line for line in text.splitlines() if line.startswith("version"))
    return (
        git(folder, "log", "-1", "--format=%s"),
        git(folder, "tag", "--list"),
        git(folder, "status", "--porcelain"),
        version,
    )
