"""The types of settings: how the text of an environment variable becomes a value."""

import json
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

__all__ = ["Flag", "Lifetime", "Port", "Seconds", "SecretList", "TextList"]


def _split(value: object) -> object:
    """Accept `a, b` beside JSON lists, because that is what people write in an .env file."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return _parse_json(value) if isinstance(value, str) else value


def _parse_json(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _flag(value: object) -> object:
    """Accept the four usual words for yes, and their opposites; no other spelling switches anything on."""
    if not isinstance(value, str):
        return value
    word = value.strip(" \t").lower()
    if word not in _FLAG_WORDS:
        raise ValueError("Input should be a valid boolean: true, 1, yes or on, false, 0, no or off")
    return _FLAG_WORDS[word]


_FLAG_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Lifetime = Annotated[int, Field(ge=1, le=366 * 86_400, description="seconds")]
TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Port = Annotated[int, Field(ge=1, le=65535)]
