"""What the site adds to the pages: the reference of the public names, and an order of its sections."""

import ast
import importlib
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File

CHECKS = re.compile(r"^<!-- check\n.*?^-->\n?", re.MULTILINE | re.DOTALL)
SECTIONS = ("Tutorial", "How to", "Reference", "Explanation")
PACKAGES = ("core", "core.base", "core.config", "core.context", "core.errors", "auth", "auth.iam", "database", "grpc")
PACKAGES += ("clients", "dsl", "tasks", "embedded", "testing", "testing.attacks", "tooling.scaffold")
WIDTH = 96
PARTS = re.compile(r"^(Args|Returns|Yields|Raises|Source):\s*(.*)$")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leave out what only the tests of the documentation read."""
    return CHECKS.sub("", markdown)


def on_files(files: Any, config: Any) -> Any:
    """Add one page for each public package."""
    for package in PACKAGES:
        name = f"mysingle.{package}"
        if _exists(name):
            content = "\n".join(_page(name))
            files.append(File.generated(config, f"reference/api/{name}.md", content=content))
    return files


def on_nav(nav: Any, **_: Any) -> Any:
    """Put the sections into the order in which people need them."""
    nav.items.sort(key=lambda item: SECTIONS.index(item.title) if item.title in SECTIONS else -1)
    return nav


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _page(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield f"# {name}\n\n{_text(module)}\n"
    for public in module.__all__:
        yield from _entry(public, getattr(module, public))


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"## {name}\n"
    if not callable(value):
        yield f"`{type(value).__name__}`\n"
        return
    yield f"```python\n{_signature(name, value)}\n```\n\n{_text(value)}\n"
    if inspect.isclass(value):
        for own, method in vars(value).items():
            if inspect.isfunction(method) and not own.startswith("_"):
                yield f"### {name}.{own}\n\n```python\n{_signature(own, method)}\n```\n\n{_text(method)}\n"


def _signature(name: str, value: Any) -> str:
    """Return a signature as the source writes it: with the names of types, and without what a decorator adds."""
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    except (OSError, TypeError, SyntaxError):
        return name
    if isinstance(node, ast.ClassDef):
        return _class_signature(name, node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return _call(f"{kind} {name}", node.args) + returns
    return name


def _class_signature(name: str, node: ast.ClassDef) -> str:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _call(f"class {name}", item.args)
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and ast.unparse(item.target)[0] != "_"]
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    head = f"class {name}({bases})" if bases else f"class {name}"
    return "\n".join([head, *(f"    {ast.unparse(field)}" for field in fields)])


def _call(head: str, arguments: ast.arguments) -> str:
    for positional in (arguments.posonlyargs, arguments.args):
        if positional and positional[0].arg in ("self", "cls"):
            del positional[0]
    text = ast.unparse(arguments)
    if len(head) + len(text) < WIDTH:
        return f"{head}({text})"
    wrapped = textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return f"{head}(\n{wrapped}\n)"


def _text(value: Any) -> str:
    """Return a docstring as Markdown: its parts become lists."""
    lines = ((value.__doc__ and inspect.getdoc(value)) or "").splitlines()
    out: list[str] = []
    inside = False
    for line in lines:
        part = PARTS.match(line)
        if part:
            inside = not part[2]
            out += ["", f"**{part[1]}** {part[2]}".rstrip(), ""]
        elif inside and re.match(r"    \S", line):
            out.append(f"- {_escaped(line.strip())}")
        else:
            out.append(_escaped(line) if not inside else f"  {_escaped(line.strip())}")
    return "\n".join(out)


def _escaped(line: str) -> str:
    return line.replace("<", "&lt;") if "`" not in line else line
