"""Derivatives of higher order and whole matrices of them: `python benchmarks/derivatives.py`.

Prints ratios of the processor's times, taken in turns in one run (on one thread: OMP_NUM_THREADS=1): a product of a
Hessian with a vector to a gradient, Jacobians in each mode, the forward Laplacian to the trace of a Hessian computed in
batches, with the peaks of Python's allocations, and the time of a sparse Hessian of 100,000 variables.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from turns import seconds

import retrograde as rg
from retrograde.runtime.meters import measure_python

ROUNDS = 9


def timed(functions: list[Callable[[], Any]]) -> list[float]:
    """The median time of each, in turns, after a call that is not counted."""
    return seconds(functions, ROUNDS, uncounted=1)


def network(inputs: int, width: int, layers: int) -> Callable[[Any], Any]:
    """An MLP with one output."""
    random = np.random.default_rng(1)
    sizes = [inputs, *[width] * layers]
    weights = [random.standard_normal((n, m)) / m**0.5 for m, n in pairwise(sizes)]
    biases = [random.standard_normal(n) for n in sizes[1:]]
    last = random.standard_normal(width)

    def f(x: Any) -> Any:
        for w, b in zip(weights, biases, strict=True):
            x = np.tanh(w @ x + b)
        return last @ x

    return f


def hessian_vector_products() -> None:
    print("\nhvp, as a multiple of a gradient")
    for inputs, width in ((20, 20), (200, 256), (1000, 1000)):
        f, x = network(inputs, width, 3), np.ones(inputs) * 0.1
        gradient, product = timed([lambda f=f, x=x: rg.grad(f)(x), lambda f=f, x=x: rg.hvp(f, (x,), (x,))])
        print(f"  MLP {inputs} - {width}: {product / gradient:.2f}")
    x = np.linspace(0.0, 1.0, 100_000)
    gradient, product = timed([lambda: rg.grad(rosenbrock)(x), lambda: rg.hvp(rosenbrock, (x,), (x,))])
    print(f"  Rosenbrock, 100,000 variables: {product / gradient:.2f}")


def laplacians() -> None:
    print("\nforward Laplacian of an MLP, layers of 256: time and peak, and those of the trace of its Hessian")
    for inputs in (50, 200, 400):
        f, x = network(inputs, 256, 3), np.ones(inputs) * 0.1
        ways = [lambda f=f, x=x: rg.laplacian(f)(x), lambda f=f, x=x: np.trace(rg.hessian(f)(x))]
        ways.append(lambda f=f, x=x: np.sum(rg.hessian_diagonal(f)(x)))
        ours, trace, diagonal = timed(ways)
        peaks = [measure_python(way).peak_bytes / 1e6 for way in ways]
        print(
            f"  {inputs} dimensions: {1e3 * ours:.2f} ms, {peaks[0]:.1f} MB; the trace {trace / ours:.2f} x, "
            f"{peaks[1]:.1f} MB; the sum of the diagonal {diagonal / ours:.2f} x, {peaks[2]:.1f} MB"
        )


def jacobians() -> None:
    print("\nJacobian of 500 by 500, through 8 numbers, relative to `auto`")
    random = np.random.default_rng(2)
    into, out = random.standard_normal((8, 500)) / 20, random.standard_normal((500, 8))
    inner, x = random.standard_normal((8, 8)), np.ones(500)

    def narrow(x: Any) -> Any:
        for _ in range(5):
            x = np.sin(x + 0.1 * x[0])
        y = into @ x
        for _ in range(20):
            y = np.tanh(inner @ y)
        y = out @ y
        for _ in range(5):
            y = np.cos(y) + 0.1 * y[0]
        return y

    modes: Any = ("auto", "forward", "reverse", "mixed")
    times = timed([lambda mode=mode: rg.jacobian(narrow, mode=mode)(x) for mode in modes])
    print("  " + ", ".join(f"{mode} {taken / times[0]:.2f}" for mode, taken in zip(modes, times, strict=True)))
    f, x = network(100, 200, 2), np.ones(100)
    one_by_one = lambda: [rg.hvp(f, (x,), (unit,)) for unit in np.eye(100)]  # noqa: E731
    batched, single = timed([lambda: rg.hessian(f)(x), one_by_one])
    print(f"  a Hessian of 100 variables, its columns one by one: {single / batched:.1f} x the time in batches")


def rosenbrock(x: Any) -> Any:
    """A chain: its Hessian is tridiagonal."""
    curve = x[1:] - x[:-1] * x[:-1]
    return np.sum(100.0 * curve * curve + (1.0 - x[:-1]) * (1.0 - x[:-1]))


def sparse_hessians() -> None:
    print("\ntridiagonal Hessian by colouring")
    for count in (10_000, 100_000):
        x, ones = np.linspace(0.0, 1.0, count), np.ones(count)
        pattern = sparse.diags_array([ones[1:], ones, ones[1:]], offsets=[-1, 0, 1])
        given, detected, gradient = timed(
            [
                lambda x=x, pattern=pattern: rg.hessian(rosenbrock, sparsity=pattern)(x),
                lambda x=x: rg.hessian(rosenbrock, sparsity="detect")(x),
                lambda x=x: rg.grad(rosenbrock)(x),
            ]
        )
        print(
            f"  {count} variables: pattern given {1e3 * given:.0f} ms, detected {1e3 * detected:.0f} ms "
            f"({given / gradient:.0f} and {detected / gradient:.0f} gradients)"
        )


def series() -> None:
    print("\nTaylor coefficients of an MLP along a line, as a multiple of the function")
    f, x = network(100, 200, 3), np.ones(100) * 0.1
    orders = (1, 2, 4, 8)
    ways: list[Any] = [lambda order=order: rg.taylor(f, (x,), (x,), order) for order in orders]
    plain, *times = timed([lambda: f(x), *ways])
    print("  " + ", ".join(f"order {order}: {taken / plain:.1f}" for order, taken in zip(orders, times, strict=True)))


def keep_memory() -> None:
    """Have the C library keep what is freed, as it does once an array of this size was freed: with less, it gives
    memory back to the system at the end of each call, which takes a third of the time of a trace."""
    np.ones(31 << 20, np.uint8)


def main() -> None:
    keep_memory()
    hessian_vector_products()
    laplacians()
    jacobians()
    sparse_hessians()
    series()


if __name__ == "__main__":
    main()
