"""The page of the codes: what each means, a source that has it, what to do, and every sentence of the compiler."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from mysingle.dsl import errors
from mysingle.dsl.errors import DSLCode, DSLError, Severity
from mysingle.dsl.lang.messages import INSTEAD, MESSAGES, Message
from mysingle.dsl.lang.tables import FORBIDDEN_NAMES, REJECTED_NP

__all__ = ["CODES", "CodePage", "errors_page"]


class CodePage(NamedTuple):
    """What stands about one code; the example is a source, or a sentence where no source alone has the code."""

    title: str
    meaning: str
    example: str
    remedy: str
    is_source: bool = True


CODES: Final[Mapping[DSLCode, CodePage]] = {
    DSLCode.SYNTAX: CodePage(
        "the source is not a program",
        "The text cannot be read: a missing bracket, a wrong indentation, or a section that does not exist.",
        "result = (close > open",
        "Look at the caret and at the line before it.",
    ),
    DSLCode.INVALID: CodePage(
        "a name, type or argument that is not there",
        "The language does not have this name, this argument, or this combination of types.",
        "result = EMA(close, windw=12) > close",
        "Take the suggestion of the message, or look the function up in [the functions](functions.md).",
    ),
    DSLCode.FORBIDDEN: CodePage(
        "a construct that no strategy may contain",
        "A strategy computes and decides; it reaches no file, no network, no module and no inside of Python.",
        "import os\nresult = close > open",
        "Write what the message says instead; the tables below list it for every construct.",
    ),
    DSLCode.RUNTIME: CodePage(
        "the run ended",
        "A guard of the strategy itself (`raise`, `assert`) was true, or the strategy gives nothing.",
        "if param.int(5, name='n') > 3:\n    raise ValueError('n is at most 3')\nresult = close > open",
        "The text is the strategy's own; without a guard, assign to `result`, or place an order, a plot or an alert.",
    ),
    DSLCode.LIMIT: CodePage(
        "too large, or too much work",
        "The source, a window, the work of the compiler or the work of the run is beyond a limit.",
        "result = SMA(close, 5001) > close",
        "The message names the limit, its value and the actual number; [all limits](functions.md#limits).",
    ),
    DSLCode.MEMORY: CodePage(
        "too much memory",
        "The run would keep more memory alive, or give back more, than its tier allows.",
        "The run needs 612 MB, the limit is 512 MB: use fewer bars",
        "Use fewer bars or fewer plots, or run in a larger tier.",
        is_source=False,
    ),
    DSLCode.CONTAINER: CodePage(
        "a stored program that cannot be believed",
        "The bytes of a compiled strategy were changed, are signed for another key, or come from another version.",
        "The container is not signed by a known key for this place: compile again",
        "Compile the source again; the source is the truth, the container a copy.",
        is_source=False,
    ),
    DSLCode.PARAMETER: CodePage(
        "a parameter is missing or refused",
        "A required parameter was not passed, an unknown one was, or a value is of the wrong type or out of range.",
        "result = close > SMA(close, length)",
        "Pass it, declare it with a default (`length = param.int(20)`), or look at `params_schema`.",
    ),
    DSLCode.DATA: CodePage(
        "data that cannot be computed with",
        "A column is missing, doubled or holds no numbers, the times do not rise, or the lengths differ.",
        "result = data['dividend'] > 0",
        "The message names the column, and the line when the data come from a file.",
    ),
    DSLCode.LOOKAHEAD: CodePage(
        "a decision that needs the future",
        "A value at one bar would depend on a later bar, so its result could never be had in real time.",
        "result = close.shift(-1) > close",
        "Use the past: `x[1]`, `rolling(n)`, `highest(x, n)`; in research mode the finding is a warning.",
    ),
    DSLCode.WARMUP: CodePage(
        "too few bars",
        "The data end before the first bar on which the strategy has a value.",
        "result = SMA(close, 4000) > close",
        "Pass more bars, or choose smaller windows; `mysingle dsl explain` shows what is needed.",
    ),
    DSLCode.DEPRECATED: CodePage(
        "something older",
        "The source uses a name that a later version of the language will not have.",
        "No name of language 1.0 is deprecated, so nothing has this code yet",
        "Write the name that the message gives.",
        is_source=False,
    ),
}


def errors_page(command: str) -> str:
    """Return the page of all codes."""
    parts = [
        "# Codes of the strategy language\n",
        f"This page is made from the tables of the compiler by `{command}`.",
        "A compile reports all errors of a program at once, each with line, column, caret, and what to write instead.",
        "`str(error)` is `[DSL-002] message at line 1, column 19`; `error.diagnostics` holds everything.",
        "Every message exists in Korean too: `mysingle dsl check FILE --language ko`.\n",
        *_overview(),
    ]
    for code, page in CODES.items():
        parts += _section(code, page)
    return "\n".join(parts) + "\n"


def _overview() -> Iterator[str]:
    yield "| Code | Meaning | Exception |"
    yield "| --- | --- | --- |"
    for code, page in CODES.items():
        names = ", ".join(f"`{name}`" for name in _exceptions(code))
        yield f"| [{code.value}](#{code.value.lower()}) | {page.title} | {names or 'a warning only'} |"


def _exceptions(code: DSLCode) -> list[str]:
    return sorted(kind.__name__ for kind in _family(DSLError) if kind.dsl_code is code)


def _family(kind: type[DSLError]) -> Iterator[type[DSLError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _family(child)


def _section(code: DSLCode, page: CodePage) -> Iterator[str]:
    yield f"\n## {code.value}\n"
    yield f"{page.meaning}\n"
    yield f"```text\n{page.example}\n```\n"
    yield page.remedy
    messages = {(_message(item), _plain(item.hint)) for item in MESSAGES.values() if item.code == code.value}
    told = sorted((text, "" if hint == "..." else hint) for text, hint in messages if text != "...")
    if told:
        yield "\n| Message | What to do |"
        yield "| --- | --- |"
        yield from (f"| {text} | {hint} |" for text, hint in told)
    if code is DSLCode.FORBIDDEN:
        yield from _forbidden()


def _message(item: Message) -> str:
    return _plain(item.en) + (" (a warning)" if item.severity is Severity.WARNING else "")


def _plain(text: str) -> str:
    """Write the blanks of a sentence as three dots."""
    return re.sub(r"\{\w+\}", "...", text).replace("|", "\\|")


def _forbidden() -> Iterator[str]:
    yield "\n| Construct | Write instead |"
    yield "| --- | --- |"
    for what, hint, _ in dict.fromkeys(INSTEAD.values()):
        if what != "this":
            yield f"| {_plain(what)} | {_plain(hint)} |"
    yield "\n| Names | Write instead |"
    yield "| --- | --- |"
    by_hint: dict[str, list[str]] = {}
    for name, (hint, _) in FORBIDDEN_NAMES.items():
        by_hint.setdefault(hint, []).append(f"`{name}`")
    for hint, names in by_hint.items():
        yield f"| {', '.join(names)} | {_plain(hint)} |"
    yield "\n| Name of np | Write instead |"
    yield "| --- | --- |"
    for name, hint in REJECTED_NP.items():
        yield f"| `np.{name}` | {'`' + hint.replace('|', chr(92) + '|') + '`' if hint else 'there is no causal form'} |"
