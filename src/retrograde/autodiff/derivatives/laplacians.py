"""The forward Laplacian: value, derivatives by every coordinate, and Laplacian go through NumPy code together.

(Li et al. 2023, "Forward Laplacian: a new computational framework for neural network-based variational Monte Carlo".)
An operation p carries the Laplacian of x on as that of p(x): its derivative times that of x, plus its second derivative
along each coordinate direction, summed. What is linear has no second derivative, an elementwise function one number for
each element, whatever the number of directions; the rest comes from the forward rules on duals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Call, Function, Wrt
from retrograde.autodiff.derivatives.coordinates import Coordinates
from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.batched import Batched
from retrograde.autodiff.forward.dual import Dual
from retrograde.autodiff.forward.pushing import fit_up, order_of, push_forward
from retrograde.program.dispatch import apply, new_level
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import is_differentiable

Moving = list[tuple[int, Any]]


class Spread(Accompanied):
    """An array with its derivatives in several directions, and the sum of its second derivatives in each.

    Attributes:
        value: the array.
        slopes: a batch of derivatives; None is zero.
        bend: the sum of the second derivatives in these directions; None is zero.
        level: that of the derivative it belongs to.
    """

    __slots__ = ("bend", "slopes")
    _state = ("value", "slopes", "bend", "level")
    kind: ClassVar[str] = "a value with its Laplacian"

    slopes: Any
    bend: Any

    def __init__(self, value: Array, slopes: Any, bend: Any, level: int) -> None:
        self.value = value
        self.slopes = slopes
        self.bend = bend
        self.level = level

    def __repr__(self) -> str:
        return f"spread({self.value!r}, laplacian {self.bend!r})"

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Spread:
        """Zeros that do not depend on anything."""
        return Spread(np.zeros_like(self.value, dtype=dtype, shape=shape), None, None, self.level)

    def carry(self, primitive: Primitive, values: list[Any], moving: Moving, static: Mapping[str, Any]) -> Any:
        """Evaluate an operation, and carry on derivatives and Laplacian."""
        kind = order_of(primitive, tuple(place for place, _ in moving))
        out = apply(primitive, tuple(values), static)
        if kind == "constant":
            return out
        slopes = [(place, spread.slopes) for place, spread in moving if spread.slopes is not None]
        bends = [(place, spread.bend) for place, spread in moving if spread.bend is not None]
        outs = out if primitive.outputs else (out,)
        nothing = (None,) * len(outs)
        pushed = push_forward(primitive, slopes, values, out, static) if slopes else nothing
        carried = push_forward(primitive, bends, values, out, static) if bends else nothing
        curved = _curvature(primitive, kind, values, slopes, static) if slopes and kind != "linear" else nothing
        parts = zip(outs, pushed or nothing, carried or nothing, curved, strict=True)
        made = tuple(self._with(*part) for part in parts)
        return made if primitive.outputs else made[0]

    def _with(self, value: Array, slopes: Any, carried: Any, curved: Any) -> Any:
        if not is_differentiable(value.dtype):
            return value
        if curved is not None:
            curved = fit_up(curved, value.shape, value.dtype)
        bend = carried if curved is None else curved if carried is None else carried + curved
        # What is linear in the directions and the same for all of them is zero.
        return Spread(value, slopes if isinstance(slopes, Batched) else None, bend, self.level)


def _curvature(
    primitive: Primitive, kind: str, values: list[Any], slopes: Moving, static: Mapping[str, Any]
) -> tuple[Any, ...]:
    """For each result the sum of the second derivatives in the directions; None is zero."""
    real = all(slope.dtype.kind != "c" for _, slope in slopes)
    if primitive.elementwise and real and not primitive.outputs:
        return (_elementwise(primitive, kind, values, slopes, static),)
    if kind == "bilinear":
        if len(slopes) < 2:
            return (None,)
        operands = list(values)
        for place, slope in slopes:
            operands[place] = slope
        return (_sum_over_directions(apply(primitive, tuple(operands), static)) * 2,)
    level = new_level()
    duals = list(values)
    for place, slope in slopes:
        duals[place] = Dual(values[place], slope, level)
    out = apply(primitive, tuple(duals), static)
    pushed = push_forward(primitive, slopes, duals, out, static)
    assert pushed is not None
    return tuple(_sum_over_directions(_tangent(d, level)) for d in pushed)


def _elementwise(primitive: Primitive, kind: str, values: list[Any], slopes: Moving, static: Mapping[str, Any]) -> Any:
    """The second derivatives once, for all directions, each times the sum of products of slopes."""
    whole: Any = None
    for turn, (one, slope) in enumerate(slopes):
        for other, factor in slopes[turn:]:
            if one == other and (kind == "bilinear" or one in _linear_places(primitive)):
                continue
            product = _sum_of_products(slope, factor)
            if kind != "bilinear":
                second = _second_derivative(primitive, values, one, other, static)
                if second is None:
                    continue
                product = product * second
            part = product if one == other else product * 2
            whole = part if whole is None else whole + part
    return whole


def _linear_places(primitive: Primitive) -> set[int]:
    return {place for place, name in enumerate(primitive.operands) if name in primitive.linear}


def _second_derivative(primitive: Primitive, values: list[Any], one: int, other: int, static: Mapping[str, Any]) -> Any:
    level = new_level()
    operands = list(values)
    operands[other] = Dual(values[other], _ones(values[other]), level)
    out = apply(primitive, tuple(operands), static)
    pushed = push_forward(primitive, [(one, _ones(values[one]))], operands, out, static)
    return _tangent(None if pushed is None else pushed[0], level)


def _ones(x: Array) -> Array:
    return np.ones(x.shape, x.dtype)


def _tangent(value: Any, level: int) -> Any:
    return value.tangent if isinstance(value, Dual) and value.level == level else None


def _sum_over_directions(batch: Any) -> Any:
    return np.sum(batch.stack, axis=0) if isinstance(batch, Batched) else batch


def _sum_of_products(one: Batched, other: Batched) -> Any:
    x, y = one.stack, other.stack
    if x.shape == y.shape and is_ndarray(x) and is_ndarray(y):
        return np.einsum("bi,bi->i", x.reshape(len(x), -1), y.reshape(len(y), -1)).reshape(x.shape[1:])
    return _sum_over_directions(one * other)


def laplacian(f: Function, wrt: Wrt = 0) -> Function:
    """A function that computes the Laplacian of a function: the sum of its second derivatives by every coordinate.

    The forward Laplacian (Li et al. 2023): one pass, which carries the derivatives by all coordinates along. It takes
    about half the time of the trace of a Hessian computed in batches, and as much memory as its largest value has for
    each coordinate.

    Args:
        f: any NumPy code that returns a real array, or a container of them.
        wrt: as in `rg.grad`. An argument is a real array or a container of such; all its elements are coordinates.

    Returns:
        A function of the same arguments. It returns the Laplacian of each array that the function returns.

    Raises:
        UsageError: when it is called: an argument is not real.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.laplacian(lambda x: np.sum(x * x) * x[0])(np.array([1.0, 2.0]))
        np.float64(8.0)
    """

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("a Laplacian")
        value, passes = _passes(call, Coordinates(call))
        leaves = [_sum_of_bends(parts) for parts in zip(*(containers.leaves(out) for out in passes), strict=True)]
        return containers.rebuild(value, leaves)

    return derivative


def value_grad_and_laplacian(f: Function, wrt: Wrt = 0) -> Function:
    """A function that computes a scalar function's value, gradient and Laplacian, all in the pass of `laplacian`.

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: as in `laplacian`.

    Returns:
        A function of the same arguments. It returns the value, the gradient in the form of the argument, and the
        Laplacian.

    Raises:
        UsageError: when it is called: the result is no real scalar, or an argument is not real.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.value_grad_and_laplacian(lambda x: np.sum(x * x * x))(np.array([1.0, 2.0]))
        (np.float64(9.0), array([ 3., 12.]), np.float64(18.0))
    """

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("a Laplacian")
        coordinates = Coordinates(call)
        value, passes = _passes(call, coordinates)
        out = call.scalar(value, "the value, gradient and Laplacian")
        rows = [+_gradient(part, len(at)) for part, at in zip(passes, coordinates.parts(), strict=False)]
        whole = rows[0] if len(rows) == 1 else np.concatenate(rows) if rows else np.zeros(0)
        return out, coordinates.split(whole), _sum_of_bends(passes)

    return derivative


def _passes(call: Call, coordinates: Coordinates) -> tuple[Any, list[Any]]:
    """The function's value, and its results on spreads, for as many coordinates at a time as a batch may have."""
    inner, level = new_level(), new_level()
    results: list[Any] = []
    for part in coordinates.parts() or [range(0)]:
        directions = coordinates.directions(part, inner)
        spreads = [Spread(leaf, d, None, level) for leaf, d in zip(call.leaves, directions, strict=True)]
        results.append(call.at(spreads))
    value = containers.map_leaves(lambda leaf: leaf.value if _is_spread(leaf, level) else leaf, results[-1])
    return value, results


def _is_spread(value: Any, level: int) -> bool:
    return isinstance(value, Spread) and value.level == level


def _sum_of_bends(parts: Any) -> Any:
    bends = [part.bend for part in parts if isinstance(part, Spread) and part.bend is not None]
    if not bends:
        return np.zeros_like(parts[0].value if isinstance(parts[0], Spread) else parts[0])[()]
    return sum(bends[1:], bends[0])


def _gradient(part: Any, count: int) -> Any:
    slopes = part.slopes if isinstance(part, Spread) else None
    return np.zeros(count) if slopes is None else slopes.stack
