"""Real repositories, made in a moment, and the command in this process."""

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from mysingle.cli import main

PYPROJECT = """\
# the package
[project]
name = "quotes"
version = "1.2.3"  # written by releases

[tool.other]
version = "1.2.3"
"""
SETTINGS = {
    "init.defaultBranch": "main",
    "protocol.file.allow": "always",
    "gc.auto": "0",
    "advice.detachedHead": "false",
}
IDENTITY = {
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "a@b.c"))
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_COUNT": str(len(SETTINGS)),
    **{f"GIT_CONFIG_KEY_{index}": name for index, name in enumerate(SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(SETTINGS.values())},
}


class State(NamedTuple):
    """What a release changes."""

    subject: str
    tags: tuple[str, ...]
    status: str
    version: str


class Repo(NamedTuple):
    """A repository on disk."""

    path: Path

    def git(self, *words: str, given: str | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.path, capture_output=True, text=True, input=given, timeout=30, check=False
        )
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def hook(self, name: str, script: str) -> None:
        self.write(f".git/hooks/{name}", f"#!/bin/sh\n{script}\n")
        (self.path / f".git/hooks/{name}").chmod(0o755)

    def commit(self, message: str, **files: str) -> str:
        """Commit files (`a__b` stands for `a/b`), or nothing, and return the hash."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-", given=message)
        return self.git("rev-parse", "HEAD")

    def read(self, name: str) -> str:
        return (self.path / name).read_bytes().decode()

    def state(self) -> State:
        lines = self.read("pyproject.toml").splitlines()
        return State(
            self.git("log", "-1", "--format=%s"),
            tuple(self.git("tag", "--list").split()),
            self.git("status", "--porcelain"),
            next((line for line in lines if line.startswith("version")), ""),
        )


MakeRepo: TypeAlias = Callable[..., Repo]
Command: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let git know who commits, and not read the configuration of the machine."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def make_repo(tmp_path: Path) -> MakeRepo:
    """Give a function that makes a repository with a package, a tag, and empty commits after it."""

    def make(messages: Iterable[str] = (), tag: str | None = "v1.2.3", name: str = "quotes") -> Repo:
        repo = Repo(tmp_path / name)
        repo.write("pyproject.toml", PYPROJECT)
        repo.git("init", "--quiet", "--template=")
        repo.commit("feat: begin")
        if tag:
            repo.git("tag", "--annotate", "--message", tag, tag)
        for message in messages:
            repo.commit(message)
        return repo

    return make


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    """Give a repository whose next release is 1.3.0."""
    return make_repo(["fix(api): answer", "feat: more quotes", "docs: words"])


@pytest.fixture
def mysingle(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs `mysingle` in a folder: exit code, output, errors."""

    def run(folder: Repo | Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder.path if isinstance(folder, Repo) else folder)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run
