"""Small programs that other systems are known to differentiate wrongly, or to refuse."""

from __future__ import annotations

import numpy as np

from kernels.registry import Family

PITFALLS = Family("pitfalls")


def sum_of_squares(x):
    """An operand that is used twice."""
    return np.sum(x * x)


PITFALLS.add(sum_of_squares, lambda random, N: (random.standard_normal(N),), kind="elementwise", wrt="x", tiny={"N": 5})


def rectified(x):
    """A branch for each element, inside a loop."""
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        if x[i] > 0.0:
            y[i] = x[i] * x[i]
        else:
            y[i] = 0.1 * x[i]
    return y


PITFALLS.add(
    rectified, lambda random, N: (random.standard_normal(N),), kind="nest", wrt="x", tiny={"N": 6}, S={"N": 100000}
)


def tanh_steps(steps, x, w):
    """A nonlinear loop that rewrites one array."""
    for t in range(steps):
        x[:] = np.tanh(w * x)


PITFALLS.add(
    tanh_steps,
    lambda random, steps, N: (steps, random.standard_normal(N), random.standard_normal(N)),
    kind="elementwise",
    wrt="x w",
    of="x",
    tiny={"steps": 5, "N": 4},
    S={"steps": 1000, "N": 10000},
)


def decay_until(x, rate, bound):
    """A loop whose end depends on data."""
    while np.sum(np.abs(x)) > bound:
        x = x * rate
    return x


PITFALLS.add(
    decay_until,
    lambda random, N: (random.standard_normal(N), 0.8, 1.0),
    kind="elementwise",
    wrt="x rate bound",
    tiny={"N": 4},
)


def gathered(x, index):
    """A gather and a masked assignment."""
    y = x[index]
    y[y < 0.0] = 0.0
    return y * y


PITFALLS.add(
    gathered,
    lambda random, N: (random.standard_normal(N), random.integers(0, N, 2 * N)),
    kind="elementwise",
    wrt="x",
    tiny={"N": 5},
)
