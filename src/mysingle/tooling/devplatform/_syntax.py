"""Whether files are Python at all, in the words of the interpreter that will run them."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

from mysingle.tooling.devplatform._parse import parse_errors

__all__ = ["syntax_errors"]

_PROGRAM = Path(__file__).with_name("_parse.py")
_SECONDS = 10.0


async def syntax_errors(python: Path, files: Sequence[Path]) -> str:
    """Return what is wrong with the files; nothing when they can be parsed."""
    names = [str(file) for file in files]
    if python == Path(sys.executable):
        return "".join(parse_errors(names)).rstrip()
    return (await _ask(python, names)).rstrip()


async def _ask(python: Path, names: Sequence[str]) -> str:
    child = await asyncio.create_subprocess_exec(
        *(str(python), "-I", "-S", str(_PROGRAM), *names), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(child.communicate(), _SECONDS)
    except TimeoutError:  # whatever is in them, the service itself will say it
        child.kill()
        return ""
    return output.decode("utf-8", "replace")
