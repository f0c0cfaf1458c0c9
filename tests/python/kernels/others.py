"""Programs in other people's styles: integrators, filters, dynamic programs, solvers that stop, recurrent networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

OTHERS = Family("others")


def lotka_volterra(prey, predators, rates, dt, steps):
    """Prey and predators by the midpoint rule; all states are returned."""
    alpha, beta, gamma, delta = rates

    def slope(state):
        x, y = state
        return np.array([alpha * x - beta * x * y, delta * x * y - gamma * y])

    states = np.zeros((steps + 1, 2))
    states[0] = prey, predators
    for n in range(steps):
        half = states[n] + 0.5 * dt * slope(states[n])
        states[n + 1] = states[n] + dt * slope(half)
    return states


OTHERS.add(
    lotka_volterra,
    lambda random, steps: (1.2, 0.7, np.array([1.1, 0.4, 0.4, 0.1]), 0.1, steps),
    kind="nest",
    wrt="prey predators rates dt",
    tiny={"steps": 6},
    S={"steps": 2000},
    M={"steps": 20000},
)


def pendulum(theta, omega, length, dt, steps, g=9.81, damping=0.1):
    """A damped pendulum by the classical method of Runge and Kutta; its energy at the end."""

    def f(y):
        angle, speed = y
        return [speed, -g / length * np.sin(angle) - damping * speed]

    y = [theta, omega]
    for _ in range(steps):
        k1 = f(y)
        k2 = f([a + dt / 2 * b for a, b in zip(y, k1)])
        k3 = f([a + dt / 2 * b for a, b in zip(y, k2)])
        k4 = f([a + dt * b for a, b in zip(y, k3)])
        y = [a + dt / 6 * (p + 2 * q + 2 * r + s) for a, p, q, r, s in zip(y, k1, k2, k3, k4)]
    return 0.5 * (length * y[1]) ** 2 + g * length * (1 - np.cos(y[0]))


OTHERS.add(
    pendulum,
    lambda random, steps: (1.0, 0.2, 1.3, 0.02, steps),
    kind="nest",
    wrt="theta omega length dt",
    tiny={"steps": 5},
    S={"steps": 5000},
    M={"steps": 50000},
)


def kalman_filter(measurements, F, H, Q, R, x0, P0):
    """The log-likelihood of measurements under a linear model with noise."""
    x, P = x0, P0
    loglik = 0.0
    for z in measurements:
        x = F @ x
        P = F @ P @ F.T + Q
        innovation = z - H @ x
        S = H @ P @ H.T + R
        gain = P @ H.T @ np.linalg.inv(S)
        x = x + gain @ innovation
        P = (np.eye(len(x)) - gain @ H) @ P
        logdet = np.linalg.slogdet(2 * np.pi * S)[1]
        loglik -= 0.5 * (innovation @ np.linalg.solve(S, innovation) + logdet)
    return loglik


def kalman_arguments(random: Random, steps: int) -> tuple[Any, ...]:
    F = np.array([[1.0, 0.1], [0.0, 0.9]])
    return (
        random.standard_normal((steps, 1)),
        F,
        np.array([[1.0, 0.2]]),
        0.1 * np.eye(2),
        0.5 * np.eye(1),
        np.zeros(2),
        np.eye(2),
    )


OTHERS.add(
    kalman_filter,
    kalman_arguments,
    kind="elementwise",
    wrt="measurements F H Q R x0 P0",
    tiny={"steps": 4},
    S={"steps": 500},
    M={"steps": 5000},
)


def smith_waterman(scores, gap):
    """The best local alignment of two sequences, by the scores of their pairs."""
    n, m = scores.shape
    H = np.zeros((n + 1, m + 1))
    best = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            H[i, j] = max(0.0, H[i - 1, j - 1] + scores[i - 1, j - 1], H[i - 1, j] - gap, H[i, j - 1] - gap)
            if H[i, j] > best:
                best = H[i, j]
    return best


OTHERS.add(
    smith_waterman,
    lambda random, n, m: (random.standard_normal((n, m)) + 0.2, 0.3),
    kind="nest",
    wrt="scores gap",
    tiny={"n": 4, "m": 5},
    S={"n": 200, "m": 180},
    M={"n": 600, "m": 500},
)


def knapsack(values, weights, capacity):
    """The most value that fits, by dynamic programming over capacities, item by item."""
    best = np.zeros(capacity + 1)
    for value, weight in zip(values, weights):
        candidate = best.copy()
        candidate[weight:] = np.maximum(best[weight:], best[:-weight] + value)
        best = candidate
    return best[capacity]


def knapsack_arguments(random: Random, items: int, capacity: int) -> tuple[Any, ...]:
    return random.random(items), random.integers(1, 5, items), capacity


OTHERS.add(
    knapsack,
    knapsack_arguments,
    kind="elementwise",
    wrt="values",
    tiny={"items": 5, "capacity": 8},
    S={"items": 200, "capacity": 1000},
    M={"items": 1000, "capacity": 5000},
)


def newton_root(a, x, tolerance=1e-12, limit=50):
    """Roots of x^3 + a x = 1 by Newton's method, all at once, until no step is large."""
    for _ in range(limit):
        step = (x**3 + a * x - 1.0) / (3 * x**2 + a)
        x = x - step
        if np.max(np.abs(step)) < tolerance:
            break
    return x


OTHERS.add(
    newton_root,
    lambda random, n: (1.0 + random.random(n), np.full(n, 0.5)),
    kind="elementwise",
    wrt="a x",
    tiny={"n": 4},
    S={"n": 10000},
    M={"n": 100000},
    tolerance=1e-5,
)


def heat_with_obstacle(u, obstacle, conductivity, dt, steps):
    """Heat in a plate: insulated at the walls, cooled at an obstacle, step by step; the heat that remains."""
    for t in range(steps):
        padded = np.pad(u, 1, mode="edge")
        laplacian = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * u
        u = u + dt * conductivity * laplacian
        u[obstacle] *= 0.5
        if t % 3 == 0:
            u = np.clip(u, None, 3.0)
    return u.sum() / u.size


OTHERS.add(
    heat_with_obstacle,
    lambda random, n, steps: (random.random((n, n)), random.random((n, n)) < 0.2, 1.0, 0.1, steps),
    kind="stencil",
    wrt="u conductivity dt",
    tiny={"n": 5, "steps": 5},
    S={"n": 100, "steps": 50},
    M={"n": 300, "steps": 100},
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(inputs, parameters):
    """A long short-term memory over a sequence; `parameters` is a dict. The mean square of its outputs."""
    hidden_size = parameters["b"].shape[0] // 4
    h = np.zeros(hidden_size)
    c = np.zeros_like(h)
    outputs = []
    for t, x in enumerate(inputs):
        gates = parameters["W"] @ x + parameters["U"] @ h + parameters["b"]
        i, f, o, g = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.mean(np.stack(outputs) ** 2)


def lstm_arguments(random: Random, steps: int, features: int, hidden: int) -> tuple[Any, ...]:
    shapes = {"W": (4 * hidden, features), "U": (4 * hidden, hidden), "b": (4 * hidden,)}
    parameters = {name: random.standard_normal(shape) / np.sqrt(shape[-1]) for name, shape in shapes.items()}
    return random.standard_normal((steps, features)), parameters


OTHERS.add(
    lstm,
    lstm_arguments,
    kind="network",
    wrt="inputs parameters",
    tiny={"steps": 4, "features": 3, "hidden": 2},
    S={"steps": 100, "features": 32, "hidden": 32},
    M={"steps": 200, "features": 128, "hidden": 128},
)


def kmeans_step(points, centres):
    """One step of k-means: each centre moves to the mean of its points; the cost before the step."""
    distances = np.sum((points[:, None, :] - centres[None, :, :]) ** 2, axis=2)
    labels = np.argmin(distances, axis=1)
    moved = centres.copy()
    for k in range(centres.shape[0]):
        mine = labels == k
        if np.any(mine):
            moved[k] = points[mine].mean(axis=0)
    return moved, np.sum(np.min(distances, axis=1))


OTHERS.add(
    kmeans_step,
    lambda random, n, k: (random.standard_normal((n, 2)), random.standard_normal((k, 2))),
    kind="elementwise",
    wrt="points centres",
    tiny={"n": 7, "k": 3},
    S={"n": 5000, "k": 20},
    M={"n": 50000, "k": 20},
)


def viterbi(log_start, log_step, log_emit, observed):
    """The log-probability of the likeliest path of hidden states."""
    score = log_start + log_emit[:, observed[0]]
    for symbol in observed[1:]:
        score = np.max(score[:, None] + log_step, axis=0) + log_emit[:, symbol]
    return score.max()


def viterbi_arguments(random: Random, states: int, symbols: int, length: int) -> tuple[Any, ...]:
    tables = (random.standard_normal(shape) for shape in ((states,), (states, states), (states, symbols)))
    return *tables, random.integers(0, symbols, length)


OTHERS.add(
    viterbi,
    viterbi_arguments,
    kind="elementwise",
    wrt="log_start log_step log_emit",
    tiny={"states": 3, "symbols": 4, "length": 5},
    S={"states": 50, "symbols": 20, "length": 500},
    M={"states": 100, "symbols": 20, "length": 2000},
)


def piecewise_relaxation(x, rate):
    """An `if` for each element: above 0 it relaxes, below it grows; it stops when it leaves the unit interval."""
    total = 0.0
    for i in range(len(x)):
        value = x[i]
        for _ in range(4):
            if value > 0:
                value = value - rate * value**2
            elif value > -1:
                value = value * (1 + rate)
            else:
                break
        x[i] = value
        total += value if value > 0 else 2 * value
    return total


OTHERS.add(
    piecewise_relaxation,
    lambda random, n: (random.standard_normal(n), 0.3),
    kind="nest",
    wrt="x rate",
    of="return x",
    tiny={"n": 6},
    S={"n": 10000},
    M={"n": 100000},
)


def edit_distance(substitution, insertion, deletion):
    """The cheapest way to edit one sequence into another, with a row at a time kept."""
    n, m = substitution.shape
    row = insertion * np.arange(m + 1)
    for i in range(n):
        previous = row.copy()
        row[0] = previous[0] + deletion
        for j in range(m):
            row[j + 1] = np.minimum(
                np.minimum(previous[j] + substitution[i, j], previous[j + 1] + deletion), row[j] + insertion
            )
    return row[-1]


OTHERS.add(
    edit_distance,
    lambda random, n, m: (random.random((n, m)), 0.43, 0.57),
    kind="nest",
    wrt="substitution insertion deletion",
    tiny={"n": 4, "m": 5},
    S={"n": 200, "m": 180},
    M={"n": 600, "m": 500},
)


def random_walk(start, drift, volatility, steps, seed):
    """A walk with noise from a generator, reflected at 0 by a branch; the mean of its positions."""
    rng = np.random.default_rng(seed)
    x = start
    total = 0.0
    for _ in range(steps):
        x = x + drift + volatility * rng.standard_normal()
        if x < 0:
            x = -x
        total = total + x
    return total / steps


OTHERS.add(
    random_walk,
    lambda random, steps: (0.5, 0.01, 0.3, steps, 7),
    kind="nest",
    wrt="start drift volatility",
    tiny={"steps": 8},
    S={"steps": 10000},
    M={"steps": 100000},
)


def tridiagonal_solve(lower, diagonal, upper, right):
    """Thomas's algorithm, with the work arrays allocated inside."""
    n = len(right)
    c = np.empty(n - 1)
    d = np.empty(n)
    c[0] = upper[0] / diagonal[0]
    d[0] = right[0] / diagonal[0]
    for i in range(1, n):
        pivot = diagonal[i] - lower[i - 1] * c[i - 1]
        if i < n - 1:
            c[i] = upper[i] / pivot
        d[i] = (right[i] - lower[i - 1] * d[i - 1]) / pivot
    x = np.zeros(n)
    x[-1] = d[-1]
    for i in reversed(range(n - 1)):
        x[i] = d[i] - c[i] * x[i + 1]
    return x


def tridiagonal_arguments(random: Random, n: int) -> tuple[Any, ...]:
    return random.standard_normal(n - 1), 4 + random.random(n), random.standard_normal(n - 1), random.standard_normal(n)


OTHERS.add(
    tridiagonal_solve,
    tridiagonal_arguments,
    kind="nest",
    wrt="lower diagonal upper right",
    tiny={"n": 5},
    S={"n": 10000},
    M={"n": 100000},
)
