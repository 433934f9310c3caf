"""Lines of a stream, however long they are."""

import asyncio
from collections.abc import AsyncIterator

__all__ = ["lines_of"]

_MAX_LINE = 64 * 1024
_CHUNK = 64 * 1024


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines without their line breaks, also the last one that has none; longer ones come in parts."""
    rest = b""
    while chunk := await stream.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > _MAX_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest
