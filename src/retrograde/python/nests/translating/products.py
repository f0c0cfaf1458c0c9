"""Contractions: sums of products. Matrix products go to BLAS, everything else is loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.python.lowering.model import Apply
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.combinations import start_of
from retrograde.python.nests.elements.scalars import cast
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, remapped
from retrograde.python.nests.parts.model import Let, Local, Nest, Scalar, Spelled, Store
from retrograde.python.nests.translating.translator import Translator

_FEW = 8


def matmul(translator: Translator, expression: Apply) -> Field:
    """Products of matrices, and of batches of them."""
    one, other = map(translator.field, expression.operands)
    dtype = expression.type.dtype
    batch = translator.together(one.extents[:-2], other.extents[:-2])
    translator.same(one.extents[-1], other.extents[-2])
    if not batch and dtype.kind in "fc" and not _is_small(one.extents, other.extents):
        return _by_blas(translator, one, other, dtype)
    labels = "".join(chr(ord("a") + axis) for axis in range(len(batch)))
    rows, inner, columns = "xyz"
    return contracted(
        translator,
        _batched(one, batch),
        _batched(other, batch),
        labels + rows + inner,
        labels + inner + columns,
        labels + rows + columns,
        dtype,
    )


def _batched(field: Field, batch: Indices) -> Field:
    return broadcast(field, (*batch, *field.extents[-2:]))


def _is_small(*shapes: Indices) -> bool:
    return all(extent.is_constant and extent.constant <= _FEW for shape in shapes for extent in shape)


def _by_blas(translator: Translator, one: Field, other: Field, dtype: np.dtype[Any]) -> Field:
    texts = [matrix_text(translator, _cast_field(field, dtype)) for field in (one, other)]
    extents = (one.extents[0], other.extents[1])
    made = translator.allocate(extents, dtype)
    assert made.memory is not None
    target = made.memory.array
    reads = {name for _, names in texts for name in names} | {target}
    translator.line(f"np.dot({texts[0][0]}, {texts[1][0]}, {target})", reads, {target})
    return made


def _cast_field(field: Field, dtype: np.dtype[Any]) -> Field:
    if field.dtype == dtype:
        return field
    return Field(field.extents, dtype, lambda indices: cast(field.at(indices), dtype), cost=field.cost + 1)


def whole_matrix_text(translator: Translator, field: Field) -> tuple[str, set[str]] | None:
    """A matrix for BLAS, which takes it in C order or transposed, if no copy has to be made; the variables it reads."""
    if translator.is_whole(field):
        assert field.memory is not None
        return field.memory.array, {field.memory.array}
    turned = remapped(field, field.extents[::-1], lambda indices: indices[::-1])
    if translator.is_whole(turned):
        assert turned.memory is not None
        return f"{turned.memory.array}.T", {turned.memory.array}
    return _block(translator, field)


def matrix_text(translator: Translator, field: Field) -> tuple[str, set[str]]:
    """A matrix for BLAS, copied if it lies otherwise, and the variables it reads."""
    found = whole_matrix_text(translator, field)
    if found is not None:
        return found
    turned = remapped(field, field.extents[::-1], lambda indices: indices[::-1])
    if field.memory is not None and _runs_down(field):
        name = translator.as_array_variable(turned)
        return f"{name}.T", {name}
    name = translator.as_array_variable(field)
    return name, {name}


def _runs_down(field: Field) -> bool:
    """Whether neighbours in memory are neighbours in a column."""
    assert field.memory is not None
    return field.memory.indices[-1].factor("#0") == 1


def _block(translator: Translator, field: Field) -> tuple[str, set[str]] | None:
    """The whole of the last axes of an array, at indices of the first ones: contiguous memory."""
    memory = field.memory
    extents = translator.extents.get(memory.array) if memory is not None else None
    if memory is None or extents is None:
        return None
    lead = len(memory.indices) - field.rank
    if lead < 1 or extents[lead:] != field.extents:
        return None
    if memory.indices[lead:] != tuple(variable(f"#{axis}") for axis in range(field.rank)):
        return None
    firsts = memory.indices[:lead]
    if any(name.startswith("#") for index in firsts for name in index.names):
        return None
    names = {name for index in firsts for name in index.names}
    return f"{memory.array}[{', '.join(map(str, firsts))}]", {memory.array, *names}


def einsum(translator: Translator, expression: Apply) -> Field:
    """A contraction of two operands by subscripts."""
    left, right = expression.operands
    inputs, out = expression.static["subscripts"].split("->")
    first, second = inputs.split(",")
    return contracted(
        translator, translator.field(left), translator.field(right), first, second, out, expression.type.dtype
    )


def contracted(
    translator: Translator, one: Field, other: Field, first: str, second: str, out: str, dtype: np.dtype[Any]
) -> Field:
    """The sum over the labels that are not in the result of the products of two fields."""
    sizes = _sizes(translator, one, other, first, second)
    inner = [label for label in dict.fromkeys(first + second) if label not in out]
    if inner:
        one, other = translator.cheap(one), translator.cheap(other)
    extents = tuple(sizes[label] for label in out)

    def product(at: dict[str, Affine]) -> Scalar:
        pair = (
            cast(
                field.at(tuple(_index(at[label], extent) for label, extent in zip(labels, field.extents, strict=True))),
                dtype,
            )
            for field, labels in ((one, first), (other, second))
        )
        return Spelled("({0} * {1})", tuple(pair), dtype, 1)

    if not inner:
        one, other = _kept(translator, one, first, out), _kept(translator, other, second, out)
        return Field(
            extents,
            dtype,
            lambda indices: product(dict(zip(out, indices, strict=True))),
            cost=1 + one.cost + other.cost,
        )
    if dtype.kind == "b":
        raise Demoted("a contraction of truth values has no form for Numba")
    if not out:
        return _dot(translator, sizes, inner, product, dtype)
    by_blas = _matrix_by_vector(translator, one, other, first, second, out, dtype)
    if by_blas is not None:
        return by_blas
    made = translator.allocate(extents, dtype)
    assert made.memory is not None
    begin = start_of("+", dtype)
    translator.fill(made, Field(extents, dtype, lambda _: begin))
    order = _order(first, second, out, inner)
    loops = dict(zip(order, translator.loops(len(order)), strict=True))
    at = {label: variable(loop) for label, loop in loops.items()}
    place = made.memory.at(tuple(at[label] for label in out))
    store = Store(made.memory.array, place, product(at), dtype, "+")
    translator.nest(tuple(sizes[label] for label in order), [store], list(loops.values()), free=False)
    return made


def _matrix_by_vector(
    translator: Translator, one: Field, other: Field, first: str, second: str, out: str, dtype: np.dtype[Any]
) -> Field | None:
    """A matrix, as it lies in memory, times a vector: that is for BLAS."""
    if len(first) < len(second):
        one, other, first, second = other, one, second, first
    if (len(first), len(second), len(out)) != (2, 1, 1) or dtype.kind not in "fc" or second not in first:
        return None
    if one.dtype != dtype or other.dtype != dtype or out == second or _is_small(one.extents):
        return None
    matrix = one if first == out + second else remapped(one, one.extents[::-1], lambda indices: indices[::-1])
    text = whole_matrix_text(translator, matrix)
    if text is None or affine(1) in (*one.extents, *other.extents):
        return None
    vector = translator.as_array_variable(other)
    made = translator.allocate((matrix.extents[0],), dtype)
    assert made.memory is not None
    target = made.memory.array
    translator.line(f"np.dot({text[0]}, {vector}, {target})", {*text[1], vector, target}, {target})
    return made


def _kept(translator: Translator, field: Field, labels: str, out: str) -> Field:
    return field if len(labels) == len(out) or field.cost <= 1 else translator.materialized(field)


def _index(index: Affine, extent: Affine) -> Affine:
    return affine(0) if extent == affine(1) else index


def _sizes(translator: Translator, one: Field, other: Field, first: str, second: str) -> dict[str, Affine]:
    sizes = dict(zip(first, one.extents, strict=True))
    for label, extent in zip(second, other.extents, strict=True):
        present = sizes.setdefault(label, extent)
        if present == affine(1):
            sizes[label] = extent
        elif extent != affine(1):
            translator.same(present, extent)
    return sizes


def _order(first: str, second: str, out: str, inner: list[str]) -> list[str]:
    """Labels for loops, outermost first: innermost along the memory of as many arrays as possible."""
    ends = [labels[-1] for labels in (first, second, out) if labels]
    last = max((label for label in out), key=lambda label: (ends.count(label), out.index(label)))
    if ends.count(last) >= 2:
        others = [label for label in out if label != last]
        return [*others, *inner, last]
    return [*out, *inner]


def _dot(
    translator: Translator,
    sizes: dict[str, Affine],
    inner: list[str],
    product: Callable[[dict[str, Affine]], Scalar],
    dtype: np.dtype[Any],
) -> Field:
    total = translator.fresh("s")
    translator.out.append(Nest([], [], [Let(total, start_of("+", dtype))]))
    loops = translator.loops(len(inner))
    at = {label: variable(loop) for label, loop in zip(inner, loops, strict=True)}
    local = Local(total, dtype)
    sum_ = Spelled("({0} + {1})", (local, product(at)), dtype)
    translator.nest(tuple(sizes[label] for label in inner), [Let(total, sum_)], loops, free=False)
    return Field((), dtype, lambda _: local)
