"""Linear systems with symmetric matrices that are only known by their products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UsageError

Product = Callable[[Any], Any]


def conjugate_gradients(product: Product, right: Any, tolerance: float | None, most: int | None) -> Any:
    """The solution of a system with a positive definite matrix (Hestenes and Stiefel 1952).

    Args:
        product: the matrix times a vector.
        right: the right-hand side, a vector.
        tolerance: the residual to reach, relative to the right-hand side; None for the root of the dtype's precision.
        most: iterations at most; None for ten for each unknown.

    Raises:
        UsageError: the matrix is not positive definite, or the tolerance is not reached.
    """
    x, residual = np.zeros_like(right), right.copy()
    along, square = residual.copy(), float(residual @ residual)
    goal = _goal(right, tolerance)
    most = 10 * max(len(right), 1) if most is None else most
    for _ in range(most):
        if square <= goal:
            return x
        image = product(along)
        curvature = float(along @ image)
        if not curvature > 0.0:
            raise UsageError(
                f"the matrix of a linear system is not positive definite: a direction has the curvature {curvature:.3g}"
                "; give a larger damping, or a trust region's radius"
            )
        step = square / curvature
        x += step * along
        residual -= step * image
        before, square = square, float(residual @ residual)
        along = residual + (square / before) * along
    if square <= goal:
        return x
    raise UsageError(
        f"conjugate gradients left a residual of {np.sqrt(square):.3g} after {most} iterations, with "
        f"{np.sqrt(goal):.3g} as the goal; give a larger damping, tolerance or max_iterations"
    )


def steihaug(product: Product, gradient: Any, radius: float, tolerance: float | None, most: int | None) -> Any:
    """A step inside a trust region: the minimum of a quadratic model as far as conjugate gradients go.

    It ends at the boundary if the model falls that far, or where it has no curvature (Steihaug 1983, "The conjugate
    gradient method and trust regions in large scale optimization").

    Args:
        product: the model's Hessian times a vector; it need not be definite.
        gradient: the model's gradient.
        radius: the length of the longest step.
        tolerance, most: as in `conjugate_gradients`; fewer iterations give a shorter step, which is a descent, too.
    """
    x, residual = np.zeros_like(gradient), -gradient
    along, square = residual.copy(), float(residual @ residual)
    goal = _goal(gradient, tolerance)
    for _ in range(2 * max(len(gradient), 1) if most is None else most):
        if square <= goal:
            return x
        image = product(along)
        curvature = float(along @ image)
        step = square / curvature if curvature > 0.0 else np.inf
        if not np.linalg.norm(x + step * along) < radius if curvature > 0.0 else True:
            return x + _to_boundary(x, along, radius) * along
        x = x + step * along
        residual = residual - step * image
        before, square = square, float(residual @ residual)
        along = residual + (square / before) * along
    return x


def _to_boundary(x: Any, along: Any, radius: float) -> float:
    a, b, c = float(along @ along), float(x @ along), float(x @ x) - radius * radius
    return (-b + np.sqrt(b * b - a * c)) / a


def _goal(right: Any, tolerance: float | None) -> float:
    """The square of the residual to reach."""
    relative = float(np.sqrt(np.finfo(right.dtype).eps)) if tolerance is None else tolerance
    return (relative * float(np.linalg.norm(right))) ** 2
