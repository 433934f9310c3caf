"""What stands in a cache beside plain values: "there is nothing", and values with tags."""

import struct
from collections.abc import Mapping
from typing import NamedTuple

from mysingle.database._codec import CodecError

__all__ = ["NOTHING", "TAGGED", "Tagged", "checked_tags", "pack_tagged", "unpack_tagged"]

NOTHING = b"MSN1"
"""Stands for a None that a loader returned."""

TAGGED = b"MST1"
"""Begins a value with tags: their number, then name and version of each with its length, then the value's own bytes."""

_MAX_TAGS = 32
_SIZE = struct.Struct(">H")


class Tagged(NamedTuple):
    """The bytes of a value, and the version that each of its tags had when it was made."""

    data: bytes
    versions: Mapping[bytes, bytes]


def pack_tagged(data: bytes, versions: Mapping[bytes, bytes]) -> bytes:
    """
    Return bytes that `unpack_tagged` reads.

    Raises:
        ValueError: more than 32 tags, or a tag of more than 65535 bytes.
    """
    checked_tags(tuple(versions))
    parts = [TAGGED, _SIZE.pack(len(versions))]
    for text in (text for pair in versions.items() for text in pair):
        parts += [_SIZE.pack(len(text)), text]
    return b"".join((*parts, data))


def checked_tags(tags: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """
    Return the tags that a value is to have.

    Raises:
        ValueError: more than 32 tags, or a tag of more than 65535 bytes.
    """
    if len(tags) > _MAX_TAGS or any(len(name) > 0xFFFF for name in tags):
        raise ValueError(f"A value has at most {_MAX_TAGS} tags of at most 65535 bytes")
    return tags


def unpack_tagged(packed: bytes) -> Tagged:
    """
    Take apart what `pack_tagged` made.

    Raises:
        CodecError: the bytes are damaged.
    """
    count, position = _read_size(packed, len(TAGGED))
    if count > _MAX_TAGS:
        raise CodecError("These bytes are not a value with tags")
    texts = []
    for _ in range(2 * count):
        size, position = _read_size(packed, position)
        texts.append(packed[position : position + size])
        position += size
    if position > len(packed):
        raise CodecError("These bytes are not a value with tags")
    return Tagged(packed[position:], dict(zip(texts[::2], texts[1::2], strict=True)))


def _read_size(packed: bytes, position: int) -> tuple[int, int]:
    if position + _SIZE.size > len(packed):
        raise CodecError("These bytes are not a value with tags")
    return _SIZE.unpack_from(packed, position)[0], position + _SIZE.size
