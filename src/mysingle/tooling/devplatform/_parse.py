"""
Say which files are no Python, in the words of the interpreter that runs this.

Also run as `python -I -S _parse.py FILE...` by `_syntax.py`, with another interpreter and only the standard library.
"""

import ast
import sys
import traceback
from collections.abc import Iterable, Iterator

__all__ = ["parse_errors"]


def parse_errors(files: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with each file that cannot be parsed: its place, its line, a caret."""
    for name in files:
        try:
            with open(name, "rb") as source:  # noqa: PTH123  # a Path would load more than all the rest
                ast.parse(source.read(), name)
        except OSError:
            continue  # it was deleted, or is being written
        except (SyntaxError, ValueError) as error:
            yield "".join(traceback.format_exception_only(error))


if __name__ == "__main__":
    sys.stdout.writelines(parse_errors(sys.argv[1:]))
