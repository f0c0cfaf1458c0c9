"""Directions to walk in: Newton's, and the natural gradient."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Call, Function, Wrt, dtype_of, name_of
from retrograde.autodiff.derivatives.conjugate_gradients import Product, conjugate_gradients, steihaug
from retrograde.autodiff.derivatives.coordinates import Coordinates
from retrograde.autodiff.derivatives.linearizing import Linearization
from retrograde.autodiff.derivatives.sweeps import matrix
from retrograde.autodiff.forward.linear_graph import Slot
from retrograde.autodiff.functions import grad
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting

Method = Literal["auto", "cholesky", "cg"]
Metric = Literal["gaussian", "categorical", "bernoulli", "poisson"]

_LARGE = 1000


def newton_direction(
    f: Function,
    wrt: Wrt = 0,
    *,
    damping: float = 0.0,
    radius: float | None = None,
    method: Method = "auto",
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> Function:
    """A function that computes the Newton direction of a scalar function: the step to the minimum of its model.

    The step d solves (H + damping I) d = -g, with the gradient g and the Hessian H. With a `radius` it minimizes the
    model inside a trust region, and H may be indefinite (Steihaug 1983).

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: as in `rg.grad`. An argument is a real array or a container of such.
        damping: what is added to the diagonal of the Hessian (Levenberg and Marquardt).
        radius: the longest step.
        method: "cholesky" computes the Hessian; "cg" only its products with vectors, from a gradient that is
            linearized once; "auto" is "cholesky" up to 1000 unknowns.
        tolerance: of "cg", and with a radius: the residual to reach, relative to the gradient; None for the root of the
            dtype's precision. A truncated Newton method gives a large one.
        max_iterations: of the same.

    Returns:
        A function of the same arguments. It returns the direction, in the form of the argument.

    Raises:
        UsageError: an option is none of these; when it is called: the result is no real scalar, an argument is not
            real, the damped Hessian is not positive definite and there is no radius, or the tolerance is not reached.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> def rosenbrock(x):
        ...     return (1.0 - x[0]) * (1.0 - x[0]) + 100.0 * (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0])
        >>> x = np.array([0.9, 0.8])
        >>> for _ in range(6):
        ...     x = x + rg.newton_direction(rosenbrock)(x)
        >>> np.allclose(x, 1.0, atol=1e-10)
        True
    """
    if method not in get_args(Method):
        raise UsageError(f'method={method!r} was asked for; it is "auto", "cholesky" or "cg"')
    _check_positive(damping=damping, radius=radius)

    def derivative(*arguments: Any, **options: Any) -> Any:
        call = Call(f, wrt, arguments, options)
        call.require_real("a Newton direction")
        _require_plain(call, "a Newton direction")
        coordinates = Coordinates(call)
        gradient = Call(grad(call), 0, (call.chosen,), {})
        linear = Linearization(gradient)
        g = coordinates.join(linear.leaves)
        dense = method == "cholesky" or (method == "auto" and coordinates.count <= _LARGE)
        if radius is None and dense:
            return coordinates.split(_by_cholesky(linear, g, damping))
        product = _damped(_hessian_product(linear, coordinates), damping)
        if radius is not None:
            return coordinates.split(steihaug(product, g, radius, tolerance, max_iterations))
        return coordinates.split(conjugate_gradients(product, -g, tolerance, max_iterations))

    return derivative


def _by_cholesky(linear: Linearization, g: Any, damping: float) -> Any:
    linalg: Any = import_module("scipy.linalg")
    sources = linear.inputs
    targets = [slot for slot in linear.outputs if slot is not None]
    hessian = np.zeros((len(g), len(g)), g.dtype)
    rows = np.repeat([slot is not None for slot in linear.outputs], [slot.size for slot in sources])
    hessian[rows] = matrix(linear.graph, sources, targets, slice(None), "forward")
    hessian[np.diag_indices(len(g))] += damping
    try:
        return -linalg.cho_solve(linalg.cho_factor((hessian + hessian.T) / 2), g)
    except np.linalg.LinAlgError as error:
        least = float(np.linalg.eigvalsh(hessian)[0]) - damping
        raise UsageError(
            f"a Newton direction was asked for where the Hessian is not positive definite: its least eigenvalue is "
            f"{least:.3g}, with a damping of {damping:.3g}; give a larger damping, or a trust region's radius"
        ) from error


def _hessian_product(linear: Linearization, coordinates: Coordinates) -> Product:
    def product(vector: Any) -> Any:
        directions = _placed(linear.inputs, containers.leaves(coordinates.split(vector)))
        found = linear.graph.push(directions, linear.outputs)
        return coordinates.join([linear.zeros(place) if d is None else d for place, d in enumerate(found)])

    return product


def _placed(slots: list[Slot], leaves: list[Any]) -> dict[Slot, Any]:
    return dict(zip(slots, leaves, strict=True))


def _damped(product: Product, damping: float) -> Product:
    return (lambda vector: product(vector) + damping * vector) if damping else product


def natural_gradient(
    loss: Function,
    model: Function,
    wrt: Wrt = 0,
    *,
    metric: Metric | Callable[[Any, Any], Any] = "gaussian",
    damping: float = 1e-3,
    scale: float = 1.0,
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> Function:
    """A function that computes a natural gradient: the gradient of a loss, measured by what it changes of the model.

    It solves (scale J' M J + damping I) d = g, with the gradient g of the loss, the Jacobian J of the model's outputs
    and the Fisher information M of the distribution that they are parameters of, by conjugate gradients on products
    with vectors (Amari 1998; Martens 2020, "New insights and perspectives on the natural gradient method"). The model
    runs once.

    Args:
        loss: any NumPy code that returns a real scalar.
        model: a function of the same arguments that returns what the distribution of the data has as parameters: an
            array, or a container of arrays.
        wrt: as in `rg.grad`. An argument is a real array or a container of such.
        metric: "gaussian" for means (of unit variance: Gauss and Newton's matrix); "categorical" for logits along the
            last axis; "bernoulli" for logits; "poisson" for logarithms of rates; or a function of an output and its
            tangent that returns M times the tangent.
        damping: what is added to the diagonal.
        scale: where the loss is a mean over samples, one over their number.
        tolerance: the residual to reach, relative to the gradient; None for the root of the dtype's precision.
        max_iterations: None for ten for each unknown.

    Returns:
        A function of the same arguments. It returns the natural gradient, in the form of the argument.

    Raises:
        UsageError: an option is none of these; when it is called: the loss is no real scalar, an argument is not real,
            or the tolerance is not reached.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> inputs, wanted = np.array([[1.0, 0.0], [0.0, 10.0]]), np.array([1.0, 10.0])
        >>> model = lambda w: inputs @ w
        >>> loss = lambda w: 0.5 * np.sum((model(w) - wanted) * (model(w) - wanted))
        >>> rg.natural_gradient(loss, model, damping=0.0)(np.zeros(2))
        array([-1., -1.])
    """
    if not callable(metric) and metric not in _METRICS:
        raise UsageError(
            f"metric={metric!r} was asked for; it is one of {', '.join(map(repr, _METRICS))} or a function"
        )
    _check_positive(damping=damping, scale=scale)
    times = metric if callable(metric) else _METRICS[metric]

    def derivative(*arguments: Any, **options: Any) -> Any:
        call, of_model = Call(loss, wrt, arguments, options), Call(model, wrt, arguments, options)
        call.require_real("a natural gradient")
        _require_plain(call, "a natural gradient")
        coordinates = Coordinates(call)
        g = coordinates.join(containers.leaves(grad(call)(call.chosen)))
        linear = Linearization(of_model, both=True)
        for leaf in linear.leaves:
            if dtype_of(leaf).kind == "c":
                raise UsageError(
                    f"a natural gradient of {name_of(loss)} was asked for with a model of complex outputs; return "
                    "their real and imaginary parts"
                )

        def product(vector: Any) -> Any:
            directions = _placed(linear.inputs, containers.leaves(coordinates.split(vector)))
            tangents = linear.graph.push(directions, linear.outputs)
            cotangents = {
                slot: np.asarray(times(leaf, d))[()] * scale
                for slot, leaf, d in zip(linear.outputs, linear.leaves, tangents, strict=True)
                if slot is not None and d is not None
            }
            found = linear.graph.pull(cotangents, linear.inputs)
            blanks = [np.zeros(slot.shape, slot.dtype) for slot in linear.inputs]
            return coordinates.join([blank if d is None else d for d, blank in zip(found, blanks, strict=True)])

        return coordinates.split(conjugate_gradients(_damped(product, damping), g, tolerance, max_iterations))

    return derivative


def _categorical(logits: Any, d: Any) -> Any:
    raised = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    p = raised / np.sum(raised, axis=-1, keepdims=True)
    return p * (d - np.sum(p * d, axis=-1, keepdims=True))


def _bernoulli(logits: Any, d: Any) -> Any:
    half = np.tanh(logits / 2)
    return (1.0 - half * half) / 4 * d


_METRICS: dict[str, Callable[[Any, Any], Any]] = {
    "gaussian": lambda mean, d: d,
    "categorical": _categorical,
    "bernoulli": _bernoulli,
    "poisson": lambda rate, d: np.exp(rate) * d,
}


def _check_positive(**options: float | None) -> None:
    for name, value in options.items():
        low = value is not None and (value < 0.0 if name == "damping" else value <= 0.0)
        if low:
            raise UsageError(f"{name}={value!r} was asked for; it is {'0 or more' if name == 'damping' else 'above 0'}")


def _require_plain(call: Call, what: str) -> None:
    if any(isinstance(leaf, Intercepting) for leaf in call.leaves):
        raise UsageError(
            f"{what} of {name_of(call.f)} was asked for inside another derivative, and it has none of its own; compute "
            "it outside, or at rg.stop_gradient of the argument"
        )
