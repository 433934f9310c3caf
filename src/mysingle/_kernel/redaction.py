"""What never reaches a log line: secrets by key, by type, and by their look."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import SecretBytes, SecretStr

__all__ = ["MASK", "redact", "redact_text"]

MASK = "***"
_MAX_DEPTH = 6

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
    (re.compile(r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(\w://[^\s:/@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    (
        re.compile(
            r"(?i)\b((?:[\w-]*password|passwd|secret|api_?key|access_token|refresh_token)[\"']?\s*[=:]\s*)[^\s,;&\"']+"
        ),
        rf"\1{MASK}",
    ),
)
_HINT = re.compile(r"eyJ|earer|asic |BEARER|BASIC|://|(?i:passw|secret|api_?key|_token)")


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Tell whether a key names a secret."""
    lowered = key.lower().replace("-", "_")
    return any(word in lowered for word in _SECRET_WORDS)


def redact_text(text: str) -> str:
    """Return a text without tokens, credentials in URLs, and `password=...` pairs."""
    if not _HINT.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, depth: int = 0) -> Any:  # Any: a log value may be anything
    """Return a value with everything secret in it masked, at any depth."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr | SecretBytes) or depth > _MAX_DEPTH:
        return MASK
    return _redact_container(value, depth + 1)


def _redact_container(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): MASK if is_secret_key(str(key)) else redact(item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth) for item in value]
    return value
