"""Whatever a file looks like, only what must change changes."""

import ast
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.old_names import GONE, MOVED, RENAMED
from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._python import migrate_python

PROJECT = Project(Path("/nowhere"))
NAMES = ["BaseDocument", "BaseTimeDocument", "BaseResponseSchema", "TaskStatus", "setup_logging_legacy", "get_logger"]
MODULES = [
    "mysingle.base",
    "mysingle.base.models",
    "mysingle.logging",
    "mysingle_quant.base",
    "mysingle.core.base",
    "os",
]

words = st.text("abcdefg äöü주", min_size=1, max_size=12).map(str.strip).filter(bool)
comments = words.map(lambda text: f"# {text}")
spaces = st.sampled_from([" ", "  ", "\t"])


@st.composite
def imports(draw: st.DrawFn) -> str:
    module = draw(st.sampled_from(MODULES))
    if module == "os":
        return draw(st.sampled_from(["import os", "from os import path", "import os as mysingle_os"]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    parts = [f"{name} as {name}_x" if draw(st.booleans()) else name for name in names]
    space = draw(spaces)
    form = draw(st.sampled_from(["plain", "parentheses", "lines", "backslash"]))
    if form == "plain":
        return f"from{space}{module} import{space}{', '.join(parts)}"
    if form == "backslash":
        return f"from {module} import \\\n    {', '.join(parts)}"
    if form == "parentheses":
        return f"from {module} import{space}({' , '.join(parts)},)"
    lines = "".join(f"    {part},  {draw(comments)}\n" for part in parts)
    return f"from {module} import (\n{lines})"


@st.composite
def statements(draw: st.DrawFn) -> str:
    return draw(
        st.sampled_from(
            [
                "x  =  1",
                "def f( a,b ):  return a",
                "if True:\n\tpass",
                "y = {'a' :1}",
                "TEXT = '''mysingle.base\n  and more'''",
                "class Item: pass",
                "async def g():\n    # inside\n    return  None",
            ]
        )
    )


@st.composite
def modules(draw: st.DrawFn) -> str:
    rows = []
    for row in draw(st.lists(st.one_of(imports(), statements()), max_size=8)):
        rows += draw(st.lists(st.one_of(comments, st.just("")), max_size=2))
        tail = f"  {draw(comments)}" if draw(st.booleans()) and "\n" not in row else ""
        rows.append(row + tail)
    return draw(st.sampled_from(["\n", "\r\n"])).join("\n".join(rows).split("\n")) + draw(st.sampled_from(["", "\n"]))


def migrate(text: str, *, is_package: bool = False) -> str:
    return migrate_python(text, PROJECT, is_package=is_package)[0]


def comments_of(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sorted(token.string for token in tokens if token.type == tokenize.COMMENT and "TODO" not in token.string)


@given(modules(), st.booleans())
def test_only_what_must(text: str, is_package: bool) -> None:
    """
    The result is Python, keeps every comment and every line that names nothing of version 1, and is stable.
    """
    result = migrate(text, is_package=is_package)
    kept = [
        line for line in text.splitlines() if line.strip() and not any(word in line for word in ("mysingle", *NAMES))
    ]
    lines = result.splitlines()

    ast.parse(result)
    assert comments_of(text) == comments_of(result)
    assert [line for line in kept if line not in lines and not line.strip().startswith((")", "#"))] == []
    assert migrate(result, is_package=is_package) == result


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(end: str) -> None:
    """What the codemod adds has the line ends of the file."""
    text = end.join(["from mysingle.base.enums import TaskStatus", "", "x = TaskStatus.OPEN", ""])
    result = migrate(text)

    assert "class TaskStatus(StrEnum)" in result
    assert result.count("\n") == result.count(end)


@pytest.mark.parametrize("name", sorted({**RENAMED, **GONE}))
def test_names_are_nobody_elses(name: str) -> None:
    """A name that only looks like one of version 1 stays: imported from elsewhere, local, a parameter, a keyword."""
    text = f"from app.things import {name}\n\n\ndef f(a, {name}=None):\n    return a.{name}({name}={name})\n"

    assert migrate(text) == text


@pytest.mark.parametrize("name", sorted(RENAMED))
def test_renamed(name: str) -> None:
    """A name that is called differently is imported from where it is, under its name or the alias of the file."""
    module, _, new = RENAMED[name].rpartition(".")
    result = migrate(
        f"from mysingle.old import {name}\nfrom mysingle.older import {name} as alias\nX = ({name}, alias)\n"
    )

    assert f"from {module} import {new}\n" in result
    assert f"from {module} import {new} as alias\n" in result
    assert result.endswith(f"X = ({new}, alias)\n")


@pytest.mark.parametrize("name", sorted(GONE))
def test_gone(name: str) -> None:
    """A name that is gone has a stand-in with a mark, so that the module can be imported."""
    text, findings = migrate_python(f"from mysingle.old import {name}\nX = {name}\n", PROJECT, is_package=False)
    namespace: dict[str, object] = {"__name__": "module"}
    exec(compile(text, name, "exec"), namespace)

    assert "mysingle.old" not in text
    assert namespace["X"] is namespace[name]
    assert {GONE[name].section} == {item.section for item in findings}


@pytest.mark.parametrize("old", sorted(MOVED))
def test_moved(old: str) -> None:
    """A module that moved is imported from where it is, however it was imported."""
    new = PROJECT.module(old)
    texts = [f"import {old} as m\n", f"from {old} import *\n", f"import {old}\n"]

    assert [migrate(text) for text in texts] == [text.replace(f" {old}", f" {new}") for text in texts]
