"""What the site adds to the pages: the reference of the public names, and an order of its sections."""

import ast
import importlib
import importlib.util
import inspect
import posixpath
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
CHECKS = re.compile(r"^<!-- check\n.*?^-->\n?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^]]*)]\((?!https?:|#)([^)#]*)(#[^)]*)?\)")
SECTIONS = ("Tutorial", "How to", "Reference", "Explanation")
TITLES = {"Api": "Public names", "Cli": "Commands", "Dsl": "Strategy language"}
MOVED = {"MYSINGLE_APP_FACTORY_USAGE_GUIDE.md": "Reference", "SUBMODULE_PR_WORKFLOW.md": "How to"}
GUIDE = "guide.md"
MODULES = (
    *("auth.signing", "core.audit", "core.base", "core.config", "core.context", "core.email", "core.errors"),
    *("core.headers", "core.health", "core.logging", "core.metrics", "dsl.ir.signing", "dsl.limits", "dsl.lsp"),
    *("grpc.cache", "testing.attacks", "tooling.check", "tooling.devplatform", "tooling.doctor", "tooling.gateway"),
    *("tooling.k8s", "tooling.migrate", "tooling.submodule", "tooling.version"),
)
"""What has a page beside the packages that have a README."""
KINDS = ("classmethod", "property", "staticmethod")
WIDTH = 96
PARTS = re.compile(r"^(Args|Returns|Yields|Raises|Source):\s*(.*)$")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leave out what only the tests of the documentation read."""
    return CHECKS.sub("", markdown)


def on_files(files: Any, config: Any) -> Any:
    """Add one page for each public package, and the guide, which stands beside the documentation."""
    for name in _names():
        uri = f"reference/api/{name}.md"
        files.append(File.generated(config, uri, content="\n".join(_page(name, uri))))
    files.append(File.generated(config, GUIDE, content=_linked(ROOT / "AGENTS.md", GUIDE)))
    return files


def _names() -> list[str]:
    packages = [_module_of(readme) for readme in (ROOT / "src" / "mysingle").rglob("README.md")]
    modules = [f"mysingle.{name}" for name in MODULES if _exists(f"mysingle.{name}")]
    return sorted({*packages, *modules})


def _module_of(readme: Path) -> str:
    return ".".join(readme.parent.relative_to(ROOT / "src").parts)


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def on_nav(nav: Any, **_: Any) -> Any:
    """Put sections and pages into the order in which people need them, with short names."""
    sections = {item.title: item for item in nav.items if item.title in SECTIONS}
    for item in list(nav.items):
        section = sections.get(MOVED.get(item.file.src_uri, "")) if item.is_page else None
        if section is not None:
            nav.items.remove(item)
            section.children.insert(0, item)
            item.parent = section
    nav.items.sort(key=lambda item: SECTIONS.index(item.title) if item.title in SECTIONS else -1)
    for below in sections["Reference"].children:
        if below.is_section and below.title == "Api":
            below.children.sort(key=lambda page: page.file.src_uri.removesuffix(".md"))
        if below.is_section:
            below.title = TITLES.get(below.title, below.title)
    for page in nav.pages:
        _shorten(page)
    return nav


def _shorten(page: Any) -> None:
    """Give a page its name in the menu: below How to, nobody needs to read those words again."""
    heading = re.search(r"^# (.*)$", page.file.content_string, re.MULTILINE)
    short = heading[1].removeprefix("How to ") if heading else ""
    if heading and short != heading[1]:
        page.title = short[0].upper() + short[1:]
    elif page.file.src_uri in ("index.md", GUIDE):
        page.title = "Home" if page.file.src_uri == "index.md" else "Guide"


def _page(name: str, uri: str) -> Iterator[str]:
    module = importlib.import_module(name)
    readme = Path(str(module.__file__)).with_name("README.md")
    yield f"# {name}\n"
    if readme.is_file() and hasattr(module, "__path__"):
        yield _linked(readme, uri).partition("\n")[2]
    else:
        yield f"{_text(module)}\n"
    public = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    for own, value in public.items():
        yield from _entry(own, value, public)


def _linked(file: Path, uri: str) -> str:
    """Return a page that stands outside of the documentation, with its links as they are inside; others become text."""

    def link(found: re.Match[str]) -> str:
        target = (file.parent / found[2]).resolve()
        place = _place(target)
        if place is None:
            return found[1]
        return f"[{found[1]}]({posixpath.relpath(place, posixpath.dirname(uri))}{found[3] or ''})"

    return LINK.sub(link, file.read_text(encoding="utf-8"))


def _place(target: Path) -> str | None:
    if target == ROOT / "AGENTS.md":
        return GUIDE
    if target.is_relative_to(ROOT / "docs"):
        return target.relative_to(ROOT / "docs").as_posix()
    if target.name == "README.md" and target.is_relative_to(ROOT / "src"):
        return f"reference/api/{_module_of(target)}.md"
    return None


def _entry(name: str, value: Any, public: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    own = getattr(value, "__name__", name)
    if own != name and public.get(own) is value:
        yield f"Another name of [{own}](#{own.lower()}).\n"
    elif not callable(value):
        is_plain = isinstance(value, str | int | float | tuple | frozenset)
        yield f"`{value!r}`\n" if is_plain and len(repr(value)) < WIDTH else f"`{type(value).__name__}`\n"
    else:
        yield f"```python\n{_signature(name, value)}\n```\n\n{_text(value)}\n"
        for below, method in _methods(value, public) if inspect.isclass(value) else ():
            yield f"### {name}.{below}\n\n```python\n{_signature(below, method)}\n```\n\n{_text(method)}\n"


def _methods(value: type, public: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a class offers: its own, and what comes from bases that have no entry."""
    seen: set[str] = set()
    for base in value.__mro__:
        is_ours = base.__module__.startswith("mysingle")
        if not is_ours or (base is not value and base in public.values()):
            continue
        for name, found in vars(base).items():
            method = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
            is_method = inspect.isfunction(method) and method.__module__.startswith("mysingle") and method.__doc__
            if is_method and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, method


def _signature(name: str, value: Any) -> str:
    """Return a signature as the source writes it: with the names of types, and without what a decorator adds."""
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    except (OSError, TypeError, SyntaxError):
        return name
    if isinstance(node, ast.ClassDef):
        return _class_signature(name, node, is_enum=issubclass(value, Enum))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        kinds = [f"@{ast.unparse(item)}\n" for item in node.decorator_list if ast.unparse(item) in KINDS]
        return "".join(kinds) + _call(f"{kind} {name}", node.args) + returns
    return name


def _class_signature(name: str, node: ast.ClassDef, *, is_enum: bool) -> str:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _call(f"class {name}", item.args)
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and ast.unparse(item.target)[0] != "_"]
    if is_enum:
        fields = [item for item in node.body if isinstance(item, ast.Assign)]
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
