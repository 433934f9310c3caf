"""A service appears whole, or not at all, and whatever is wrong is one line with a way out."""

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.tooling.scaffold.conftest import PARTS, Run

from mysingle.core import create_service_config
from mysingle.tooling.scaffold import Answers, ScaffoldError, create
from mysingle.tooling.scaffold.answers import is_available
from mysingle.tooling.scaffold.rendering import TEMPLATE

GUIDE = {"pyproject.toml", "Dockerfile", "README.md", "AGENTS.md", ".env.example", ".gitignore", "app/main.py"}
GUIDE |= {"app/settings.py", "app/models.py", "app/routes/external.py", "app/routes/internal.py", "tests/conftest.py"}
GUIDE |= {"k8s/service.yaml", ".github/workflows/ci.yml"}


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_summary(run: Run, tmp_path: Path) -> None:
    """One command makes everything that a service needs, and says what comes next."""
    done = run("new", "order-service")
    files = {path.relative_to(tmp_path / "order-service").as_posix() for path in tmp_path.rglob("*") if path.is_file()}

    assert (done.returncode, done.stderr) == (0, "")
    assert files >= GUIDE
    assert "cd order-service" in done.stdout
    assert 'pip install -e ".[dev]"' in done.stdout
    assert leftovers(tmp_path) == ["order-service"]


def test_dry_run(run: Run, tmp_path: Path) -> None:
    """A dry run names every file that there would be, and leaves nothing behind."""
    said = run("new", "order-service", "--dry-run").stdout.splitlines()
    before = leftovers(tmp_path)
    run("new", "order-service")
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}

    assert before == []
    assert set(said) == made


NAMES = ["Order", "order_service", "1st", "-x", "x-", "a--b", "", "caf\u00e9", "a b", "../up", "a/b", "a.b", "x" * 37]
NAMES += ["mysingle", "app", "tests", "\N{OGHAM SPACE MARK}", "order\n"]


@pytest.mark.parametrize("name", NAMES, ids=[repr(name) for name in NAMES])
def test_bad_names(name: str, run: Run, tmp_path: Path) -> None:
    """A name that cannot be one is refused in one line that says which can."""
    with pytest.raises(ScaffoldError, match=r"for example order-service|choose another name"):
        create(Answers(service_name=name), tmp_path / "x")

    assert leftovers(tmp_path) == []


@given(st.from_regex(r"[a-z-][a-z0-9-]{0,37}", fullmatch=True))
def test_good_names(name: str) -> None:
    """Every name that is taken here is one that the app factory takes too."""
    try:
        answers = Answers(service_name=name)
    except ScaffoldError:
        return

    assert create_service_config(name).service_name == name
    assert answers.word.isidentifier()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Order",), "'Order' is no name of a service"),
        (("here",), "here is there already; choose another name"),
        (("link",), "link is there already"),
        (("made",), "made is a service already; `mysingle new --update`"),
        (("order-service", "--path", "no/where"), "no is no folder; make it first"),
        (("order-service", "--path", "file/x"), "file is no folder"),
        (("order-service", "--path", "/proc/order-service"), "/proc/order-service cannot be made"),
        ((), "give a name to make a service"),
        (("order-service", "--update"), "or --update alone"),
        (("--update",), "was not made by `mysingle new`"),
        (("--update", "--path", "made", "--type", "iam"), "a service keeps its type"),
        (("--update", "--path", "nowhere"), "was not made by `mysingle new`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_refusals(arguments: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    """What cannot be done is one line on the standard error, exit code 2, and nothing is changed."""
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    create(Answers(service_name="made"), tmp_path / "made")
    before = leftovers(tmp_path)
    done = run("new", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert leftovers(tmp_path) == before


@pytest.mark.parametrize("part", ["grpc", "dsl", "tasks"])
def test_missing_parts(part: str, run: Run, tmp_path: Path) -> None:
    """A part that this version does not bring is refused; one that it brings is there."""
    done = run("new", "order-service", f"--{part}")

    assert done.returncode == (0 if is_available(f"mysingle.{part}") else 2)
    assert (tmp_path / "order-service").is_dir() == is_available(f"mysingle.{part}")


def test_missing_copier(tmp_path: Path) -> None:
    """Without Copier the command says which pip command brings it."""
    code = "import sys; sys.modules['copier'] = None; from mysingle.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "new", "x"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, leftovers(tmp_path)) == (2, [])
    assert 'pip install "mysingle[dev]"' in done.stderr


def test_strange_places(run: Run, tmp_path: Path) -> None:
    """A folder may have any name that the system takes."""
    place = "d\u00e9p\u00f4t \u4e2d\u6587 'quoted'"
    done = run("new", "order-service", "--path", place)

    assert done.returncode == 0
    assert (tmp_path / place / "app" / "main.py").is_file()
    assert f"cd {shlex.quote(place)}" in done.stdout


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_interrupted(signal_number: int, tmp_path: Path) -> None:
    """Whenever it is interrupted there is a whole service or none; after Ctrl-C there is no trace at all."""
    whole = len(create(Answers(service_name="order-service"), tmp_path / "whole"))
    folder, outcomes = tmp_path / "order-service", []
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-m", "mysingle", "new", "order-service"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not list(tmp_path.glob(".order-service.*/service")) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal_number)
        said = process.communicate(timeout=60)[1]
        outcomes.append(process.returncode)
        if process.returncode != 0:
            assert not folder.exists()
            break
        assert len([path for path in folder.rglob("*") if path.is_file()]) == whole
        folder.rename(tmp_path / f"done-{len(outcomes)}")

    assert outcomes[-1] == (-signal.SIGKILL if signal_number == signal.SIGKILL else 130)
    if signal_number == signal.SIGINT:
        assert said == "error: interrupted; nothing was made\n"
        assert not list(tmp_path.glob(".order-service.*"))


def test_container(make_service: Callable[..., Path]) -> None:
    """The image runs as nobody special, and starts the command that the manifest starts."""
    folder = make_service()
    rows = (folder / "Dockerfile").read_text().splitlines()
    users = [row.split()[1] for row in rows if row.startswith("USER")]
    (command,) = [yaml.safe_load(row.removeprefix("CMD ")) for row in rows if row.startswith("CMD ")]
    manifest = list(yaml.safe_load_all((folder / "k8s" / "service.yaml").read_text()))
    pod = manifest[0]["spec"]["template"]["spec"]

    assert users == [str(pod["securityContext"]["runAsUser"])]
    assert len([row for row in rows if row.startswith("FROM ")]) == 2
    assert command == pod["containers"][0]["args"]
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_image_gets_mysingle(make_service: Callable[..., Path]) -> None:
    """The build finds mysingle as a submodule, as a wheel, or in an index whose login stays out of every layer."""
    text = (make_service() / "Dockerfile").read_text()
    install = text.split("RUN --mount=type=secret,id=pip,target=/etc/pip.conf", 1)[1].split("FROM", 1)[0]

    assert "./packages/mysingle[common]" in install
    assert "--find-links packages" in install
    assert not re.search(r"^(ARG|ENV) .*(INDEX|TOKEN|PASSWORD)", text, re.MULTILINE)


def test_no_secrets(make_service: Callable[..., Path]) -> None:
    """No file holds a value for a secret, or the name of a registry."""
    folder = make_service("iam", PARTS)
    text = "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())

    assert not re.search(r"^(\w*(?:SECRET|PASSWORD|KEY)\w*)=\S", text, re.MULTILINE)
    assert not re.search(r"pypi|ghcr\.io|docker\.io", text)


def test_every_file_is_a_template() -> None:
    """Whatever is in the template is rendered, so that no tool takes it for a part of this package."""
    files = [path for path in (TEMPLATE / "template").rglob("*") if path.is_file()]

    assert files
    assert {path.suffix for path in files} == {".jinja"}
