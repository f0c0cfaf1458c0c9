"""Primitives whose text depends on what they are applied to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.program.kinds import is_ndarray, is_tuple
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Entry, Expression, Name
from retrograde.python.text.constants import dtype_text
from retrograde.rules.contraction.pairwise import layout_of

if TYPE_CHECKING:
    from retrograde.python.text.expressions import ExpressionPrinter

LOWEST, UNARY, POWER, ATOM = 0, 11, 12, 14

Text = tuple[str, int]
"""An expression's text, and how strongly its outermost operator binds."""


def zero_like(kind: ArrayType) -> Any:
    return False if kind.dtype.kind == "b" else 0 if kind.dtype.kind in "iu" else 0.0


def rank_of(operand: Expression) -> int:
    kind = getattr(operand, "type", None)
    if isinstance(kind, ArrayType):
        return kind.rank
    return operand.ndim if is_ndarray(operand) else 0


def kind_of(operand: Expression) -> str:
    kind = getattr(operand, "type", None)
    return kind.dtype.kind if isinstance(kind, ArrayType) else np.asarray(operand).dtype.kind


def _getitem(printer: ExpressionPrinter, apply: Apply) -> Text:
    array, index = apply.operands
    return printer.item(printer.text(array, ATOM), index), ATOM


def _size(printer: ExpressionPrinter, apply: Apply) -> Text:
    axis, offset = apply.static["axis"], apply.static["offset"]
    size = f"{printer.text(apply.operands[0], ATOM)}.shape[{axis}]"
    if offset >= 0:
        return (f"{size} + {offset}", 9) if offset else (size, ATOM)
    if printer.bounds.of_extent(apply.operands[0], axis) + offset >= 0:
        return f"{size} - {-offset}", 9
    return f"max({size} - {-offset}, 0)", ATOM


def _negative(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return f"-{printer.text(apply.operands[0], UNARY)}", UNARY


def _square(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"{printer.text(apply.operands[0], POWER + 1)} ** 2", POWER) if rank_of(apply.operands[0]) else None


_SHORTCUTS = (-1, 0, 0.5, 1, 2)
"""Exponents for which NumPy's operator does something else than `numpy.power`."""


def _power(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    base, exponent = apply.operands
    known = isinstance(exponent, (int, float)) and exponent not in _SHORTCUTS
    if not known or not rank_of(base):
        return None
    return f"{printer.text(base, POWER + 1)} ** {printer.text(exponent, UNARY)}", POWER


def _positive(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"{printer.text(apply.operands[0], ATOM)}.copy()", ATOM) if rank_of(apply.operands[0]) else None


def _invert(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return (f"~{printer.text(apply.operands[0], UNARY)}", UNARY) if rank_of(apply.operands[0]) else None


def _transpose(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    axes = apply.static["axes"]
    return (f"{printer.text(apply.operands[0], ATOM)}.T", ATOM) if axes == (1, 0) else None


def _full(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """Ones have a name of their own."""
    value, shape = apply.operands
    if not isinstance(value, np.generic) or value != 1:
        return None
    extents = shape[0] if is_tuple(shape) and len(shape) == 1 else shape
    dtype = apply.static["dtype"]
    return f"np.ones({printer.text(extents)}{'' if dtype == 'float64' else ', ' + dtype_text(dtype)})", ATOM


def _copy(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    return None if rank_of(apply.operands[0]) else (f"np.array({printer.text(apply.operands[0])})", ATOM)


def _astype(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A number is converted by calling the type: Python's numbers know no `astype`."""
    operand, dtype = apply.operands[0], np.dtype(apply.static["dtype"])
    if rank_of(operand) or (kind_of(operand) == "c" and dtype.kind != "c"):
        return None
    return f"{dtype_text(dtype)}({printer.text(operand)})", ATOM


def _eye(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    rows, columns = map(printer.text, apply.operands[0])
    sizes = rows if rows == columns else f"{rows}, {columns}"
    offset = f", k={apply.static['k']}" if apply.static["k"] else ""
    dtype = "" if apply.static["dtype"] == "float64" else f", dtype={printer.static(np.dtype(apply.static['dtype']))}"
    return f"np.eye({sizes}{offset}{dtype})", ATOM


def _where(printer: ExpressionPrinter, apply: Apply) -> Text:
    condition, *values = apply.operands
    return _chosen(printer, apply, condition, values)


def _masked(printer: ExpressionPrinter, apply: Apply) -> Text:
    value, condition = apply.operands
    return _chosen(printer, apply, condition, [value, zero_like(apply.type)])


def _chosen(printer: ExpressionPrinter, apply: Apply, condition: Expression, values: list[Expression]) -> Text:
    """One of two values; of numbers NumPy's function would make an array without axes."""
    if isinstance(condition, Apply) and condition.primitive.name == "logical_not":
        condition, values = condition.operands[0], values[::-1]
    kinds = {_dtype_of(value) for value in values if isinstance(value, (Name, Apply, Entry))}
    if apply.type.rank or kinds != {apply.type.dtype}:
        return f"np.where({', '.join(map(printer.text, (condition, *values)))})", ATOM
    return f"{printer.text(values[0], 2)} if {printer.text(condition, 2)} else {printer.text(values[1], 2)}", 1


def _dtype_of(operand: Expression) -> Any:
    return getattr(operand.type, "dtype", None)


def _sum_to(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A sum over leading axes, if those that stay are certainly as they were."""
    x = apply.operands[0]
    if not isinstance(x, (Name, Apply, Entry)) or not isinstance(x.type, ArrayType):
        return None
    leading = x.type.rank - apply.type.rank
    stay = x.type.sizes[leading:]
    if not leading or None in stay or stay != apply.type.sizes:
        return None
    axis = "" if not stay else ", axis=0" if leading == 1 else f", axis={tuple(range(leading))}"
    return f"np.sum({printer.text(x)}{axis})", ATOM


def _einsum(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A product of matrices, vectors and numbers, as the evaluation of the contraction takes it."""
    layout = layout_of(apply.static["subscripts"])
    one, other = apply.operands[::-1] if layout.swapped else apply.operands
    if not layout.contracted:
        return _outer(printer, apply)
    singles = all(len(part) <= 1 for part in (layout.rows, layout.columns, layout.contracted))
    if layout.batch or not singles or not (layout.rows or layout.columns or layout.x == layout.y):
        return None
    left = _turned(printer, one, layout.first, 10)
    right = _turned(printer, other, layout.second, 11)
    product = f"{left} @ {right}"
    return (product, 10) if layout.last is None else (f"({product}).T", ATOM)


def _turned(printer: ExpressionPrinter, operand: Expression, order: tuple[int, ...], binding: int) -> str:
    return f"{printer.text(operand, ATOM)}.T" if order == (1, 0) else printer.text(operand, binding)


def _outer(printer: ExpressionPrinter, apply: Apply) -> Text | None:
    """A product with the axes of each operand where the result has them; nothing is summed over."""
    operands, out = apply.static["subscripts"].split("->")
    texts: list[str] = []
    for labels, operand, binding in zip(operands.split(","), apply.operands, (10, 11), strict=True):
        if "".join(label for label in out if label in labels) != labels:
            return None
        placed = ["None" if label not in labels else ":" for label in out]
        while placed and placed[0] == "None":
            placed.pop(0)
        spread = f"{printer.text(operand, ATOM)}[{', '.join(placed)}]"
        texts.append(spread if "None" in placed else printer.text(operand, binding))
    return f"{texts[0]} * {texts[1]}", 10


SPECIAL: dict[str, Callable[[ExpressionPrinter, Apply], Text | None]] = {
    "getitem": _getitem,
    "size": _size,
    "negative": _negative,
    "square": _square,
    "power": _power,
    "positive": _positive,
    "invert": _invert,
    "transpose": _transpose,
    "copy": _copy,
    "full": _full,
    "astype": _astype,
    "eye": _eye,
    "where": _where,
    "masked": _masked,
    "sum_to": _sum_to,
    "einsum": _einsum,
}
"""Primitives whose spelling depends on more than a template can say."""
