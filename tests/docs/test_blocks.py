"""
Every block of the documentation runs.

The Python blocks of a page run in order, in one namespace, with the embedded servers in the environment; `await` may
stand at the top. A block whose first line is a comment with a path (`# app/main.py`) is a file, imported when it is
Python. Below a block, `<!-- check ... -->` holds Python that the reader does not see and that must hold. Pages whose
shell blocks call `curl` are walked through with a real process: see `test_walk`.
"""

import argparse
import ast
import asyncio
import importlib
import inspect
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpx
import pytest

from mysingle.cli._main import COMMANDS
from mysingle.core.config import CommonSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "src/mysingle/*/README.md", "changelog.d/*.md")
    for path in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- check\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ((?:[\w-]+/)*[\w-]*\.[a-z]+)\n")
ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"
BLOCK_SECONDS = 20
PROCESS = "from mysingle.cli import main; main()"


class Block(NamedTuple):
    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        match = FILE.match(self.text)
        return match.group(1) if match else None

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, with continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def read_blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(
            "check" if match[3] is not None else match[1], match[3] or match[2] or "", text[: match.start()].count("\n")
        )
        for match in BLOCK.finditer(text)
    ]


BLOCKS = {page: read_blocks(page) for page in PAGES}


def _runs_here(page: str) -> bool:
    return any(block.language in ("python", "check") for block in BLOCKS[page]) and not _is_walk(page)


def _is_walk(page: str) -> bool:
    return any(command.startswith("curl ") for block in _shell(page) for command in block.commands)


def _shell(page: str) -> list[Block]:
    return [block for block in BLOCKS[page] if block.language == "bash"]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the app, which lives meanwhile; for the checks of the pages."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


@pytest.fixture
def page_module(
    environment: dict[str, str], log_lines: Callable[[], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """Give the module in which the blocks of one page run; what they import from their own files is forgotten after."""
    module = ModuleType("page")
    vars(module).update(running=running, ALICE=ALICE, BOB=BOB, FREE_PORT=_free_port())
    vars(module)["log_records"] = lambda: [json.loads(line) for line in log_lines()]
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setitem(sys.modules, "page", module)
    before = set(sys.modules)
    yield module
    here = str(Path.cwd())
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(here):
            del sys.modules[name]


@pytest.mark.parametrize("page", [page for page in PAGES if _runs_here(page)])
def test_python(page: str, page_module: ModuleType) -> None:
    """The Python blocks of a page run, and what the page says about them holds."""
    page_module.log_records()
    vars(page_module).update(PAGE=ROOT / page, ENVIRON=_process_environment())
    with asyncio.Runner() as runner:
        for block in BLOCKS[page]:
            if block.file:
                _write(block)
            if block.file and block.language == "python" and not block.file.startswith("tests/"):
                importlib.import_module(block.file.removesuffix(".py").replace("/", "."))
            elif not block.file and block.language in ("python", "check"):
                _execute(page, block, page_module, runner)
        runner.run(_close_connections())
    if Path("tests").is_dir():
        _run_pytest()


def _write(block: Block) -> None:
    assert block.file is not None
    path = Path(block.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".py" and path.parent != Path() and path.parts[0] != "tests":
        (path.parent / "__init__.py").touch()
    path.write_text(block.text, encoding="utf-8")
    importlib.invalidate_caches()


def _execute(page: str, block: Block, module: ModuleType, runner: asyncio.Runner) -> None:
    source = "\n" * (block.line + 1) + block.text
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(code, vars(module))
    if inspect.iscoroutine(result):
        runner.run(asyncio.wait_for(result, BLOCK_SECONDS))


async def _close_connections() -> None:
    redis = sys.modules.get("mysingle.database._redis")
    if redis is not None and redis._manager is not None:
        await redis._manager.close()


def _run_pytest() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_process_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _process_environment(**more: str) -> dict[str, str]:
    places = [str(Path.cwd()), *(path for path in sys.path if path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1", **more}


@pytest.mark.parametrize("page", [page for page in PAGES if _is_walk(page)])
def test_walk(page: str, environment: dict[str, str]) -> None:
    """
    A page that calls `curl` works when it is followed by hand: files, processes, calls, in order.

    Behind each call stands the status that it has, as `# 201`. `<id>` is the id of the last answer.
    """
    port = _free_port()
    last_id = ""
    with _Service(port) as service:
        for block in BLOCKS[page]:
            if block.file:
                _write(block)
            for command in block.commands if block.language == "bash" else ():
                if command.startswith("curl "):
                    last_id = _curl(command.replace("<id>", last_id), port) or last_id
                elif re.search(r"mysingle (run|dev)\b", command) or command.startswith("python "):
                    service.restart(command)


class _Service:
    """The one process that a reader has in a terminal; the next command ends the one before."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def restart(self, command: str) -> None:
        self.stop()
        words = [word for word in shlex.split(command, comments=True) if not _is_assignment(word)]
        given = dict(word.split("=", 1) for word in shlex.split(command, comments=True) if _is_assignment(word))
        if words[0] == "mysingle":
            words = ["-c", PROCESS, *words[1:], "--port", str(self._port)]
        else:
            words = [*words[1:], str(self._port)]
        self._process = subprocess.Popen([sys.executable, *words], env=_process_environment(**given))
        _wait_until_ready(self._port, self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(20) == 0
            self._process = None

    def __enter__(self) -> "_Service":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            if self._process is not None:
                self._process.kill()
                self._process.wait()


def _is_assignment(word: str) -> bool:
    return re.match(r"[A-Z_]+=", word) is not None


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the service was not ready within 30 s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _curl(command: str, port: int) -> str | None:
    """Do what curl would do, compare the status, and return the id in the answer."""
    expected = re.search(r"# (\d{3})$", command)
    assert expected, f"{command}: no expected status"
    words = iter(shlex.split(command, comments=True)[1:])
    method, url, headers, body = "", "", {}, None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif not word.startswith("-"):
            url = f"http://127.0.0.1:{port}/{word.split('/', 1)[1]}"
    answer = httpx.request(method or ("POST" if body else "GET"), url, headers=headers, content=body)

    assert (command, answer.status_code) == (command, int(expected[1])), answer.text
    content = answer.json() if "json" in answer.headers.get("content-type", "") and answer.content else None
    found = content.get("id") if isinstance(content, dict) else None
    return str(found) if found else None


@contextmanager
def _checking(page: str, command: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{page}: {command}: {error}") from error


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _known_variables() -> set[str]:
    fields = set(CommonSettings.model_fields)
    return fields | {f"{name}_FILE" for name in fields} | {"PROMETHEUS_MULTIPROC_DIR", "KEEP", "ARGS", "PYTHON"}


def _extras() -> set[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+) = \[", text.split("[project.optional-dependencies]")[1], re.MULTILINE))


def _check_command(command: str) -> None:
    words = shlex.split(command, comments=True)
    while words and _is_assignment(words[0]):
        assert words[0].split("=")[0] in _known_variables(), "unknown variable"
        words.pop(0)
    match words:
        case ["make", target, *more]:
            assert target in _targets(), "unknown target"
            assert all(word.split("=")[0] in _known_variables() for word in more), "unknown variable"
        case ["mysingle", *more]:
            _check_mysingle(more)
        case ["pip", "install", *more]:
            named = {extra for word in more for part in re.findall(r"\[(.*)\]", word) for extra in part.split(",")}
            assert named <= _extras(), "unknown extra"
        case ["uvicorn" | "curl" | "python" | "export" | "mkdir" | "ruff" | "git" | "cd" | "docker", *_]:
            pass
        case _:
            raise AssertionError("a command that no test knows")


def _check_mysingle(words: list[str]) -> None:
    options = {word for word in words if word.startswith("-")}
    if words[0].startswith("-"):
        assert options <= {"--help", "--version"}, "unknown option"
        return
    assert words[0] in COMMANDS, "unknown command"
    parser = argparse.ArgumentParser()
    importlib.import_module(f"mysingle.cli.{words[0]}").add_arguments(parser)
    try:
        parser.parse_args(words[1:])
    except SystemExit:
        raise AssertionError("the command does not take that") from None


@pytest.mark.parametrize("page", [page for page in PAGES if _shell(page)])
def test_commands_exist(page: str) -> None:
    """Every command of a shell block exists, with its options, targets, extras and variables."""
    for block in _shell(page):
        for command in block.commands:
            with _checking(page, command):
                _check_command(command)


def test_every_block_is_of_a_known_kind() -> None:
    """A block says what it is, so that none escapes these tests."""
    kinds = {block.language for blocks in BLOCKS.values() for block in blocks}

    assert kinds <= {"python", "check", "bash", "json", "text", "toml", "yaml", "dotenv"}


@pytest.mark.parametrize("page", PAGES)
def test_json_and_dotenv(page: str) -> None:
    """JSON blocks are JSON, and the variables of dotenv blocks are settings."""
    for block in BLOCKS[page]:
        if block.language == "json":
            json.loads(block.text)
        if block.language == "dotenv":
            assert {line.split("=")[0] for line in block.commands} <= _known_variables()
