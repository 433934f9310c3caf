import subprocess
import sys
from pathlib import Path

import pytest

GOOD = 'syntax = "proto3";\n\npackage acme.order.v1;\n\nmessage Order {\n  string id = 1;\n}\n'
UGLY = GOOD.replace("  string id", "      string   id")
NAMELESS = GOOD.replace("message Order", "message order")
BROKEN = GOOD.replace("string id = 1", "int64 id = 1")
GENERATE = "version: v2\nplugins:\n" + "".join(
    f"  - protoc_builtin: {kind}\n    protoc_path: ['{sys.executable}', -m, grpc_tools.protoc]\n    out: gen\n"
    for kind in ("python", "pyi")
)


def proto(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from mysingle.cli import proto_main; proto_main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Give a git repository with one good proto file."""
    folder = tmp_path / "protos" / "acme" / "order" / "v1"
    folder.mkdir(parents=True)
    (tmp_path / "protos" / "buf.yaml").write_text("version: v2\nlint:\n  use: [STANDARD]\nbreaking:\n  use: [FILE]\n")
    (tmp_path / "protos" / "buf.gen.yaml").write_text(GENERATE)
    (folder / "order.proto").write_text(GOOD)
    git(tmp_path, "init", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "protos")
    return tmp_path


def order(workspace: Path) -> Path:
    return workspace / "protos/acme/order/v1/order.proto"


def test_good(workspace: Path) -> None:
    """A clean workspace has no findings, also against its own branch."""
    assert proto(workspace, "validate", "--breaking").returncode == 0


CASES = [("style", NAMELESS, (), 1), ("format", UGLY, (), 1), ("breaking unasked", BROKEN, (), 0)]
CASES += [
    ("breaking", BROKEN, ("--breaking",), 1),
    ("breaking against a name", BROKEN, ("--breaking", "--against", "HEAD"), 1),
]


@pytest.mark.parametrize(("text", "options", "code"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_findings(workspace: Path, text: str, options: tuple[str, ...], code: int) -> None:
    """A finding is exit code 1, and breaking changes are looked for only when asked."""
    order(workspace).write_text(text)

    assert proto(workspace, "validate", *options).returncode == code


@pytest.mark.parametrize("reference", ["nowhere", "--all", ""])
def test_nothing_to_compare_with(workspace: Path, reference: str) -> None:
    """A name that git does not know is one line that says so, and exit code 2."""
    done = proto(workspace, "validate", "--breaking", f"--against={reference}")

    assert done.returncode == 2
    assert f"git knows no commit {reference!r} here; name a branch or a tag with --against" in done.stderr
    assert "Failure" not in done.stderr


def test_fix(workspace: Path) -> None:
    """`--fix` writes the format."""
    order(workspace).write_text(UGLY)

    assert proto(workspace, "validate", "--fix").returncode == 0
    assert order(workspace).read_text() == GOOD


def test_generate(workspace: Path) -> None:
    """The stubs stand where `buf.gen.yaml` says, with their types."""
    assert proto(workspace, "generate").returncode == 0
    assert {path.name for path in (workspace / "protos/gen").rglob("*.py*")} == {"order_pb2.py", "order_pb2.pyi"}


@pytest.mark.parametrize("command", ["generate", "validate"])
def test_no_workspace(command: str, tmp_path: Path) -> None:
    """A folder without protos is one line that says what to do, and exit code 2."""
    result = proto(tmp_path, command)

    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "--path" in result.stderr


def test_no_generation_plan(workspace: Path) -> None:
    """Without `buf.gen.yaml` there is nothing to generate, and the error says so."""
    (workspace / "protos/buf.gen.yaml").unlink()

    assert "buf.gen.yaml" in proto(workspace, "generate").stderr


ROOT = Path(__file__).parents[2]


def test_own_protos() -> None:
    """The package's own protos have no findings, and its stubs are those of the protos."""
    assert proto(ROOT, "validate").returncode == 0
    assert proto(ROOT, "status").stdout == "the stubs are those of the protos\n"


def test_own_methods() -> None:
    """Every method says what trying it again may do, and reading ones have no side effects."""
    lines = [line.split(maxsplit=1) for line in proto(ROOT, "info").stdout.splitlines()]
    reading = {name for name, rest in lines if rest.endswith("no_side_effects")}

    assert len({name.split("/")[0] for name, _ in lines}) == 9
    assert all(name in reading for name, _ in lines if name.split("/")[1].startswith(("Get", "List", "StreamBars")))


def test_begin(tmp_path: Path) -> None:
    """A service's own folder is valid from the beginning, and its stubs import from any package path."""
    assert proto(tmp_path, "init", "order-service", "--dry-run").returncode == 0
    assert not (tmp_path / "protos").exists()
    assert proto(tmp_path, "init", "order-service", "--out", "../app/deep/protos").returncode == 0
    assert proto(tmp_path, "validate").returncode == 0
    assert proto(tmp_path, "status").returncode == 1
    assert proto(tmp_path, "generate").returncode == 0
    assert proto(tmp_path, "status").returncode == 0

    code = "from app.deep.protos.acme.order.v1 import order_pb2_grpc as o; print(o.OrderServiceStub.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "OrderServiceStub\n"


def test_begin_twice(tmp_path: Path) -> None:
    """What exists is left alone."""
    proto(tmp_path, "init", "order-service")
    written = tmp_path / "protos/acme/order/v1/order.proto"
    written.write_text(GOOD)

    assert "left alone" in proto(tmp_path, "init", "order-service").stdout
    assert written.read_text() == GOOD


def test_edited_stub(tmp_path: Path) -> None:
    """A stub that somebody edited, and one that nobody generates, are named."""
    proto(tmp_path, "init", "order-service")
    proto(tmp_path, "generate")
    folder = tmp_path / "app/protos/acme/order/v1"
    (folder / "order_pb2.py").write_text("edited")
    (folder / "old_pb2.py").write_text("old")
    result = proto(tmp_path, "status")

    assert result.returncode == 1
    assert "order_pb2.py: differs" in result.stdout
    assert "old_pb2.py: is not generated any more" in result.stdout


def test_finding_has_its_place(workspace: Path) -> None:
    """A finding names the file and the line."""
    order(workspace).write_text(NAMELESS)

    assert "order.proto:5:" in proto(workspace, "validate").stdout
