"""What the demo prints: progress lines and one table, in colour when a person watches."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IS_COLOURFUL = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if IS_COLOURFUL else text


def green(text: str) -> str:
    return paint(text, "32")


def red(text: str) -> str:
    return paint(text, "31")


def dim(text: str) -> str:
    return paint(text, "2")


def bold(text: str) -> str:
    return paint(text, "1")


@contextmanager
def progress(what: str) -> Iterator[list[str]]:
    """Print a line when something begins, and complete it when it is done; what is appended is shown behind it."""
    started = time.perf_counter()
    notes: list[str] = []
    if IS_COLOURFUL:
        print(f"  … {what}", end="\r", flush=True)
    try:
        yield notes
    except BaseException:
        print(f"  {red('x')} {what:<30}")
        raise
    seconds = f"{time.perf_counter() - started:.1f} s"
    print(f"  {green('+')} {what:<30} {' '.join(notes):<32} {dim(seconds)}", flush=True)


def row(step: str, request: str, status: int, expected: int, seconds: float, note: str = "") -> None:
    mark = green(f"{status}") if status == expected else red(f"{status}, not {expected}")
    print(
        f"  {step:<38} {dim(f'{request:<28}')} {mark}  {dim(f'{seconds * 1000:6.1f} ms')}  {note}".rstrip(), flush=True
    )


def finding(line: str, item: dict[str, Any]) -> None:
    """Show one finding of the compiler below its line; `item` is from the problem document."""
    width = item["end_column"] - item["column"] if item["end_line"] == item["line"] else 1
    print(f"    {red(item['code'])} {item['message']}")
    print(f"    {item['line']:>4} | {line}")
    print(f"         | {' ' * (item['column'] - 1)}{red('^' * max(width, 1))}")
    if item["hint"]:
        print(dim(f"         = {item['hint']}"))


def fact(step: str, said: str, *, is_expected: bool) -> None:
    print(f"  {step:<38} {dim(' ' * 28)} {green('yes') if is_expected else red('no')}  {said}", flush=True)
