"""Derivatives along a line: Taylor coefficients, second derivatives, and diagonals of Hessians."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Call, Function, Wrt, check_primals
from retrograde.autodiff.derivatives.coordinates import Coordinates
from retrograde.autodiff.derivatives.linearizing import tangent_like
from retrograde.autodiff.forward.batched import unbatched
from retrograde.autodiff.forward.series import Series
from retrograde.errors import UsageError
from retrograde.program.dispatch import new_level
from retrograde.program.types import is_differentiable


def taylor(f: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], order: int) -> list[Any]:
    """The Taylor coefficients of a function along a line, in one forward pass.

    Those of g(t) = f(x + t v). The k-th derivative in the direction v is k! times the k-th one. The work grows with
    the square of the order (where nested derivatives take its power of two). (Griewank and Walther 2008, "Evaluating
    Derivatives", chapter 13.)

    Args:
        f: any NumPy code.
        primals: the arguments x, each a floating or complex array or a container of such.
        tangents: the direction v, in the form of the arguments.
        order: the highest order, at least 0.

    Returns:
        The `order + 1` coefficients, each in the container that the function returns.

    Raises:
        UsageError: the order is negative; the tangents are not built as the primals, or one has another shape.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.taylor(np.exp, (0.0,), (1.0,), 3)
        [np.float64(1.0), np.float64(1.0), np.float64(0.5), np.float64(0.16666666666666666)]
    """
    if order < 0 or order % 1:
        raise UsageError(f"a Taylor series of order {order} was asked for; the order is an int of 0 or more")
    check_primals(primals)
    call = Call(f, tuple(range(len(primals))), tuple(primals), {})
    given = containers.leaves_like(primals, tangents)
    if order == 0:
        return [call.at(call.leaves)]
    level = new_level()
    paths = [
        Series(leaf, (_direction(leaf, tangent, position), *(None,) * (order - 1)), level)
        for position, (leaf, tangent) in enumerate(zip(call.leaves, given, strict=True))
    ]
    out = call.at(paths)
    return [containers.map_leaves(lambda leaf, k=k: _coefficient(leaf, k, level), out) for k in range(order + 1)]


def directional_second_derivative(f: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """A function's second derivative in a direction, in one forward pass: v H v for a scalar function.

    Args:
        f: any NumPy code; what it returns need not be a scalar.
        primals: the arguments.
        tangents: the direction, in the form of the arguments.

    Returns:
        The second derivative by t of f(x + t v) at t = 0, in the container that the function returns.

    Raises:
        UsageError: as `rg.taylor`.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> x, v = np.array([1.0, 2.0]), np.array([1.0, 0.0])
        >>> rg.directional_second_derivative(lambda x: np.sum(x * x * x), (x,), (v,))
        np.float64(6.0)
    """
    return containers.map_leaves(lambda leaf: leaf * 2, taylor(f, primals, tangents, 2)[2])


def hessian_diagonal(f: Function, wrt: Wrt = 0) -> Function:
    """A function that computes the diagonal of a scalar function's Hessian, without the Hessian.

    Second-order series in every coordinate direction, many at once. The memory is that of a batch, some megabytes; the
    time that of as many function calls as there are coordinates. Where the Hessian is sparse,
    `rg.hessian(f, sparsity="detect")` has the diagonal in a few gradients.

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: as in `rg.grad`. An argument is a real array or a container of such.

    Returns:
        A function of the same arguments. Its result has the form of the argument.

    Raises:
        UsageError: when it is called: the result is no real scalar, or an argument is not real.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.hessian_diagonal(lambda x: np.sum(x * x * x) * x[0])(np.array([1.0, 2.0]))
        array([12., 12.])
    """

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("the diagonal of a Hessian")
        coordinates = Coordinates(call)
        parts = [_curvatures(call, coordinates, part) for part in coordinates.parts()]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0)
        return coordinates.split(whole)

    return derivative


def _curvatures(call: Call, coordinates: Coordinates, part: range) -> Any:
    """The second derivatives in the unit directions of a part of the coordinates."""
    inner, level = new_level(), new_level()
    directions = coordinates.directions(part, inner)
    value = call.at([Series(leaf, (d, None), level) for leaf, d in zip(call.leaves, directions, strict=True)])
    out = call.scalar(value.value if _is_path(value, level) else value, "the diagonal of a Hessian")
    term = value.terms[1] if _is_path(value, level) else None
    if term is None:
        return np.zeros(len(part), out.dtype)
    return unbatched(term, inner, len(part)) * 2


def _is_path(value: Any, level: int) -> bool:
    return isinstance(value, Series) and value.level == level


def _direction(leaf: Any, tangent: Any, position: int) -> Any:
    if not is_differentiable(leaf.dtype):
        raise UsageError(
            f"primal {position} has dtype {leaf.dtype}; a primal is floating or complex: convert it (x.astype(float)), "
            "or close over it"
        )
    return tangent_like(leaf, tangent, position)


def _coefficient(leaf: Any, k: int, level: int) -> Any:
    if not _is_path(leaf, level):
        return leaf if k == 0 else np.zeros_like(leaf)[()]
    found = leaf.value if k == 0 else leaf.terms[k - 1]
    return np.zeros_like(leaf.value) if found is None else found
