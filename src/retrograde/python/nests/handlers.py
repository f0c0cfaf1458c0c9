"""How each primitive that is not computed element by element becomes fields and nests."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.affine import Affine, affine, variable
from retrograde.python.nests.combining import place_of, recurrence, reduction, running, sum_to
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.fields import Field, Indices, Memory, broadcast, memory_field, remapped, whole_array
from retrograde.python.nests.indexing import gather_of, is_basic, parts_of, sliced
from retrograde.python.nests.model import Constant, Scalar, Spelled, Store, Whole
from retrograde.python.nests.products import einsum, matmul
from retrograde.python.nests.scalars import cast, choose
from retrograde.python.nests.selecting import compressed, is_masked
from retrograde.python.nests.translator import INT64, Translator
from retrograde.python.nests.writing import fitted, is_all, write_into

TRUTH = np.dtype(bool)


def _getitem(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    parts = parts_of(translator, field.extents, expression.operands[1])
    if is_basic(parts):
        return sliced(field, parts)
    if is_masked(parts):
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


def _transpose(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    axes = tuple(axis % field.rank for axis in expression.static["axes"])

    def inward(indices: Indices) -> Indices:
        return tuple(indices[axes.index(axis)] for axis in range(field.rank))

    return remapped(field, tuple(field.extents[axis] for axis in axes), inward)


def _broadcast_to(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    shape = tuple(translator.index(extent) for extent in expression.operands[1])
    for own, wide in zip(field.extents, shape[len(shape) - field.rank :], strict=True):
        if own != affine(1):
            translator.same(own, wide)
    if field.cost > 1:
        field = translator.materialized(field) if field.rank else _kept(translator, field)
    wide_field = broadcast(field, shape)
    # What is repeated lies in memory, but not as an array of its own.
    return Field(wide_field.extents, wide_field.dtype, wide_field.at, None, wide_field.cost)


def _kept(translator: Translator, field: Field) -> Field:
    value = translator.let(field.at(()))
    return Field((), field.dtype, lambda _: value)


def _reshape(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    wanted = _wanted_shape(translator, field, expression.operands[1])
    ones = affine(1)
    if [extent for extent in field.extents if extent != ones] == [extent for extent in wanted if extent != ones]:
        return _with_other_ones(field, wanted)
    return reshaped(translator, field, wanted)


def _wanted_shape(translator: Translator, field: Field, shape: object) -> Indices:
    asked = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    free = [at for at, extent in enumerate(asked) if isinstance(extent, (int, np.integer)) and extent == -1]
    extents = [affine(0) if at in free else translator.index(extent) for at, extent in enumerate(asked)]
    if not free:
        _check_size(translator, field, tuple(extents))
        return tuple(extents)
    others = [extent for at, extent in enumerate(extents) if at not in free]
    own = list(field.extents)
    for extent in others:
        if extent in own:
            own.remove(extent)
        elif extent != affine(1):
            own = []
            break
    if len(others) < len(field.extents) and own and all(map(_is_one, own[1:])):
        extents[free[0]] = own[0]
        return tuple(extents)
    extents[free[0]] = _left_over(translator, field.extents, others)
    return tuple(extents)


def _is_one(extent: Affine) -> bool:
    return extent == affine(1)


def _product_text(extents: list[Affine] | Indices) -> str:
    return " * ".join(f"({extent})" for extent in extents) or "1"


def _left_over(translator: Translator, own: Indices, others: list[Affine]) -> Affine:
    if all(extent.is_constant for extent in (*own, *others)):
        total = int(np.prod([extent.constant for extent in own]))
        return affine(total // max(1, int(np.prod([extent.constant for extent in others]))))
    name = translator.fresh("p")
    names = {each for extent in (*own, *others) for each in extent.names}
    over = f" // ({_product_text(others)})" if others else ""
    translator.line(f"{name} = ({_product_text(own)}){over}", names, {name})
    translator.facts.lower[name] = affine(0)
    return variable(name)


def _check_size(translator: Translator, field: Field, extents: Indices) -> None:
    key = sorted(map(str, (extent for extent in extents if not _is_one(extent))))
    if key == sorted(map(str, (extent for extent in field.extents if not _is_one(extent)))):
        return
    if all(extent.is_constant for extent in (*extents, *field.extents)):
        return
    condition = f"{_product_text(extents)} != {_product_text(field.extents)}"
    translator.check(
        condition, (*extents, *field.extents), "ValueError", "a reshape would change the number of elements"
    )


def _with_other_ones(field: Field, wanted: Indices) -> Field:
    one = affine(1)
    places = [at for at, extent in enumerate(wanted) if extent != one]

    def inward(indices: Indices) -> Indices:
        coming = iter([indices[at] for at in places])
        return tuple(affine(0) if extent == one else next(coming) for extent in field.extents)

    return remapped(field, wanted, inward)


def reshaped(translator: Translator, field: Field, wanted: Indices) -> Field:
    """The same elements in order in another shape: as a second name for an array's memory."""
    array = translator.as_array_variable(field)
    name = translator.fresh(f"{array}_reshaped")
    shape = ", ".join(map(str, wanted))
    reads = {array, *(each for extent in wanted for each in extent.names)}
    translator.line(f"{name} = {array}.reshape(({shape}{',' if len(wanted) == 1 else ''}))", reads, {name})
    translator.alias(name, array)
    translator.extents[name] = wanted
    return whole_array(name, wanted, field.dtype)


def _diagonal(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    offset, one, other = (expression.static[name] for name in ("offset", "axis1", "axis2"))
    one, other = one % field.rank, other % field.rank
    length = _diagonal_length(translator, field.extents[one], field.extents[other], offset)
    kept = [axis for axis in range(field.rank) if axis not in (one, other)]

    def inward(indices: Indices) -> Indices:
        found = dict(zip(kept, indices, strict=False))
        found[one], found[other] = indices[-1] + max(-offset, 0), indices[-1] + max(offset, 0)
        return tuple(found[axis] for axis in range(field.rank))

    return remapped(field, (*(field.extents[axis] for axis in kept), length), inward)


def _diagonal_length(translator: Translator, rows: Affine, columns: Affine, offset: int) -> Affine:
    rows, columns = rows + min(offset, 0), columns - max(offset, 0)
    if translator.facts.never_negative(columns - rows):
        return rows
    if translator.facts.never_negative(rows - columns):
        return columns
    name = translator.fresh("p")
    translator.line(f"{name} = max(min({rows}, {columns}), 0)", {*rows.names, *columns.names}, {name})
    translator.facts.lower[name] = affine(0)
    return variable(name)


def _from_diagonal(translator: Translator, expression: Apply) -> Field:
    field = translator.field(expression.operands[0])
    extents = tuple(translator.index(extent) for extent in expression.operands[1])
    offset, one, other = (expression.static[name] for name in ("offset", "axis1", "axis2"))
    one, other = one % len(extents), other % len(extents)
    made = zeros(translator, extents, field.dtype)
    length = _diagonal_length(translator, extents[one], extents[other], offset)
    kept = [axis for axis in range(len(extents)) if axis not in (one, other)]

    def inward(indices: Indices) -> Indices:
        found = dict(zip(kept, indices, strict=False))
        found[one], found[other] = indices[-1] + max(-offset, 0), indices[-1] + max(offset, 0)
        return tuple(found[axis] for axis in range(len(extents)))

    target = remapped(made, (*(extents[axis] for axis in kept), length), inward)
    translator.fill(target, broadcast(field, target.extents))
    return made


def zeros(translator: Translator, extents: Indices, dtype: np.dtype) -> Field:
    """A new array of zeros."""
    made = translator.allocate(extents, dtype)
    translator.fill(made, Field(extents, dtype, lambda _: Constant(dtype.type(0), dtype)))
    return made


def _zeros(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    dtype = expression.type.dtype
    return Field(extents, dtype, lambda _: Constant(dtype.type(0), dtype))


def _full(translator: Translator, expression: Apply) -> Field:
    value = translator.field(expression.operands[0])
    extents = tuple(translator.index(extent) for extent in expression.operands[1])
    scalar = translator.let(cast(value.at(()), expression.type.dtype))
    return Field(extents, expression.type.dtype, lambda _: scalar)


def _arange(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    dtype = expression.type.dtype
    return Field(extents, dtype, lambda indices: cast(Whole(indices[0]), dtype))


def _eye(translator: Translator, expression: Apply) -> Field:
    extents = tuple(translator.index(extent) for extent in expression.operands[0])
    k, dtype = expression.static["k"], expression.type.dtype

    def at(indices: Indices) -> Scalar:
        on = Spelled("({0} == 0)", (Whole(indices[1] - indices[0] - k),), TRUTH, 1)
        return choose(on, Constant(dtype.type(1), dtype), Constant(dtype.type(0), dtype))

    return Field(extents, dtype, at, cost=1)


def _triangle(lower: bool) -> Callable[[Translator, Apply], Field]:
    def translate(translator: Translator, expression: Apply) -> Field:
        field = translator.field(expression.operands[0])
        k = expression.static["k"]

        def at(indices: Indices) -> Scalar:
            difference = indices[-2] + k - indices[-1] if lower else indices[-1] - indices[-2] - k
            inside = Spelled("({0} >= 0)", (Whole(difference),), TRUTH, 1)
            return choose(inside, field.at(indices), Constant(field.dtype.type(0), field.dtype))

        return Field(field.extents, field.dtype, at, cost=field.cost + 1)

    return translate


def _size(translator: Translator, expression: Apply) -> Field:
    value = translator.whole_of(expression)
    assert value is not None
    return Field((), INT64, lambda _: Whole(value))


def _concatenate(translator: Translator, expression: Apply) -> Field:
    axis, dtype = expression.static["axis"], expression.type.dtype
    fields = [translator.field(operand) for operand in expression.operands]
    axis %= fields[0].rank
    for other in fields[1:]:
        for at, pair in enumerate(zip(fields[0].extents, other.extents, strict=True)):
            if at != axis:
                translator.same(*pair)
    total = affine(0)
    for field in fields:
        total = total + field.extents[axis]
    made = translator.allocate((*fields[0].extents[:axis], total, *fields[0].extents[axis + 1 :]), dtype)
    start = affine(0)
    for field in fields:
        translator.fill(_shifted(made, field.extents, axis, start), field)
        start = start + field.extents[axis]
    return made


def _shifted(field: Field, extents: Indices, axis: int, start: Affine) -> Field:
    return remapped(
        field,
        extents,
        lambda indices: tuple(index + start if at == axis else index for at, index in enumerate(indices)),
    )


def _stack(translator: Translator, expression: Apply) -> Field:
    dtype = expression.type.dtype
    fields = [translator.field(operand) for operand in expression.operands]
    axis = expression.static["axis"] % (fields[0].rank + 1)
    for other in fields[1:]:
        for pair in zip(fields[0].extents, other.extents, strict=True):
            translator.same(*pair)
    extents = (*fields[0].extents[:axis], affine(len(fields)), *fields[0].extents[axis:])
    made = translator.allocate(extents, dtype)
    for at, field in enumerate(fields):
        place = affine(at)
        target = remapped(made, field.extents, lambda indices, place=place: (*indices[:axis], place, *indices[axis:]))
        translator.fill(target, field)
    return made


def _roll(translator: Translator, expression: Apply) -> Field:
    """Two parts, each of which moves as it is."""
    field = translator.field(expression.operands[0])
    axis = expression.static["axis"]
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    shift = expression.operands[1]
    shift = shift[0] if isinstance(shift, tuple) and len(shift) == 1 else shift
    if axis is None or isinstance(axis, tuple) or isinstance(shift, tuple):
        raise Demoted("a roll along several axes has no form for Numba")
    axis %= field.rank
    size = field.extents[axis]
    amount = translator.index(shift)
    name = translator.fresh("p")
    translator.line(f"{name} = ({amount}) % {size} if {size} > 0 else 0", {*amount.names, *size.names}, {name})
    translator.facts.lower[name], translator.facts.upper[name] = affine(0), size
    moved = variable(name)
    field = translator.cheap(field)
    made = translator.allocate(field.extents, field.dtype)

    def part(extent: Affine, target: Affine, source: Affine) -> None:
        extents = (*field.extents[:axis], extent, *field.extents[axis + 1 :])
        translator.fill(_shifted(made, extents, axis, target), _shifted(field, extents, axis, source))

    part(moved, affine(0), size - moved)
    part(size - moved, moved, affine(0))
    return made


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
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "reshape": _reshape,
    "diagonal": _diagonal,
    "from_diagonal": _from_diagonal,
    "zeros": _zeros,
    "copy": _copy,
    "full": _full,
    "arange": _arange,
    "eye": _eye,
    "tril": _triangle(lower=True),
    "triu": _triangle(lower=False),
    "size": _size,
    "concatenate": _concatenate,
    "stack": _stack,
    "roll": _roll,
    "update": _update,
    "add_at": _add_at,
    "scatter": _scatter,
    "sum": reduction("+"),
    "prod": reduction("*"),
    "max": reduction("max"),
    "min": reduction("min"),
    "any": reduction("or"),
    "all": reduction("and"),
    "argmax": place_of("max"),
    "argmin": place_of("min"),
    "sum_to": sum_to,
    "cumsum": running("+"),
    "cumprod": running("*"),
    "linear_recurrence": recurrence,
    "matmul": matmul,
    "einsum": einsum,
    "round": _round,
}
"""Primitives that are more than element by element. What is in neither this table nor that of spellings is demoted."""

__all__ = ["HANDLERS", "Memory", "cast", "memory_field"]
