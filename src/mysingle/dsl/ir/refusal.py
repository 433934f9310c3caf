"""
A failed compile in few bytes: the diagnostics without the source, signed for one key of the store.

    b"MSLN" | u8 version | u8 kid_len, kid | u8 mac_len, mac | JSON

The lines of the source are not stored: whoever asks has the source.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from mysingle.dsl.errors import Diagnostic, DSLCode, DSLContainerError, Fixit, Severity
from mysingle.dsl.ir.signing import Keyring, mac_input
from mysingle.dsl.limits import LIMITS

__all__ = ["decode_refusal", "encode_refusal"]

_PREFIX: Final = b"MSLN\x01"


def encode_refusal(diagnostics: Sequence[Diagnostic], keyring: Keyring, key: str) -> bytes:
    """Return what a compile found, signed for one key of the store."""
    payload = json.dumps([_row(item) for item in diagnostics], ensure_ascii=False, separators=(",", ":"))
    data, kid = payload.encode("utf-8", "surrogatepass"), keyring.current.encode()
    mac = keyring.sign(mac_input(_PREFIX, kid, key.encode(), data), keyring.current) if kid else b""
    return b"".join((_PREFIX, bytes((len(kid),)), kid, bytes((len(mac),)), mac, data))


def decode_refusal(data: bytes, keyring: Keyring, key: str, source: str) -> tuple[Diagnostic, ...]:
    """
    Return the diagnostics, with the lines of the source.

    Raises:
        DSLContainerError: anything else than a refusal that is signed for this key and has an error in it.
    """
    if len(data) > LIMITS.container_bytes or data[: len(_PREFIX)] != _PREFIX:
        raise DSLContainerError("These bytes are no stored refusal")
    kid, rest = _counted(data[len(_PREFIX) :])
    mac, payload = _counted(rest)
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        keyring.verify(mac_input(_PREFIX, kid, key.encode(), payload), kid.decode("ascii"), mac)
        found = tuple(_diagnostic(row, lines) for row in json.loads(payload.decode("utf-8", "surrogatepass")))
    except DSLContainerError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DSLContainerError("The stored refusal is malformed: compile again") from error
    if not any(item.severity is Severity.ERROR for item in found):
        raise DSLContainerError("The stored refusal refuses nothing: compile again")
    return found


def _counted(data: bytes) -> tuple[bytes, bytes]:
    if not data or len(data) < 1 + data[0]:
        raise DSLContainerError("The stored refusal is cut off: compile again")
    return data[1 : 1 + data[0]], data[1 + data[0] :]


def _row(item: Diagnostic) -> list[Any]:
    return [
        item.code.value, item.severity.value,
        [item.message, item.message_ko, item.hint, item.hint_ko, item.construct],
        [item.line, item.column, item.end_line, item.end_column],
        [[fix.line, fix.column, fix.end_column, fix.text] for fix in item.fixits],
    ]  # fmt: skip


def _diagnostic(row: Any, lines: Sequence[str]) -> Diagnostic:
    code, severity, texts, numbers, fixits = row
    message, message_ko, hint, hint_ko, construct = map(_text, texts)
    line, column, end_line, end_column = map(_number, numbers)
    return Diagnostic(
        code=DSLCode(code), severity=Severity(severity), message=message, message_ko=message_ko, hint=hint,
        hint_ko=hint_ko, construct=construct, line=line, column=column, end_line=end_line, end_column=end_column,
        source_line=lines[line - 1] if 0 < line <= len(lines) else "",
        fixits=tuple(
            Fixit(line=_number(at), column=_number(start), end_column=_number(end), text=_text(text))
            for at, start, end, text in fixits
        ),
    )  # fmt: skip


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise TypeError("a number was expected")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value
