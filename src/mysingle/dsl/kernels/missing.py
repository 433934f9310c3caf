"""What a kernel does about missing values: windows start again after one, recursions do not see it."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np

from mysingle.dsl.kernels.floats import Array, Charge, Mask, clean_from

__all__ = ["Policy", "guarded", "segments"]

Call: TypeAlias = Callable[[Sequence[Array]], tuple[Array, ...]]
_CALL_GAS = 2_000


class Policy(StrEnum):
    """How missing values reach a kernel."""

    POINTWISE = "pointwise"
    WINDOW = "window"
    RECURSIVE = "recursive"
    SHIFT = "shift"
    OWN = "own"


def guarded(
    call: Call,
    arrays: Sequence[Array],
    policy: Policy,
    look_back: Callable[[], int],
    empty: Sequence[float],
    charge: Charge,
) -> tuple[Array, ...]:
    """Call a kernel that must not see a missing value after its first valid bar; `empty` fills the missing bars."""
    size = arrays[0].size
    starts = [clean_from(array) for array in arrays]
    if min(starts) >= 0:
        if size == 0 or max(starts) >= size:
            return tuple(np.full(size, fill) for fill in empty)
        return call(arrays)
    present = ~np.isnan(arrays[0])
    for array in arrays[1:]:
        present &= ~np.isnan(array)
    if policy is Policy.RECURSIVE:
        return _skipping(call, arrays, present, empty)
    return _by_segment(call, arrays, present, look_back(), empty, charge)


def _skipping(call: Call, arrays: Sequence[Array], present: Mask, empty: Sequence[float]) -> tuple[Array, ...]:
    results = tuple(np.full(present.size, fill) for fill in empty)
    packed = [array[present] for array in arrays]
    if packed[0].size:
        for result, found in zip(results, call(packed), strict=True):
            result[present] = found
    return results


def _by_segment(
    call: Call, arrays: Sequence[Array], present: Mask, look_back: int, empty: Sequence[float], charge: Charge
) -> tuple[Array, ...]:
    results = tuple(np.full(present.size, fill) for fill in empty)
    for begin, end in segments(present):
        if end - begin <= look_back:
            continue
        charge(_CALL_GAS)
        for result, found in zip(results, call([array[begin:end] for array in arrays]), strict=True):
            result[begin:end] = found
    return results


def segments(present: Mask) -> Iterator[tuple[int, int]]:
    """Give the maximal runs of True as [begin, end)."""
    edges: Any = np.flatnonzero(np.diff(present.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)
