"""Holding NumPy code on tracked arrays, duals and symbols against NumPy, and its derivatives against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.program import ProgramBuilder
from retrograde.program.array_like import ArrayLike
from retrograde.program.types import is_differentiable

STEP = 1e-5


def results(out: Any) -> list[Any]:
    """The arrays of a result: one, or those of a tuple or list."""
    return list(out) if isinstance(out, (tuple, list)) else [out]


def same(found: Any, expected: Any, exactly: bool = False) -> None:
    """The value, the shape and the dtype are NumPy's."""
    assert not isinstance(found, ArrayLike)
    assert (np.shape(found), np.asarray(found).dtype) == (np.shape(expected), np.asarray(expected).dtype)
    if exactly:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


class Function:
    """A function with a random linear function of its results behind it: something to take gradients of."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.function = function
        self.inputs = tuple(np.asarray(x) for x in inputs)
        random = np.random.default_rng(5)
        self.weights = [_random_like(random, np.asarray(out)) for out in results(function(*self.inputs))]
        self.direction = tuple(_random_like(random, x) for x in self.inputs)
        self.every = tuple(range(len(inputs)))

    def __call__(self, *inputs: Any) -> Any:
        total: Any = 0.0
        for weights, out in zip(self.weights, results(self.function(*inputs)), strict=True):
            if is_differentiable(np.asarray(weights).dtype) and hasattr(out, "dtype") and is_differentiable(out.dtype):
                total = total + np.sum(np.real(np.conjugate(weights) * np.sin(out) * out))
        return total

    def gradient(self, *inputs: Any) -> Any:
        return rg.grad(self, self.every, backend="tape")(*inputs)

    def moved(self, step: float) -> list[Any]:
        return [x + step * d for x, d in zip(self.inputs, self.direction, strict=True)]


def _random_like(random: np.random.Generator, x: Any) -> Any:
    drawn = random.standard_normal(x.shape)
    return drawn + 1j * random.standard_normal(x.shape) if np.iscomplexobj(x) else drawn


def _paired(one: Any, other: Any) -> float:
    return sum(float(np.real(np.sum(np.conjugate(a) * b))) for a, b in zip(one, other, strict=True))


def agrees(function: Callable[..., Any], *inputs: Any, programs: bool = True, order: int = 2) -> None:
    """The function gives NumPy's values, and has the derivatives that differences say, to second order."""
    f = Function(function, inputs)
    expected = results(function(*f.inputs))
    _values(f, expected, programs)
    gradients = f.gradient(*f.inputs)
    for gradient, x in zip(gradients, f.inputs, strict=True):
        assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
    above, below = f.moved(STEP), f.moved(-STEP)
    slope = (f(*above) - f(*below)) / (2 * STEP)
    np.testing.assert_allclose(_paired(gradients, f.direction), slope, rtol=1e-6, atol=1e-7)
    _, tangent = rg.jvp(f, f.inputs, f.direction, backend="tape")
    np.testing.assert_allclose(tangent, slope, rtol=1e-6, atol=1e-7)
    if order == 2:
        differences = zip(f.gradient(*above), f.gradient(*below), strict=True)
        for product, (one, other) in zip(rg.hvp(f, f.inputs, f.direction), differences, strict=True):
            np.testing.assert_allclose(product, (one - other) / (2 * STEP), rtol=1e-5, atol=1e-6)
    if programs:
        _program_gradient(f, gradients)


def _values(f: Function, expected: list[Any], programs: bool) -> None:
    with rg.GradientTape() as tape:
        tracked = results(f.function(*tape.watch(f.inputs)))
    for found, value in zip(tracked, expected, strict=True):
        same(rg.stop_gradient(found), value)
    primal, _ = rg.jvp(f.function, f.inputs, f.direction, backend="tape")
    for found, value in zip(results(primal), expected, strict=True):
        same(found, value)
    if programs:
        builder = ProgramBuilder("values")
        symbols = [builder.input(f"x{at}", x.dtype, (None,) * x.ndim) for at, x in enumerate(f.inputs)]
        outs = results(f.function(*symbols))
        program = builder.finish(**{f"out{at}": out for at, out in enumerate(outs)})
        for found, value, out in zip(program(*f.inputs), expected, outs, strict=True):
            same(found, value)
            assert (out.dtype, out.ndim) == (np.asarray(value).dtype, np.ndim(value))


def _program_gradient(f: Function, expected: Any) -> None:
    builder = ProgramBuilder("scalar")
    symbols = [builder.input(f"x{at}", x.dtype, (None,) * x.ndim) for at, x in enumerate(f.inputs)]
    program = builder.finish(out=f(*symbols))
    wrt = [variable.name for variable in program.inputs]
    found = reverse(program, wrt, ["out"], keep_outputs=False)(*f.inputs, program.block.results[0].type.dtype.type(1))
    for gradient, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-12, atol=1e-12)
