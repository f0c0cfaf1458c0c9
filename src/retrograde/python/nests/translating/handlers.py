"""How each primitive that is not computed element by element becomes fields and nests."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.parts.affine import variable
from retrograde.python.nests.parts.fields import Field, Indices
from retrograde.python.nests.parts.model import Scalar, Spelled, Store, Whole
from retrograde.python.nests.translating.along_axis import add_along_axis, last_writes, take_along_axis
from retrograde.python.nests.translating.combining import norm, place_of, recurrence, reduction, running, spread, sum_to
from retrograde.python.nests.translating.indexing import gather_of, is_basic, parts_of, sliced
from retrograde.python.nests.translating.making import (
    arange,
    concatenate,
    eye,
    full,
    lazy_zeros,
    roll,
    stack,
    triangle,
    zeros,
)
from retrograde.python.nests.translating.products import einsum, matmul
from retrograde.python.nests.translating.reshaping import broadcast_to, diagonal, from_diagonal, reshape, transposed
from retrograde.python.nests.translating.selecting import compressed, is_masked
from retrograde.python.nests.translating.translator import INT64, Translator
from retrograde.python.nests.translating.writing import fitted, is_all, write_into


def _getitem(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    parts = parts_of(translator, field.extents, expression.operands[1])
    if is_basic(parts):
        return sliced(field, parts)
    if is_masked(parts, field.extents):
        return compressed(translator, field, parts)
    gather = gather_of(translator, parts)
    field = translator.cheap(field)
    made = translator.allocate(gather.extents, field.dtype)
    assert made.memory is not None
    loops = translator.loops(len(gather.extents))
    indices = tuple(map(variable, loops))
    steps, place = gather.steps(indices)
    store = Store(made.memory.array, made.memory.at(indices), field.at(place), field.dtype)
    translator.nest(gather.extents, [*steps, store], loops)
    return made


def _size(translator: Translator, expression: Apply) -> Field:
    value = translator.whole_of(expression)
    assert value is not None
    return Field((), INT64, lambda _: Whole(value))


def _copy(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    return Field(field.extents, field.dtype, field.at, None, field.cost, field.weak)


def _update(translator: Translator, expression: Apply) -> Field:
    return _copy_and_write(translator, expression, adding=False)


def _add_at(translator: Translator, expression: Apply) -> Field:
    return _copy_and_write(translator, expression, adding=True)


def _copy_and_write(translator: Translator, expression: Apply, adding: bool) -> Field:
    array, index, value = expression.operands
    made = translator.materialized(translator.field(array))
    write_into(translator, made, index, translator.field(value), adding)
    return made


def _scatter(translator: Translator, expression: Apply) -> Field:
    value, index, shape = expression.operands
    extents = tuple(translator.index(extent) for extent in shape)
    field = translator.field(value)
    if not extents:
        return field
    parts = parts_of(translator, extents, index)
    if len(parts) == len(extents) and all(map(is_all, parts, extents)):
        return fitted(translator, field, extents)
    made = zeros(translator, extents, expression.type.dtype)
    write_into(translator, made, index, field, adding=True)
    return made


def _round(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    if expression.static["decimals"] != 0 or field.dtype.kind != "f":
        raise Demoted("rounding to decimals has no form for Numba")

    def at(indices: Indices) -> Scalar:
        return Spelled("np.rint({0})", (field.at(indices),), field.dtype, 1)

    return Field(field.extents, field.dtype, at, cost=field.cost + 1)


HANDLERS: dict[str, Callable[[Translator, Apply], Field]] = {
    "getitem": _getitem,
    "transpose": transposed,
    "broadcast_to": broadcast_to,
    "reshape": reshape,
    "diagonal": diagonal,
    "from_diagonal": from_diagonal,
    "zeros": lazy_zeros,
    "copy": _copy,
    "full": full,
    "arange": arange,
    "eye": eye,
    "tril": triangle(lower=True),
    "triu": triangle(lower=False),
    "size": _size,
    "concatenate": concatenate,
    "stack": stack,
    "roll": roll,
    "update": _update,
    "add_at": _add_at,
    "scatter": _scatter,
    "sum": reduction("+"),
    "prod": reduction("*"),
    "max": reduction("max"),
    "min": reduction("min"),
    "any": reduction("or"),
    "all": reduction("and"),
    "norm": norm,
    "var": spread(root=False),
    "std": spread(root=True),
    "argmax": place_of("max"),
    "argmin": place_of("min"),
    "sum_to": sum_to,
    "cumsum": running("+"),
    "cumprod": running("*"),
    "linear_recurrence": recurrence,
    "matmul": matmul,
    "einsum": einsum,
    "round": _round,
    "take_along_axis": take_along_axis,
    "add_along_axis": add_along_axis,
    "last_writes": last_writes,
}
"""Primitives that are more than element by element. What is in neither this table nor that of spellings is demoted."""
