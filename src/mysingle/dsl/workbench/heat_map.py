"""A sweep of two parameters as a picture: how good each pair is, and whether its neighbours are good too."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mysingle.dsl.errors import DSLParameterError
from mysingle.dsl.workbench.chart import PRICE
from mysingle.dsl.workbench.paint import clean
from mysingle.dsl.workbench.sweeping import Sweeping

__all__ = ["cells_of", "varied_in", "write_heat_map"]

_TICKS: Final = 16
_NUMBERS: Final = 12
_DPI: Final = 110


def varied_in(combinations: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """
    Return the two parameters that a heat map shows: the first across, the second up.

    Raises:
        DSLParameterError: another number of parameters than two has several values.
    """
    varied = [name for name in combinations[0] if len({repr(item[name]) for item in combinations}) > 1]
    if len(varied) != 2:
        raise DSLParameterError(f"--chart shows two parameters with several values each; here it is {len(varied)}")
    return varied[0], varied[1]


def cells_of(found: Sweeping) -> tuple[list[Any], list[Any], Any]:
    """Return the values of the columns and of the rows, and the numbers; nan where nothing was tried."""
    across, down = varied = varied_in(found.combinations)
    columns, rows = (_values(found, name) for name in varied)
    at_column, at_row = ({value: at for at, value in enumerate(values)} for values in (columns, rows))
    cells = np.full((len(rows), len(columns)), np.nan)
    for item, value in zip(found.combinations, found.values.tolist(), strict=True):
        cells[at_row[item[down]], at_column[item[across]]] = value
    return columns, rows, cells


def _values(found: Sweeping, name: str) -> list[Any]:
    """Return the values of a parameter: numbers in their order, others as they were given."""
    values = list(dict.fromkeys(item[name] for item in found.combinations))
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values


def write_heat_map(title: str, found: Sweeping, path: Path) -> None:
    """
    Draw the values and write them as PNG.

    Raises:
        DSLParameterError: not two parameters. OSError: the file cannot be written.
    """
    across, down = varied_in(found.combinations)
    columns, rows, cells = cells_of(found)
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a letter that no font has is drawn as a box
        figure = Figure(figsize=(10.0, 7.5), dpi=_DPI, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        image = axis.imshow(cells, origin="lower", aspect="auto", cmap="viridis")
        axis.set_xticks(*_ticks(columns))
        axis.set_yticks(*_ticks(rows))
        axis.set_xlabel(across)
        axis.set_ylabel(down)
        axis.set_title(f"{clean(title)}: {found.metric}", loc="left", fontsize=13, fontweight="bold", color=PRICE)
        figure.colorbar(image, ax=axis, label=found.metric)
        if max(cells.shape) <= _NUMBERS:
            _write_numbers(axis, cells)
        best = found.best
        axis.scatter([columns.index(best[across])], [rows.index(best[down])], s=260, marker="s", facecolors="none",
                     edgecolors="#b91c1c", linewidths=2.2)  # fmt: skip
        figure.savefig(path, format="png")


def _ticks(values: list[Any]) -> tuple[list[int], list[str]]:
    step = -(-len(values) // _TICKS)
    places = list(range(0, len(values), step))
    return places, [str(values[at]) for at in places]


def _write_numbers(axis: Any, cells: Any) -> None:
    middle = (np.nanmin(cells) + np.nanmax(cells)) / 2
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            color = "white" if value < middle else "black"
            axis.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8, color=color)
