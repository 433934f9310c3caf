"""The garbage collector of a process that serves: what start-up made is no garbage, so do not look at it again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["settled_heap"]

_UNTOUCHED = {(700, 10, 10), (2_000, 10, 10)}
"""The thresholds with which the interpreters that we support begin."""

_SERVING = (20_000, 50, 100)
"""
New objects before a collection, and collections before the next older generation.

Requests leave few reference cycles behind. With the interpreter's own thresholds a service looks for them at every
third request, and again and again through everything that it ever imported, in the middle of somebody's request.
"""

_holders = 0
_found: tuple[int, int, int] | None = None


@contextmanager
def settled_heap() -> Iterator[None]:
    """
    Exempt what exists now from collection, and collect less often, while at least one app of the process serves.

    A process that has set up its collector itself keeps its choice.
    """
    global _holders
    _holders += 1
    if _holders == 1:
        _settle()
    try:
        yield
    finally:
        _holders -= 1
        if _holders == 0:
            _unsettle()


def _settle() -> None:
    global _found
    thresholds = gc.get_threshold()
    if gc.isenabled() and thresholds in _UNTOUCHED and not gc.get_freeze_count():
        _found = thresholds
        gc.set_threshold(*_SERVING)
        gc.freeze()


def _unsettle() -> None:
    global _found
    if _found is not None:
        gc.set_threshold(*_found)
        gc.unfreeze()
    _found = None
