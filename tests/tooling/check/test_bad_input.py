"""Files that are none, trees that never end: one clear finding, and the rest is still checked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.check import CheckConfig, CheckError, _engine, check_paths, check_text

BAD = "value = eval('1')\n"
UNUSABLE = {
    "syntax": (b"def f(:\n", "MS001"),
    "print-statement": (b"print 'x'\n", "MS001"),
    "indentation": (b"if x:\n  a\n b\n", "MS001"),
    "unclosed": (b"x = (1,\n", "MS001"),
    "nested": (b"x = " + b"(" * 5000 + b")" * 5000 + b"\n", "MS001"),
    "binary": (b"\x7fELF\x00\x01\x02", "MS002"),
    "utf-16": ("x = 1\n".encode("utf-16"), "MS002"),
    "not-utf-8": (b"x = '\xff\xfe'\n", "MS002"),
    "unknown-encoding": (b"# coding: klingon\nx = 1\n", "MS002"),
}
USABLE = {
    "empty": b"",
    "blank": b"\n\n\n",
    "comment": b"# nothing",
    "bom": b"\xef\xbb\xbfx = 1\n",
    "no-line-end": b"x = 1",
    "mac-line-ends": b"x = 1\ry = 2\r",
    "form-feed": b"x = 1\n\x0cy = 2\n",
    "separator-in-text": "x = '\u2028 \x0b \x1c'\n".encode(),
    "null-annotation": b"x: 'not (python' = 1\ny: '' = 2\n",
}


def found(report: Any) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in report.findings]


@pytest.mark.parametrize(("content", "code"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_file(check: Any, content: bytes, code: str) -> None:
    """A file that cannot be checked is one finding, and the others are checked."""
    assert [("a.py", code), ("b.py", "MS812")] == found(check({"a.py": content, "b.py": BAD}))


@pytest.mark.parametrize("content", USABLE.values(), ids=USABLE)
def test_odd_file(check: Any, content: bytes) -> None:
    """A file that is odd and right has no finding."""
    assert found(check({"a.py": content, "b.py": BAD})) == [("b.py", "MS812")]


@pytest.mark.parametrize(
    "text",
    [
        "x = " + " + ".join(["'a'"] * 3000),
        "x = " + "[" * 90 + "]" * 90,
        "x = a" + ".b" * 900,
        "x = f" + "()" * 900,
        "\n".join(f"{' ' * depth}if x:" for depth in range(90)) + "\n" + " " * 90 + "eval('1')",
        "a = b\nb = a\nclass C(D): pass\nclass D(C): pass\nx = C().y.z\n",
        "def f():\n    return f()\nx = f().get('a')\n",
        "from a import *\nfrom .b import *\nfrom . import c\nfrom .... import d\n",
        "x = x\nx = x.y\nself.x = self.x\n",
    ],
    ids=["sum", "brackets", "attributes", "calls", "blocks", "circles", "recursion", "stars", "selves"],
)
def test_deep_and_circular(text: str) -> None:
    """Depth and circles end: what the parser takes is checked, or is one finding."""
    codes = [finding.code for finding in check_text(text)]

    assert codes in ([], ["MS001"], ["MS812"])


def _doubled(first: str, step: str, last: str) -> str:
    """Fifty lines, each of which holds the one above twice."""
    lines = [f"x0 = {first}", *(f"x{number} = {step.replace('@', f'x{number - 1}')}" for number in range(1, 50))]
    return "\n".join(["import httpx", *lines, last.replace("@", "x49"), BAD])


def _called(names: int, body: str, *, calls: int) -> str:
    """Functions of which each calls the next one many times."""
    return "\n".join(f"def f{number}():\n    {f'f{number + 1}();' * calls}" for number in range(names)) + f"\n{body}"


CLASSES = "".join(f"class A{n}(A{n - 1}, B{n - 1}): pass\nclass B{n}(A{n - 1}, B{n - 1}): pass\n" for n in range(1, 50))
ROUTES = "from fastapi import APIRouter\nr = APIRouter()\n@r.get('/x')\ndef h():\n    f0()\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (_doubled("'http://abc/'", "f'{@}{@}'", "httpx.get(@)"), {"MS401", "MS812"}),
        (_doubled("'abc'", "'.'.join([@, @])", "httpx.get(@)"), {"MS812"}),
        (_doubled("['a']", "[*@, *@]", "f(*@)"), {"MS812"}),
        (_doubled("{}", "{**@, **@}", "f(**@)"), {"MS812"}),
        (f"class A0: pass\nclass B0: pass\n{CLASSES}A49().x()\n{BAD}", {"MS812"}),
        (_called(50, ROUTES, calls=20), {"MS205"}),
        (_called(50, "async def h():\n    f0()\n", calls=20), set()),
        (f"a = [*a, 1]\nb = {{**b}}\nf(*a, **b)\n{BAD}", {"MS812"}),
        (f"from functools import partial\np = partial(p, 1)\nq = partial(p, *q)\np(*p)\nq()\n{BAD}", {"MS812"}),
    ],
    ids=["texts", "joins", "lists", "dicts", "classes", "callers", "helpers", "selves", "partials"],
)
def test_growth(text: str, codes: set[str]) -> None:
    """A few lines that would grow beyond all bounds when they ran are checked like any others."""
    assert {finding.code for finding in check_text(text)} == codes


def test_modules_in_a_circle(check: Any) -> None:
    """Modules that import from each other are no trap."""
    files = {
        "app/__init__.py": "from app.a import *\nfrom app.b import x\n",
        "app/a.py": "from app.b import x\nfrom app import *\n",
        "app/b.py": "from app.a import x\nimport app.b\n\nx.get('y')\n" + BAD,
    }

    assert found(check(files)) == [("app/b.py", "MS812")]


def test_long_file() -> None:
    """A file of 100,000 lines is checked to its last line."""
    text = "value = compute(1, 'text')\n" * 99_999 + BAD

    assert [finding.span.line for finding in check_text(text)] == [100_000]


def test_long_file_of_clients() -> None:
    """In a file of many clients, each of them is judged by who calls its function."""
    head = "from mysingle.clients import BaseGrpcClient\nclass C(BaseGrpcClient): pass\n"
    functions = "".join(f"def f{number}(): C()\ndef g{number}(): f{number}()\n" for number in range(2000))
    findings = check_text(f"{head}{functions}g7()\n")

    assert [(finding.code, finding.span.line) for finding in findings] == [("MS303", 17)]


def test_links(check: Any, tmp_path: Path) -> None:
    """Links are not followed into circles; a link that leads nowhere is a finding."""
    (tmp_path / "app" / "deep").mkdir(parents=True)
    (tmp_path / "app" / "deep" / "up").symlink_to(tmp_path / "app")
    (tmp_path / "app" / "self.py").symlink_to(tmp_path / "app" / "self.py")
    (tmp_path / "app" / "gone.py").symlink_to("nowhere.py")

    assert found(check({"app/b.py": BAD})) == [
        ("app/b.py", "MS812"),
        ("app/gone.py", "MS002"),
        ("app/self.py", "MS002"),
    ]


def test_folder_with_the_name_of_a_file(check: Any, tmp_path: Path) -> None:
    """A folder `x.py` is a folder."""
    assert found(check({"x.py/a.py": BAD})) == [("x.py/a.py", "MS812")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(check: Any, tmp_path: Path) -> None:
    """A file or folder without permissions is a finding each."""
    (tmp_path / "closed").mkdir()
    check({"closed/a.py": BAD, "b.py": BAD})
    (tmp_path / "closed").chmod(0)
    (tmp_path / "b.py").chmod(0)
    try:
        assert found(check({"c.py": "x = 1\n"})) == [("b.py", "MS002"), ("closed", "MS002")]
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_broken_rule(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that fails on one file is a finding there that says so, and the other files are checked."""

    def fail(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(_engine, "_ON_CLASS", [fail])
    report = check({"a.py": "class A:\n    pass\n", "b.py": BAD})

    assert found(report) == [("a.py", "MS002"), ("b.py", "MS812")]
    assert "the check itself failed here, with KeyError" in report.findings[0].message


def test_names(check: Any) -> None:
    """Any name of a file or folder is one."""
    files = {"가격/日本 💹.py": BAD, "a b/'c\".py": BAD, "-x.py": BAD}

    assert sorted(files) == sorted(path for path, _ in found(check(files)))


@pytest.mark.parametrize("is_submodule", [True, False], ids=["submodule", "clone"])
def test_other_repositories(tmp_path: Path, is_submodule: bool) -> None:
    """A repository inside of a service is not the service's, unless somebody names it."""
    inside = tmp_path / "packages/mysingle"
    inside.mkdir(parents=True)
    if is_submodule:
        (inside / ".git").write_text("gitdir: ../../.git/modules/packages/mysingle\n")
    else:
        (inside / ".git").mkdir()
    (tmp_path / ".git").mkdir()
    (inside / "theirs.py").write_text(BAD)
    (tmp_path / "ours.py").write_text(BAD)

    assert [path for path, _ in found(check_paths([tmp_path], CheckConfig(base=tmp_path)))] == ["ours.py"]
    assert [code for _, code in found(check_paths([inside], CheckConfig(base=tmp_path)))] == ["MS812"]


def test_generated_files_are_left_out(check: Any) -> None:
    """Stubs, environments and caches are not checked; a file that is named is."""
    files = {"app/x_pb2.py": BAD, "app/x_pb2_grpc.py": BAD, ".venv/lib/a.py": BAD, "build/a.py": BAD, "a.txt": BAD}

    assert found(check(files)) == []


def test_same_file_twice(check: Any, tmp_path: Path) -> None:
    """A file that is named twice is checked once."""
    check({"a.py": BAD})
    report = check_paths([tmp_path, tmp_path / "a.py", tmp_path / "a.py"], CheckConfig(base=tmp_path))

    assert (report.files, found(report)) == (1, [("a.py", "MS812")])


def test_no_such_path(tmp_path: Path) -> None:
    """A path that does not exist is an error, not an empty result."""
    with pytest.raises(CheckError, match="there is no such file or folder"):
        check_paths([tmp_path / "nowhere"], CheckConfig(base=tmp_path))


def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C ends a check with one line, at once."""
    for number in range(400):
        (tmp_path / f"m{number}.py").write_text("value = compute(1, 'text')\n" * 3000)
    code = "import sys; from mysingle.cli import main; print('begun', flush=True); main()"
    command = [sys.executable, "-c", code, "check", "."]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert said.count("\n") == 1
    assert said.startswith("error: interrupted")


def test_many_files(tmp_path: Path) -> None:
    """Of many files, one of them broken, the findings are those of each one alone, in order."""
    for number in range(330):
        bad = "import pickle\n\nVALUE = pickle.loads(b'')\n" if number % 3 == 0 else "VALUE = 1\n"
        (tmp_path / f"m{number:03}.py").write_text(bad if number != 7 else "def (:\n")
    done = subprocess.run(
        [sys.executable, "-m", "mysingle", "check", "--format", "json", "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = [(row["path"], row["code"]) for row in json.loads(done.stdout)["findings"]]

    assert (done.returncode, done.stderr) == (1, "")
    assert found == sorted([*((f"m{number:03}.py", "MS811") for number in range(0, 330, 3)), ("m007.py", "MS001")])


def test_pipe(tmp_path: Path) -> None:
    """A named pipe is no file: nobody waits for it, and the rest is checked."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "bad.py").write_text(BAD)
    done = subprocess.run(
        [sys.executable, "-m", "mysingle", "check", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "1 file checked" in done.stdout
