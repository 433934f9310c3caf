"""What never reaches a log line: secrets by key, by type, and by their look."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["MASK", "redact", "redact_text"]

MASK = "***"
_MAX_DEPTH = 6
_MAX_ITEMS = 1000
_MAX_TEXT = 4 * 1024
_MAX_INTEGER = 1 << 64
_PLAIN = (datetime, date, timedelta, UUID, Decimal)

_SECRET_WORDS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
    "private_key",
    "credential",
    "signature",
)
_PATTERNS = (
    (re.compile(r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,4}[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(\w://[^\s:/@]{0,256}):[^\s\"'<>/]{1,512}@"), rf"\1:{MASK}@"),
    (
        re.compile(r"(?i)(authorization[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?:[\w-]{1,16}\s{1,4})?)[^\s,;&\"'}]+"),
        rf"\1{MASK}",
    ),
    # No unbounded repetition stands before the words: it would be tried from every position of a long text.
    (
        re.compile(
            r"(?i)((?:password|passwd|passphrase|secret|(?<![a-z])token|api[_-]?key|private[_-]?key|credential|cookie)"
            r"[\w-]{0,32}[\"']?\s{0,4}[=:]\s{0,4})(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&\"'}]+)"
        ),
        rf"\1{MASK}",
    ),
)
_HINT = re.compile(
    r"eyJ|://|(?i:bearer|basic |token|authorization|passw|passphrase|secret|api[_-]?key|private[_-]?key)"
    r"|(?i:credential|cookie)"
)


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Tell whether a key names a secret."""
    lowered = key.lower().replace("-", "_")
    return any(word in lowered for word in _SECRET_WORDS)


def redact_text(text: str) -> str:
    """Return a text without tokens, credentials in URLs, and `password=...` pairs."""
    # Every pattern needs one of these, and looking for them costs a tenth of the search.
    if "=" not in text and ":" not in text and " " not in text and "eyJ" not in text:
        return text
    if not _HINT.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, depth: int = 0) -> Any:  # Any: a log value may be anything
    """Return a value with everything secret in it masked, at any depth."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, int) and not -_MAX_INTEGER < value < _MAX_INTEGER:
        return f"<an integer of {value.bit_length()} bits>"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr | SecretBytes) or depth > _MAX_DEPTH:
        return MASK
    return _redact_container(value, depth + 1)


def _redact_container(value: Any, depth: int) -> Any:
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name, None) for field in fields(value)}
    if isinstance(value, Mapping):
        return _redact_mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [redact(item, depth) for item in islice(value, _MAX_ITEMS)]
    if isinstance(value, _PLAIN):
        return value
    return describe(value)


def _redact_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    pairs = ((_key(key), item) for key, item in islice(value.items(), _MAX_ITEMS))
    return {key: MASK if is_secret_key(key) else redact(item, depth) for key, item in pairs}


def _key(key: object) -> str:
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else describe(key)
    return redact_text(text)


def describe(value: object) -> str:
    """Return a foreign object as harmless text; never raises."""
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    except Exception:  # its __str__ is not ours
        return f"<{type(value).__qualname__}>"
    return redact_text(text[:_MAX_TEXT])
