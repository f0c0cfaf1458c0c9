"""Reductions: many elements into one. The order is that of the axes, one after the other, whatever the strategy."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Name
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.combinations import COMBINE, combined, start_of
from retrograde.python.nests.elements.scalars import cast, choose, spelled
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, remapped
from retrograde.python.nests.parts.model import Constant, Let, Local, Nest, Scalar, Spelled, Store, Whole
from retrograde.python.nests.translating.translator import INT64, Translator

_OF_SUMS = ("negative", "divide_or_zero")
_COST_OF_QUOTIENT = 4


def reduced(translator: Translator, field: Field, axes: tuple[int, ...], by: str, dtype: np.dtype[Any]) -> Field:
    """The elements along axes combined; the axes are dropped."""
    if dtype.kind == "c" and by in ("max", "min"):
        raise Demoted("the largest of complex numbers has no form for Numba")
    kept = tuple(axis for axis in range(field.rank) if axis not in axes)
    if by in ("max", "min"):
        for axis in axes:
            _refuse_empty(translator, field.extents[axis])
    if not axes:
        return Field(field.extents, dtype, lambda indices: cast(field.at(indices), dtype), cost=field.cost)
    if not kept:
        return _number(translator, field, by, dtype)
    extents = tuple(field.extents[axis] for axis in kept)
    made = translator.allocate(extents, dtype)
    begin = start_of(by, dtype)
    translator.fill(made, Field(extents, dtype, lambda _: begin))
    assert made.memory is not None
    loops = translator.loops(field.rank)
    indices = tuple(map(variable, loops))
    own = tuple(indices[axis] for axis in kept)
    value = cast(field.at(indices), dtype)
    store = Store(made.memory.array, made.memory.at(own), value, dtype, by)
    translator.nest(field.extents, [store], loops, free=False)
    return made


_ROW = 64


def _number(translator: Translator, field: Field, by: str, dtype: np.dtype[Any]) -> Field:
    """All elements combined. A row of factors takes them side by side, which processors do several at a time."""
    known = [extent.constant for extent in field.extents if extent.is_constant]
    if by not in ("+", "*") or dtype.kind != "f" or (len(known) == field.rank and np.prod(known) < _ROW):
        return _one_by_one(translator, field, by, dtype)
    if field.rank > 1:
        row = reduced(translator, field, tuple(range(field.rank - 1)), by, dtype)
        return _one_by_one(translator, row, by, dtype)
    if by == "+":
        return _one_by_one(translator, field, by, dtype)
    (extent,) = field.extents
    field = translator.cheap(field) if field.cost > _DEAR else field
    whole = translator.named(f"max({extent}, 0) // {_ROW}", (extent,))
    width = affine(_ROW)
    block = remapped(field, (whole, width), lambda indices: (indices[0].times(_ROW) + indices[1],))
    row = reduced(translator, block, (0,), by, dtype)
    first = _one_by_one(translator, row, by, dtype)
    rest = remapped(field, (extent - whole.times(_ROW),), lambda indices: (indices[0] + whole.times(_ROW),))
    return _one_by_one(translator, rest, by, dtype, first.at(()))


_DEAR = 30


def _one_by_one(
    translator: Translator, field: Field, by: str, dtype: np.dtype[Any], begin: Scalar | None = None
) -> Field:
    total = translator.fresh("s")
    translator.out.append(Nest([], [], [Let(total, begin or start_of(by, dtype))]))
    loops = translator.loops(field.rank)
    local = Local(total, dtype)
    value = cast(field.at(tuple(map(variable, loops))), dtype)
    translator.nest(field.extents, [Let(total, combined(by, local, value))], loops, free=False)
    return Field((), dtype, lambda _: local)


def _refuse_empty(translator: Translator, extent: Affine) -> None:
    if not translator.facts.never_negative(extent - 1):
        message = "the largest or smallest element of an empty array was asked for"
        translator.check(f"{extent} < 1", (extent,), "ValueError", message)


def with_axes_kept(field: Field, axes: tuple[int, ...], rank: int) -> Field:
    """A field with axes of size 1 where axes were dropped."""
    own = iter(field.extents)
    extents = tuple(affine(1) if axis in axes else next(own) for axis in range(rank))

    def inward(indices: Indices) -> Indices:
        return tuple(index for axis, index in enumerate(indices) if axis not in axes)

    return remapped(field, extents, inward)


def reduction(by: str) -> Any:
    """What translates a reduction."""

    def translate(translator: Translator, expression: Apply) -> Field:
        field = translator.field(expression.operands[0])
        axes = expression.static["axis"]
        axes = tuple(range(field.rank)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
        axes = tuple(axis % field.rank for axis in axes)
        result = reduced(translator, field, axes, by, expression.type.dtype)
        return with_axes_kept(result, axes, field.rank) if expression.static["keepdims"] else result

    return translate


def norm(translator: Translator, expression: Apply) -> Field:
    """The root of the sum of squares along axes; of complex numbers, of the squares of their sizes."""
    field, axes, dtype = translator.field(expression.operands[0]), expression.static["axis"], expression.type.dtype

    def square(indices: Indices) -> Scalar:
        if field.dtype.kind == "c":
            size = "({0}.real * {0}.real + {0}.imag * {0}.imag)"
            return Spelled(size, (field.at(indices),), dtype, 3, True)
        return Spelled("({0} * {0})", (cast(field.at(indices), dtype),), dtype, 1, True)

    total = reduced(translator, Field(field.extents, dtype, square, cost=field.cost + 3), axes, "+", dtype)
    root = Field(total.extents, dtype, lambda indices: spelled(PRIMITIVES["sqrt"], [total.at(indices)], [False], {}))
    return with_axes_kept(root, axes, field.rank) if expression.static["keepdims"] else root


def spread(root: bool) -> Any:
    """What translates the variance, and its root: the mean of the squares of what is left without the mean."""

    def translate(translator: Translator, expression: Apply) -> Field:
        given, dtype = translator.field(expression.operands[0]), expression.type.dtype
        axes, static = expression.static["axis"], expression.static
        if given.dtype.kind == "c":
            raise Demoted("the variance of complex numbers has no form for Numba")
        field = translator.cheap(Field(given.extents, dtype, lambda at: cast(given.at(at), dtype), cost=given.cost))
        count = translator.named(" * ".join(f"({field.extents[axis]})" for axis in axes), field.extents)
        whole = cast(Whole(count), dtype)
        total = translator.cheap(reduced(translator, field, axes, "+", dtype))

        def squared(indices: Indices) -> Scalar:
            own = tuple(index for axis, index in enumerate(indices) if axis not in axes)
            left = Spelled("({0} - {1} / {2})", (field.at(indices), total.at(own), whole), dtype, 6)
            return Spelled("({0} * {0})", (left,), dtype, 1, True)

        squares = reduced(translator, Field(field.extents, dtype, squared, cost=8), axes, "+", dtype)
        freedom = Spelled("({0} - {1})", (whole, Constant(dtype.type(static["ddof"]), dtype)), dtype)

        def result(indices: Indices) -> Scalar:
            found = Spelled("({0} / {1})", (squares.at(indices), freedom), dtype, 5)
            return spelled(PRIMITIVES["sqrt"], [found], [False], {}) if root else found

        found = Field(squares.extents, dtype, result, cost=squares.cost + 6)
        return with_axes_kept(found, axes, field.rank) if static["keepdims"] else found

    return translate


def sum_to(translator: Translator, expression: Apply) -> Field:
    """The sum over the axes along which an array of a shape would be repeated."""
    inner, shape = expression.operands
    if not shape and not expression.type.rank:
        return _total(translator, inner, expression.type.dtype)
    field = translator.field(inner)
    lead = field.rank - len(shape)
    wanted = tuple(translator.index(extent) for extent in shape)
    one = affine(1)
    narrow = tuple(lead + at for at, extent in enumerate(wanted) if extent == one != field.extents[lead + at])
    for at, extent in enumerate(wanted):
        if lead + at not in narrow:
            translator.same(extent, field.extents[lead + at])
    axes = (*range(lead), *narrow)
    if not axes:
        return field
    result = reduced(translator, field, axes, "+", expression.type.dtype)
    kept = [axis for axis in range(field.rank) if axis not in axes]

    def inward(indices: Indices) -> Indices:
        return tuple(indices[axis - lead] for axis in kept)

    return remapped(result, wanted, inward)


def _total(translator: Translator, expression: Any, dtype: np.dtype[Any]) -> Field:
    """The sum of all elements: of quotients by one number, and of negatives, that of what they are of."""
    if isinstance(expression, Apply) and expression.primitive.name in _OF_SUMS:
        inner, *others = expression.operands
        rank = expression.type.rank
        if _is_of(inner, dtype, rank) and all(_is_of(other, dtype, 0) for other in others):
            fields = [_total(translator, inner, dtype), *map(translator.field, others)]
            scalars = [field.at(()) for field in fields]
            value = spelled(expression.primitive, scalars, [field.weak for field in fields], expression.static)
            return Field((), dtype, lambda _: value, cost=_COST_OF_QUOTIENT)
    field = translator.field(expression)
    return reduced(translator, field, tuple(range(field.rank)), "+", dtype) if field.rank else field


def _is_of(expression: Any, dtype: np.dtype[Any], rank: int) -> bool:
    return isinstance(expression, (Apply, Name)) and (
        isinstance(expression.type, ArrayType) and (expression.type.dtype, expression.type.rank) == (dtype, rank)
    )


@contextmanager
def over(translator: Translator, extents: Indices, backward: bool = False) -> Generator[Indices]:
    """A context in which parts go into loops."""
    names = translator.loops(len(extents))
    if not names:
        yield ()
        return
    name, extent = names[0], extents[0]
    translator.facts.lower[name], translator.facts.upper[name] = affine(0), extent - 1
    header = f"for {name} in range({extent}):"
    with translator.inside(header, extent.names, {name}), over(translator, extents[1:]) as others:
        yield (variable(name), *others)


def place_of(by: str) -> Any:
    """What translates `argmax` and `argmin`: the first of the places of the largest, or of a NaN."""
    sign = ">" if by == "max" else "<"

    def translate(translator: Translator, expression: Apply) -> Field:
        field = translator.cheap(translator.field(expression.operands[0]))
        axis, keepdims = expression.static["axis"], expression.static["keepdims"]
        if axis is None and field.rank != 1:
            raise Demoted("argmax of an array of several axes has no form for Numba")
        axis = axis or 0
        _refuse_empty(translator, field.extents[axis])
        extents = (*field.extents[:axis], *field.extents[axis + 1 :])
        made = translator.allocate(extents, INT64) if extents else None
        with over(translator, extents) as outer:
            place = _search(translator, field, axis, outer, sign)
            if made is None:
                return (
                    with_axes_kept(Field((), INT64, lambda _: place), (0,), 1)
                    if keepdims
                    else Field((), INT64, lambda _: place)
                )
            assert made.memory is not None
            store = Store(made.memory.array, made.memory.at(outer), place, INT64)
            translator.out.append(Nest([], [], [store]))
        return with_axes_kept(made, (axis,), field.rank) if keepdims else made

    return translate


def _search(translator: Translator, field: Field, axis: int, outer: Indices, sign: str) -> Local:
    def at(index: Affine) -> Scalar:
        return field.at((*outer[:axis], index, *outer[axis:]))

    best, place, value, better = (translator.fresh(hint) for hint in ("best", "place", "v", "better"))
    begin = [Let(best, at(affine(0))), Let(place, Constant(0, INT64))]
    translator.out.append(Nest([], [], list(begin)))
    (loop,) = translator.loops(1)
    truth = np.dtype(bool)
    locals_ = Local(value, field.dtype), Local(best, field.dtype)
    test = f"({{0}} {sign} {{1}} or ({{0}} != {{0}} and {{1}} == {{1}}))"
    steps = [
        Let(value, at(variable(loop))),
        Let(better, Spelled(test, locals_, truth, 2, True)),
        Let(best, choose(Local(better, truth), *locals_)),
        Let(place, choose(Local(better, truth), Whole(variable(loop)), Local(place, INT64))),
    ]
    translator.nest((field.extents[axis],), list(steps), [loop], free=False)
    return Local(place, INT64)


def running(by: str) -> Any:
    """What translates cumulative sums and products."""

    def translate(translator: Translator, expression: Apply) -> Field:
        field = translator.field(expression.operands[0])
        axis, dtype = expression.static["axis"] % field.rank, expression.type.dtype
        made = translator.allocate(field.extents, dtype)
        assert made.memory is not None
        outer = (*field.extents[:axis], *field.extents[axis + 1 :])
        with over(translator, outer) as indices:
            total = translator.fresh("s")
            translator.out.append(Nest([], [], [Let(total, start_of(by, dtype))]))
            (loop,) = translator.loops(1)
            place = (*indices[:axis], variable(loop), *indices[axis:])
            local = Local(total, dtype)
            steps = [
                Let(total, combined(by, local, cast(field.at(place), dtype))),
                Store(made.memory.array, made.memory.at(place), local, dtype),
            ]
            translator.nest((field.extents[axis],), list(steps), [loop], free=False)
        return made

    return translate


def recurrence(translator: Translator, expression: Apply) -> Field:
    """`r[i] = a[i] * r[i - 1] + b[i]` along an axis."""
    factors, terms = map(translator.field, expression.operands)
    axis, dtype = expression.static["axis"] % terms.rank, expression.type.dtype
    made = translator.allocate(terms.extents, dtype)
    assert made.memory is not None
    outer = (*terms.extents[:axis], *terms.extents[axis + 1 :])
    factors = broadcast(factors, translator.together(factors.extents, terms.extents))
    with over(translator, outer) as indices:
        total = translator.fresh("s")
        first = (*indices[:axis], affine(0), *indices[axis:])
        translator.facts.lower.setdefault(total, affine(0))
        with translator.inside(f"if {terms.extents[axis]} > 0:", terms.extents[axis].names):
            begin = [Let(total, cast(terms.at(first), dtype))]
            local = Local(total, dtype)
            translator.out.append(Nest([], [], [*begin, Store(made.memory.array, made.memory.at(first), local, dtype)]))
            (loop,) = translator.loops(1)
            place = (*indices[:axis], variable(loop) + 1, *indices[axis:])
            times = Spelled(COMBINE["*"], (cast(factors.at(place), dtype), local), dtype)
            steps = [
                Let(total, Spelled(COMBINE["+"], (times, cast(terms.at(place), dtype)), dtype)),
                Store(made.memory.array, made.memory.at(place), local, dtype),
            ]
            translator.nest((terms.extents[axis] - 1,), list(steps), [loop], free=False)
    return made
