"""JSON from outside, read strictly: one meaning, or none."""

import json

__all__ = ["read_object"]


def read_object(raw: bytes) -> dict[str, object]:
    """
    Return the JSON object that the bytes spell in UTF-8.

    Raises:
        ValueError: anything else, a member that occurs twice, NaN or Infinity, or nesting too deep to read.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _without_repetition(members: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers may keep different ones of two members with one name, so there must not be two."""
    made = dict(members)
    if len(made) != len(members):
        raise ValueError("a member occurs twice")
    return made


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repetition, parse_constant=_refuse_constant)
