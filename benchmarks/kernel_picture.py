"""The picture of `kernel_times.py`: for each kernel, the times of others as multiples of ours, on a logarithmic axis.

python benchmarks/kernel_picture.py kernels.json S docs/images/kernels.svg
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from kernel_tables import milliseconds

from retrograde.report import Figure
from retrograde.report.scales import Scale, Ticks
from retrograde.report.svg import Axes, Drawing

_WIDTH, _ROW, _LEFT, _TOP, _BOTTOM = 740.0, 17.0, 190.0, 40.0, 44.0
_LOWEST, _HIGHEST = 0.08, 3000.0
_MULTIPLES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_OTHERS = (
    ("jax", "JAX", "series-0"),
    ("dace", "DaCe", "series-1"),
    ("hand", "adjoint by hand", "series-2"),
    ("forward", "forward pass alone, compiled", "ghost"),
)

Row = dict[str, Any]


def multiple(row: Row, name: str) -> float | None:
    """How many times as long as ours a contestant took."""
    theirs, ours = milliseconds(row, name), milliseconds(row, "retrograde")
    return theirs / ours if theirs and ours else None


def kernels_figure(rows: list[Row], size: str) -> Figure:
    """A row for each kernel that somebody else can do, those at the top where JAX is slowest against us."""
    shown = [row for row in rows if row["size"] == size and (multiple(row, "jax") or multiple(row, "dace"))]
    shown.sort(key=lambda row: -(multiple(row, "jax") or multiple(row, "dace") or 0.0))
    drawing = Drawing()
    words = [(f"● {label}\u2003", colour, True) for _, label, colour in _OTHERS]
    drawing.words(0, 14, [("Time of\u2002", "ink", True), *words])
    bottom = _TOP + _ROW * len(shown)
    axes = Axes(Scale(math.log(_LOWEST), math.log(_HIGHEST), _LEFT, _WIDTH), Scale(0.0, 1.0, bottom, _TOP))
    ticks = Ticks(tuple(map(math.log, _MULTIPLES)), tuple(f"{number:g} ×" for number in _MULTIPLES))
    axes.draw_grid(drawing, ticks, Ticks((), ()))
    drawing.line(axes.x(0.0), _TOP, axes.x(0.0), bottom, "ink", 1.5)
    for place, row in enumerate(shown):
        _draw_row(drawing, axes, row, _TOP + _ROW * (place + 0.5))
    drawing.text((_LEFT + _WIDTH) / 2, bottom + 38, "as a multiple of retrograde's gradient", "muted", "middle")
    return drawing.figure(_WIDTH, bottom + _BOTTOM, f"Times of gradients at size {size}, as multiples of ours")


def _draw_row(drawing: Drawing, axes: Axes, row: Row, y: float) -> None:
    ours = milliseconds(row, "retrograde") or 0.0
    drawing.words(0, y + 4, [(row["kernel"], "ink", False), (f"\u2002{ours:.3g} ms", "muted", False)])
    for name, _, colour in reversed(_OTHERS):
        found = multiple(row, name)
        if found is not None:
            drawing.dot(axes.x(math.log(min(max(found, _LOWEST), _HIGHEST))), y, 4.5, colour)


def main() -> None:
    """Draw the picture of a file that `kernel_times.py` wrote."""
    source, size, target = sys.argv[1:]
    Path(target).write_text(kernels_figure(json.loads(Path(source).read_text()), size).svg())


if __name__ == "__main__":
    main()
