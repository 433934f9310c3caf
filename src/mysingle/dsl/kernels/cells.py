"""Kernels bar by bar: a cell takes the values of one bar and gives the result, and can be copied."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeAlias

import numpy as np

from mysingle.dsl.kernels.floats import NA, Array, Floats

__all__ = ["Cell", "CellFactory", "Holding", "Restarting", "run_cell"]


class Cell(Protocol):
    """The state of one kernel; `step` is called once for each bar, in order."""

    def step(self, *values: Any) -> Any:
        """Take the values of the next bar; give the result of this bar."""

    def copy(self) -> Self:
        """Give an independent cell with the same state."""


CellFactory: TypeAlias = Callable[[], Cell]


class Restarting:
    """A window over missing values: a missing bar gives na, and the window starts again after it."""

    def __init__(self, make: CellFactory, missing: Floats, cell: Cell | None = None) -> None:
        self._make, self._missing, self._cell = make, missing, cell

    def step(self, *values: float) -> Any:
        """Give the inner cell's result, or na."""
        for value in values:
            if value != value:
                self._cell = None
                return self._missing
        if self._cell is None:
            self._cell = self._make()
        return self._cell.step(*values)

    def copy(self) -> "Restarting":
        """Copy the inner cell too."""
        return Restarting(self._make, self._missing, self._cell and self._cell.copy())


class Holding:
    """A recursion over missing values: a missing bar gives na and changes nothing."""

    def __init__(self, cell: Cell, missing: Floats) -> None:
        self._cell, self._missing = cell, missing

    def step(self, *values: float) -> Any:
        """Give the inner cell's result, or na."""
        for value in values:
            if value != value:
                return self._missing
        return self._cell.step(*values)

    def copy(self) -> "Holding":
        """Copy the inner cell too."""
        return Holding(self._cell.copy(), self._missing)


def run_cell(cell: Cell, columns: Sequence[Array], width: int = 1) -> Any:
    """Run a cell over whole columns: one array, or a tuple of `width` arrays."""
    size = len(columns[0])
    rows = [cell.step(*bar) for bar in zip(*(column.tolist() for column in columns), strict=True)]
    if width == 1:
        return np.array(rows, dtype=np.float64) if size else np.empty(0)
    table = np.array(rows, dtype=np.float64).reshape(size, width) if size else np.full((0, width), NA)
    return tuple(np.ascontiguousarray(table[:, k]) for k in range(width))
