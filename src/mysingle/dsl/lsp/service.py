"""What an editor asks: what is wrong, what may stand here, what this is, which argument comes next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mysingle.dsl.api import Program
from mysingle.dsl.api import compile as compile_strategy
from mysingle.dsl.errors import Diagnostic, DSLError
from mysingle.dsl.lang.lower import METADATA, PROFILES
from mysingle.dsl.lang.tables import OHLCV
from mysingle.dsl.limits import LIMITS
from mysingle.dsl.lsp.catalog import (
    Entry,
    globals_of_the_language,
    is_composite,
    members,
    parameter,
    sections,
    words_of,
)
from mysingle.dsl.lsp.cursor import Call, Cursor, read_cursor
from mysingle.dsl.lsp.scope import Scope, read_scope
from mysingle.dsl.lsp.tokens import chain_before, index_before

__all__ = [
    "Completion", "Hover", "Item", "Signature", "analyse", "complete", "diagnostics", "hover", "signature_help",
]  # fmt: skip

_MOST: Final = 60
_ORDER: Final = {
    kind: place
    for place, kind in enumerate(
        ("argument", "variable", "parameter", "field", "column", "section", "function", "method", "value", "namespace",
         "keyword")
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One proposal; `insert` replaces the word before the cursor."""

    label: str
    kind: str
    insert: str
    detail: str = ""
    doc: str = ""
    doc_ko: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What may stand at a place, the best first; the word that it replaces begins at `column` (1-based)."""

    column: int
    items: tuple[Item, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hover:
    """What a name is; the columns are 1-based, the end exclusive."""

    line: int
    column: int
    end_column: int
    kind: str
    signature: str
    doc: str = ""
    doc_ko: str = ""
    outputs: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The call around a place, with the argument that is being written; -1 is none of them."""

    label: str
    parameters: tuple[Mapping[str, Any], ...]
    active: int
    doc: str = ""
    doc_ko: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "parameters": [dict(item) for item in self.parameters]}


def analyse(
    source: str, *, profile: str = "standard", mode: str = "strict", columns: Iterable[str] = ()
) -> tuple[Program | None, tuple[Diagnostic, ...]]:
    """Return the program, None when it does not compile, and all findings; never raises for what the source says."""
    try:
        program = compile_strategy(source, profile, mode, columns)
    except DSLError as error:
        found = Diagnostic(code=error.dsl_code, message=error.message, line=error.line or 0, column=error.column or 0)
        return None, error.diagnostics or (found,)
    return program, program.warnings


def diagnostics(
    source: str, *, profile: str = "standard", mode: str = "strict", columns: Iterable[str] = ()
) -> tuple[Diagnostic, ...]:
    """Return every error and warning of a source, with places and repairs; nothing when all is well."""
    return analyse(source, profile=profile, mode=mode, columns=columns)[1]


def complete(source: str, line: int, column: int, *, columns: Sequence[str] = ()) -> Completion:
    """Return what may stand at a place (1-based): names, members, arguments, fields of the header."""
    if _is_too_long(source):
        return Completion(column=max(column, 1))
    cursor = read_cursor(_plain(source), line, column)
    at = len(cursor.head) - len(cursor.prefix) + 1
    if cursor.inside in {"comment", "number", "string"}:
        return Completion(column=at)
    scope = read_scope(cursor.tokens, columns)
    ranked = [(_rank(item, cursor.prefix), item) for item in _items(cursor, scope)]
    fitting = sorted((pair for pair in ranked if pair[0][0] < _NO_MATCH), key=lambda pair: pair[0])
    return Completion(column=at, items=tuple(item for _, item in fitting)[:_MOST])


_NO_MATCH: Final = 3


def _rank(item: Item, prefix: str) -> tuple[int, int, bool, str]:
    """Order by how well a name begins like what has been written, then by kind and name."""
    label, low = item.label, prefix.lower()
    if not prefix or label.startswith(prefix):
        match = 0
    elif label.lower().startswith(low):
        match = 1
    else:
        match = 2 if len(prefix) > 1 and low in label.lower() else _NO_MATCH
    is_foreign = item.kind == "function" and not is_composite(label)
    word = "" if item.kind == "argument" else label.lower()  # arguments keep the order of the signature
    return match, _ORDER.get(item.kind, len(_ORDER)), is_foreign, word


def _items(cursor: Cursor, scope: Scope) -> Iterator[Item]:
    if cursor.inside == "column":
        names = [name for name, entry in scope.entries.items() if entry.kind == "column"]
        yield from (Item(label=name, kind="column", insert=name) for name in dict.fromkeys([*OHLCV, *names]))
    elif cursor.owner is not None:
        yield from _offered(scope.following(scope.shape_of(cursor.owner)))
    elif cursor.head.startswith("@"):
        yield from _offered(sections())
    elif cursor.section == "metadata":
        yield from _header(cursor.head)
    elif cursor.section == "params":
        yield from _parameter_line(cursor.head)
    else:
        yield from _anywhere(cursor, scope)


def _header(head: str) -> Iterator[Item]:
    key, colon, _ = head.partition(":")
    if not colon:
        yield from (Item(label=name, kind="field", insert=f"{name}: ") for name in sorted(METADATA))
    elif key.strip() == "profile":
        yield from (Item(label=name, kind="value", insert=name) for name in PROFILES)


def _parameter_line(head: str) -> Iterator[Item]:
    if ":" in head:
        for name, entry in members("param").items():
            full = f"param.{name}"
            yield Item(label=full, kind="function", insert=f"{full}(", detail=f"param.{entry.signature}", doc=entry.doc,
                       doc_ko=entry.doc_ko)  # fmt: skip


def _anywhere(cursor: Cursor, scope: Scope) -> Iterator[Item]:
    if cursor.call is not None and cursor.call.is_at_start:
        yield from _arguments(cursor.call, scope)
    yield from _offered(scope.entries)
    yield from _offered({
        name: entry for name, entry in globals_of_the_language().items() if name not in scope.entries
    })  # fmt: skip


def _arguments(call: Call, scope: Scope) -> Iterator[Item]:
    entry = scope.find(call.function)
    for at, arg in enumerate(entry.args or ()) if entry else ():
        if at >= call.argument - len(call.used) and arg.name not in call.used and not arg.variadic:
            yield Item(label=f"{arg.name}=", kind="argument", insert=f"{arg.name}=", detail=words_of(arg))


def _offered(entries: Mapping[str, Entry]) -> Iterator[Item]:
    for name, entry in entries.items():
        insert = f"{name}(" if entry.args is not None else name
        yield Item(label=name, kind=entry.kind, insert=insert, detail=entry.signature, doc=entry.doc,
                   doc_ko=entry.doc_ko)  # fmt: skip


def hover(source: str, line: int, column: int, *, columns: Sequence[str] = ()) -> Hover | None:
    """Return what the name at a place is; None when there is no name, or nothing is known of it."""
    if _is_too_long(source):
        return None
    cursor = read_cursor(_plain(source), line, column + 1)  # the letter at the place counts, not the one before it
    at = index_before(cursor.tokens, cursor.offset)
    if at < 0 or cursor.tokens[at].kind != "name" or cursor.tokens[at].end < cursor.offset:
        return None
    token = cursor.tokens[at]
    segments, _ = chain_before(cursor.tokens, at + 1)
    entry = read_scope(cursor.tokens, columns).find(segments)
    if entry is None:
        return None
    start = len(cursor.head) - (cursor.offset - token.start) + 1
    return Hover(
        line=max(line, 1), column=start, end_column=start + len(token.text), kind=entry.kind, signature=entry.signature,
        doc=entry.doc, doc_ko=entry.doc_ko, outputs=entry.outputs,
    )  # fmt: skip


def signature_help(source: str, line: int, column: int) -> Signature | None:
    """Return the call that is open at a place, and which of its arguments is being written; None outside of calls."""
    if _is_too_long(source):
        return None
    cursor = read_cursor(_plain(source), line, column)
    if cursor.call is None or cursor.inside == "comment":
        return None
    entry = read_scope(cursor.tokens).find(cursor.call.function)
    if entry is None or entry.args is None:
        return None
    names = [arg.name for arg in entry.args]
    active = cursor.call.argument
    if cursor.call.keyword:
        active = names.index(cursor.call.keyword) if cursor.call.keyword in names else -1
    else:
        star = next((at for at, arg in enumerate(entry.args) if arg.variadic), len(names))
        active = min(active, star) if min(active, star) < len(names) else -1
    return Signature(
        label=entry.signature, parameters=tuple(parameter(arg) for arg in entry.args), active=active, doc=entry.doc,
        doc_ko=entry.doc_ko,
    )  # fmt: skip


def _is_too_long(source: str) -> bool:
    return len(source) > LIMITS.source_bytes


def _plain(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")
