"""How operations take a whole batch at once: past an axis in front that the operands do not know of.

A rule gets the operands, in which stacks stand at the `places` of batches, and returns the stack of the results, or
None where it does not know how: then the operation is applied to each array by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from string import ascii_letters
from typing import Any, TypeAlias

import numpy as np

from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.kinds import as_tuple
from retrograde.program.primitive import PRIMITIVES, Array, Primitive

Operands: TypeAlias = list[Any]
Places: TypeAlias = list[int]
Static: TypeAlias = Mapping[str, Any]
BatchingRule: TypeAlias = Callable[[Primitive, Operands, Places, int, Static], Any]

RULES: dict[str, BatchingRule] = {}
"""By the name of the primitive. What is elementwise needs no entry."""

_FULL = slice(None)


def together(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """The stack of an operation's results for a batch of operands, or None if that is not known for the operation."""
    rule = RULES.get(primitive.name)
    if rule is None:
        if not primitive.elementwise:
            return None
        rule = elementwise
    return rule(primitive, operands, places, count, static)


def batches(*names: str) -> Callable[[BatchingRule], BatchingRule]:
    """Declare how primitives take a batch."""

    def declare(rule: BatchingRule) -> BatchingRule:
        for name in names:
            RULES[name] = rule
        return rule

    return declare


def elementwise(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """Ranks are made equal behind the axis in front; broadcasting does the rest."""
    ranks = [np.ndim(operand) - (at in places) for at, operand in enumerate(operands)]
    rank = max(ranks)
    aligned = [
        widened(operand, rank) if at in places and ranks[at] < rank else operand for at, operand in enumerate(operands)
    ]
    return apply(primitive, tuple(aligned), static)


def widened(stack: Array, rank: int) -> Array:
    """A stack whose arrays have axes of size 1 put in front, up to a rank."""
    shape = np.shape(stack)
    return PRIMITIVES["reshape"](stack, (shape[0], *(1,) * (rank + 1 - len(shape)), *shape[1:]))


def everywhere(operand: Any, count: int) -> Array:
    """A stack of the same array again and again."""
    return PRIMITIVES["broadcast_to"](operand, (count, *np.shape(operand)))


@batches("reshape")
def _reshape(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, shape = operands
    known = -math.prod(shape)
    if known > 0:
        shape = tuple(math.prod(stack.shape[1:]) // known if extent == -1 else extent for extent in shape)
    return primitive(stack, (count, *shape))


@batches("broadcast_to")
def _broadcast_to(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, shape = operands
    return primitive(widened(stack, len(shape)), (count, *shape))


@batches("sum_to")
def _sum_to(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, shape = operands
    leading = len(stack.shape) - 1 - len(shape)
    if leading > 0:
        stack = PRIMITIVES["sum"](stack, axis=tuple(range(1, leading + 1)), keepdims=False)
    return primitive(stack, (count, *shape))


@batches("transpose")
def _transpose(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(operands[0], axes=(0, *(axis + 1 for axis in static["axes"])))


@batches("sum", "prod", "max", "min", "norm", "std", "var", "cumsum", "cumprod", "concatenate", "linear_recurrence")
@batches("logsumexp", "softmax", "log_softmax", "normalize", "take_along_axis", "size", "stack", "leave_one_out")
@batches("sliding_window_view")
def _along_axes(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """The axes that it works along are counted from behind the one in front."""
    stacks = [operand if at in places else everywhere(operand, count) for at, operand in enumerate(operands)]
    return primitive(*stacks, **{**static, "axis": behind(static["axis"])})


def behind(axis: Any) -> Any:
    """An axis, or several, where there is one more in front. Those counted from the end stay."""
    if isinstance(axis, int):
        return axis + 1 if axis >= 0 else axis
    return tuple(map(behind, axis))


@batches("add_along_axis")
def _add_along_axis(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, indices, shape = operands
    return primitive(stack, everywhere(indices, count), (count, *shape), axis=behind(static["axis"]))


@batches("add_windows")
def _add_windows(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, shape = operands
    return primitive(stack, (count, *shape), length=static["length"], axis=behind(static["axis"]))


@batches("diagonal", "from_diagonal", "trace")
def _diagonal(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, *shape = operands
    axes = {name: behind(static[name]) for name in ("axis1", "axis2")}
    return primitive(stack, *((count, *extents) for extents in shape), offset=static["offset"], **axes)


@batches("tril", "triu", "half_triangle")
def _triangle(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(*operands, **static)


@batches("roll")
def _roll(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(*operands, axis=behind(static["axis"])) if places == [0] else None


@batches("matmul")
def _matmul(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """One large product where one operand is a single matrix; a product for each direction otherwise."""
    x, y = operands
    if places == [0] and np.ndim(y) == 2:
        rows = PRIMITIVES["reshape"](x, (-1, x.shape[-1])) if x.size else None
        return (
            primitive(x, y) if rows is None else PRIMITIVES["reshape"](primitive(rows, y), (*x.shape[:-1], y.shape[-1]))
        )
    if places == [1] and np.ndim(x) == 2 and y.shape[-1] == 1 and y.size:
        *front, inner, _ = y.shape
        turned = PRIMITIVES["transpose"](x, axes=(1, 0))
        rows = primitive(PRIMITIVES["reshape"](y, (-1, inner)), turned)
        return PRIMITIVES["reshape"](rows, (*front, x.shape[0], 1))
    rank = max(np.ndim(operand) - (at in places) for at, operand in enumerate(operands))
    return primitive(*(widened(operand, rank) if at in places else operand for at, operand in enumerate(operands)))


def of_units(primitive: Primitive, operands: Operands, place: int, static: Static) -> list[Array]:
    """The product of an array with all unit vectors, if this is one: the array, its axes in another order."""
    if primitive.name != "einsum":
        return []
    *labels, out = static["subscripts"].replace("->", ",").split(",")
    unit, other = labels[place], labels[1 - place]
    if unit in out or unit not in other:
        return []
    return [PRIMITIVES["transpose"](operands[1 - place], axes=tuple(other.index(label) for label in unit + out))]


@batches("einsum")
def _einsum(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """One more label, of the axis in front."""
    *labels, out = static["subscripts"].replace("->", ",").split(",")
    front = next(letter for letter in ascii_letters if letter not in static["subscripts"])
    parts = [front + part if at in places else part for at, part in enumerate(labels)]
    return primitive(*operands, subscripts=f"{','.join(parts)}->{front}{out}")


@batches("complete_qr", "complete_svd")
@batches("cholesky", "det", "eig", "eigh", "inv", "pinv", "qr", "slogdet", "svd")
@batches("solve", "solve_triangular")
def _of_matrices(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """These take stacks of matrices themselves; of vectors, some take none."""
    if any(np.ndim(operand) - (at in places) < 2 for at, operand in enumerate(operands)):
        return None
    stacks = [operand if at in places else everywhere(operand, count) for at, operand in enumerate(operands)]
    rank = max(np.ndim(stack) for stack in stacks) - 1
    return primitive(*(widened(stack, rank) for stack in stacks), **static)


@batches("fftn", "ifftn")
def _along_all(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(operands[0], axes=behind(static["axes"]), norm=static["norm"])


@batches("rfft", "irfft", "weighted_spectrum")
def _along_one(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(*operands, **{**static, "axis": behind(static["axis"])})


@batches("getitem")
def _getitem(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, index = operands
    apart = _axes_moved_in_front(index)
    taken = primitive(stack, (_FULL, *as_tuple(index)))
    return _moved(taken, apart, 0) if apart else taken


@batches("scatter")
def _scatter(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    stack, index, shape = operands
    apart = _axes_moved_in_front(index)
    return primitive(_moved(stack, 0, apart) if apart else stack, (_FULL, *as_tuple(index)), (count, *shape))


@batches("update", "add_at")
def _written(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    x, index, v = operands
    if _axes_moved_in_front(index):
        return None
    x = x if 0 in places else everywhere(x, count)
    if 2 in places:
        rank = np.broadcast_to(np.empty(()), x.shape[1:])[index].ndim
        if v.ndim - 1 > rank:
            return None
        v = widened(v, rank)
    return primitive(x, (_FULL, *as_tuple(index)), v)


def _axes_moved_in_front(index: Any) -> int:
    """How many axes the arrays of an index make, if NumPy puts them first because something stands between them."""
    parts = as_tuple(index)
    if not any(isinstance(part, (np.ndarray, list, Intercepting, bool, np.bool)) for part in parts):
        return 0
    ranks = [_rank(part) for part in parts if not _is_sliced(part)]
    picks = [at for at, part in enumerate(parts) if not _is_sliced(part)]
    return max(ranks) if picks[-1] - picks[0] != len(picks) - 1 else 0


def _rank(part: Any) -> int:
    """How many axes a part of an index makes; a mask makes one."""
    dtype = part.dtype if hasattr(part, "dtype") else np.asarray(part).dtype
    return 1 if dtype == np.bool else int(np.ndim(part))


def _is_sliced(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, slice)


def _moved(array: Array, source: int, target: int) -> Array:
    order = [axis for axis in range(np.ndim(array)) if axis != source]
    order.insert(target, source)
    return PRIMITIVES["transpose"](array, axes=tuple(order))
