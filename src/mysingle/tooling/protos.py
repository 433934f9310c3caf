"""Protocol buffers through buf: lint, format, breaking changes, stubs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.extras import MissingExtraError

__all__ = ["ProtoMethod", "ProtoWorkspace"]

_TIMEOUT_SECONDS = 120
_DEEP = "1/2/3/4/5/6/7/8"  # an output such as ../../src stays inside of the folder above
_KINDS = {
    (False, False): "unary",
    (False, True): "server stream",
    (True, False): "client stream",
    (True, True): "stream",
}


class ProtoMethod(NamedTuple):
    """One method: `pkg.Service/Method`, which sides stream, and what trying again may do."""

    name: str
    kind: str
    idempotency: str


class ProtoWorkspace:
    """
    A folder of .proto files with its `buf.yaml`; every method prints what buf says and returns an exit code.

    0: nothing found. 1: findings.

    Raises:
        MissingExtraError: buf is not installed.
        MySingleError: the folder has no `buf.yaml`, or buf itself failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buf = _find_buf()
        if not (folder / "buf.yaml").is_file():
            raise _problem(f"{folder} has no buf.yaml; name the folder of your protos with --path")

    def generate(self) -> int:
        """Make the Python stubs that `buf.gen.yaml` asks for."""
        if not (self._folder / "buf.gen.yaml").is_file():
            raise _problem(f"{self._folder} has no buf.gen.yaml, which says what to generate, and where")
        return self._run("generate")

    def drift(self) -> list[tuple[str, str]]:
        """Return where the stubs differ from what `generate` would write: path, and how it differs."""
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(scratch, _DEEP)
            base.mkdir(parents=True)
            if self._run("generate", "--output", str(base)):
                raise _problem("`buf generate` failed")
            made = {
                os.path.relpath(path, base): path.read_bytes() for path in Path(scratch).rglob("*") if path.is_file()
            }
        roots = _roots(made)
        kept = {
            os.path.relpath(path, self._folder): path for root in roots for path in (self._folder / root).rglob("*.py*")
        }
        present = {name: path.read_bytes() for name, path in kept.items() if "__pycache__" not in path.parts}
        found = [(name, "is missing") for name in made.keys() - present.keys()]
        found += [(name, "is not generated any more") for name in present.keys() - made.keys()]
        found += [(name, "differs") for name in made.keys() & present.keys() if made[name] != present[name]]
        return sorted((os.path.normpath(self._folder / name), what) for name, what in found)

    def methods(self) -> list[ProtoMethod]:
        """Return every method that the protos define, by name."""
        from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions

        with tempfile.TemporaryDirectory() as scratch:
            image = Path(scratch, "image.binpb")
            if self._run("build", "--exclude-imports", "--output", str(image)):
                raise _problem("the protos do not compile")
            files = FileDescriptorSet.FromString(image.read_bytes()).file
        return sorted(
            ProtoMethod(
                f"{file.package}.{service.name}/{method.name}",
                _KINDS[method.client_streaming, method.server_streaming],
                MethodOptions.IdempotencyLevel.Name(method.options.idempotency_level).lower(),
            )
            for file in files
            for service in file.service
            for method in service.method
        )

    def validate(self, *, fixes: bool = False, against: str | None = None) -> int:
        """
        Lint, and check the format.

        Args:
            fixes: write the format instead of checking it.
            against: a git branch or tag; also find what breaks its clients.
        """
        checks: list[list[str]] = [["lint"], ["format", "--write"] if fixes else ["format", "--diff", "--exit-code"]]
        if against is not None:
            checks.append(["breaking", "--against", self._git_input(against)])
        return max(self._run(*check) for check in checks)

    def _git_input(self, reference: str) -> str:
        outside = f"{self._folder} is not in a git repository, so there is nothing to compare with"
        root = Path(self._git(outside, "rev-parse", "--show-toplevel"))
        unknown = f"git knows no commit {reference!r} here; name a branch or a tag with --against"
        self._git(unknown, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        inside = self._folder.resolve().relative_to(root)
        return f"{root / '.git'}#ref={reference},subdir={inside}"

    def _git(self, problem: str, *words: str) -> str:
        command = ("git", *words)
        done = subprocess.run(  # noqa: S603  # the words are ours, and no shell reads them
            command, cwd=self._folder, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
        )
        if done.returncode:
            raise _problem(problem)
        return done.stdout.strip()

    def _run(self, *arguments: str) -> int:
        command: Sequence[str] = [self._buf, *arguments]
        own_python_first = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        environment = os.environ | {"PATH": own_python_first}
        done = subprocess.run(command, cwd=self._folder, timeout=_TIMEOUT_SECONDS, env=environment)  # noqa: S603  # as above
        if done.returncode not in (0, 100):  # 100: buf has findings
            raise _problem(f"`buf {' '.join(arguments)}` failed")
        return int(done.returncode != 0)


def _roots(made: dict[str, bytes]) -> set[str]:
    """Return the outputs' own folders: the shortest ones that hold a generated file."""
    folders = sorted({os.path.dirname(name) for name in made}, key=len)  # noqa: PTH120  # relative names with ..
    roots: set[str] = set()
    for folder in folders:
        if not any(folder == root or folder.startswith(f"{root}/") for root in roots):
            roots.add(folder)
    return roots


def _find_buf() -> str:
    beside_python = Path(sys.executable).with_name("buf")
    found = str(beside_python) if beside_python.is_file() else shutil.which("buf")
    if found is None:
        raise MissingExtraError("dev", "buf", "mysingle-proto")
    return found


def _problem(message: str) -> MySingleError:
    return MySingleError(message, code=ErrorCode.FAILED_PRECONDITION, reason="PROTO_WORKSPACE")
