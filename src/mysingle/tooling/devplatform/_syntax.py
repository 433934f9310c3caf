"""Whether files are Python at all, in the words of the interpreter that will run them."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

__all__ = ["syntax_errors"]

_SECONDS = 10.0
_PROGRAM = """
import ast, sys, traceback

for name in sys.argv[1:]:
    try:
        with open(name, "rb") as source:
            ast.parse(source.read(), name)
    except OSError:
        pass  # it was deleted, or is being written
    except (SyntaxError, ValueError) as error:
        print("".join(traceback.format_exception_only(error)), end="")
"""


async def syntax_errors(python: Path, files: Sequence[Path]) -> str:
    """Return what is wrong with the files; nothing when they can be parsed."""
    child = await asyncio.create_subprocess_exec(
        *(str(python), "-I", "-S", "-c", _PROGRAM, *map(str, files)), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(child.communicate(), _SECONDS)
    except TimeoutError:  # whatever is in them, the service itself will say it
        child.kill()
        return ""
    return output.decode("utf-8", "replace").rstrip()
