"""What is wrong with derivatives that are wrong: a sign, a factor, a term, an order of axes."""

# To a type checker, what NumPy makes of arrays of any shape is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from retrograde.autodiff.checking.compare import Comparison
from retrograde.autodiff.checking.report import FAILING

_LEFT = 0.02
_NEAR = 5e-3


def diagnose(made: Comparison) -> tuple[str, ...]:
    """What is wrong with a group of derivatives, in words; nothing if they are right."""
    failing = np.isin(made.status, FAILING)
    if not np.any(failing):
        return ()
    sentences = [
        f"{np.sum(made.status == status)} of {made.status.size} are {words}, where the differences are finite"
        for status, words in (("nan", "nan"), ("infinite", "infinite"))
        if np.any(made.status == status)
    ]
    if np.any(made.status == "mistake"):
        sentences += [_pattern(made) or ("" if made.located else _extent(made, made.status == "mistake"))]
    return tuple(filter(None, sentences))


def _pattern(made: Comparison) -> str | None:
    """A relation that holds between all of what was found and all of what was expected."""
    usable = made.clear & np.isfinite(made.found) & (made.status != "kink")
    expected, found = made.expected[usable], made.found[usable]
    size = float(np.max(np.abs(expected), initial=0.0))
    if size == 0:
        return _offset(expected, found)
    if not np.any(found):
        return "it is zero; is the argument used, and not through rg.stop_gradient, an int or a copy?"
    return _factor(made, expected, found) or _places(made) or _offset(expected, found)


def _factor(made: Comparison, expected: Any, found: Any) -> str | None:
    factor = float(expected @ found / (expected @ expected))
    if not _explains(factor * expected, expected, found):
        return None
    if abs(factor + 1.0) < _NEAR:
        return "it has the wrong sign"
    known = {made.part.size: "the number of elements", 1 / made.part.size: "one over the number of elements"}
    if len(made.part.shape) > 1:
        known |= {extent: f"the extent of axis {axis}" for axis, extent in enumerate(made.part.shape)}
    hints = [words for number, words in known.items() if number not in (1, 2, 0.5) and abs(factor / number - 1) < _NEAR]
    return f"it is off by a factor of {factor:.7g}" + (f", {hints[0]}" if hints else "")


def _places(made: Comparison) -> str | None:
    """The right numbers at the wrong places, where every entry was compared."""
    part = made.part
    whole = len(made.directions) == part.size and made.directions[0].at is not None
    if not whole or not np.all(np.isfinite(made.found) & np.isfinite(made.expected)):
        return None
    kind = np.complex128 if part.dtype.kind == "c" else np.float64
    shape = (made.found.shape[1], *part.shape)
    found = np.ascontiguousarray(made.found.T).view(kind).reshape(shape)
    expected = np.ascontiguousarray(made.expected.T).view(kind).reshape(shape)
    if kind is np.complex128 and _explains(np.conjugate(expected), expected, found):
        return "it is the complex conjugate of what it should be; gradients here are dL/dx + i dL/dy"
    for axes in permutations(range(len(part.shape))) if len(part.shape) <= 4 else ():
        moved = np.transpose(expected, (0, *(axis + 1 for axis in axes)))
        if axes != tuple(range(len(axes))) and moved.size and _explains(moved.reshape(shape), expected, found):
            return "it is transposed: the axes are in another order"
    in_order = np.argsort(np.argsort(found.reshape(shape[0], -1)))
    sorted_alike = np.take_along_axis(np.sort(expected.reshape(shape[0], -1)), in_order, axis=1)
    if part.size > 1 and _explains(sorted_alike.reshape(shape), expected, found):
        return "it has the right numbers at the wrong places"
    return None


def _explains(pattern: Any, expected: Any, found: Any) -> bool:
    """Whether a pattern leaves next to nothing of the difference between what was found and what was expected."""
    return bool(np.linalg.norm(np.ravel(found - pattern)) <= _LEFT * np.linalg.norm(np.ravel(found - expected)))


def _offset(expected: Any, found: Any) -> str | None:
    if len(expected) < 2:
        return None
    offset = float(np.mean(found - expected))
    if _explains(expected + offset, expected, found):
        return f"it is off by the same number everywhere, {offset:.4g}: a term is missing or too many"
    return None


def _extent(made: Comparison, wrong: Any) -> str:
    rows: list[int] = np.flatnonzero(np.any(wrong, axis=1)).tolist()
    entries = "entries" if made.directions[0].at is not None else "directions"
    text = f"it is wrong in {len(rows)} of {len(made.directions)} {entries}"
    if len(rows) < len(made.directions):
        places = [made.directions[row].place for row in rows[:4]]
        text += f": {', '.join(places)}" + (", …" if len(rows) > 4 else "")
    return text
