"""Twenty-one programs to differentiate, small and large: plain NumPy code that autograd and JAX run as well.

Each takes the module to call (`numpy`, `autograd.numpy`, `jax.numpy`), what to differentiate by, and the data. None
writes in place, which the others refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Numpy = Any
Inputs = tuple[Any, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A program and its inputs.

    Attributes:
        name: for tables.
        run: the program, a scalar function: `run(numpy, x, data)`.
        inputs: makes `x` and the data, by whether they are to be large.
    """

    name: str
    run: Callable[[Numpy, Any, dict[str, Any]], Any]
    inputs: Callable[[bool], Inputs]


def _random(*shape: int, seed: int = 0, scale: float = 1.0) -> Any:
    return scale * np.random.default_rng(seed).standard_normal(shape)


def _one_hot(count: int, classes: int) -> Any:
    return np.eye(classes)[np.random.default_rng(5).integers(0, classes, count)]


def chain(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Elementwise operations one behind the other."""
    y = x
    for _ in range(data["steps"]):
        y = n.sin(y * 1.01)
        y = n.tanh(y + x)
    return n.sum(y)


def perceptron(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A perceptron of three layers with a softmax loss."""
    h = data["inputs"]
    for weights, bias in x[:-1]:
        h = n.tanh(n.dot(h, weights) + bias)
    weights, bias = x[-1]
    scores = n.dot(h, weights) + bias
    scores = scores - n.max(scores, axis=1, keepdims=True)
    chances = scores - n.log(n.sum(n.exp(scores), axis=1, keepdims=True))
    return -n.mean(n.sum(chances * data["wanted"], axis=1))


def _perceptron_inputs(large: bool) -> Inputs:
    rows, width = (4000, 128) if large else (8, 8)
    sizes = [(width, width), (width, width), (width, 10)]
    x = [(_random(*size, seed=at, scale=size[0] ** -0.5), np.zeros(size[1])) for at, size in enumerate(sizes)]
    return x, {"inputs": _random(rows, width, seed=9), "wanted": _one_hot(rows, 10)}


def logistic_regression(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The likelihood of labels -1 and 1, with a penalty on the weights."""
    margins = data["labels"] * n.dot(data["inputs"], x)
    return n.sum(n.log(1.0 + n.exp(-margins))) + 0.1 * n.dot(x, x)


def _logistic_inputs(large: bool) -> Inputs:
    rows, width = (300_000, 10) if large else (10, 4)
    labels = np.sign(_random(rows, seed=1))
    return _random(width), {"inputs": _random(rows, width, seed=2), "labels": labels}


def recurrent(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A recurrent network over a sequence."""
    h = data["initial"]
    for row in data["sequence"]:
        h = n.tanh(n.dot(h, x["hidden"]) + n.dot(row, x["inward"]) + x["bias"])
    return n.mean((n.dot(h, x["outward"]) - data["wanted"]) ** 2)


def _recurrent_inputs(large: bool) -> Inputs:
    steps, batch, width = (40, 512, 64) if large else (20, 2, 4)
    weights = {name: _random(width, width, seed=at, scale=0.1) for at, name in enumerate(("hidden", "inward"))}
    x = {**weights, "outward": _random(width, 1, seed=4), "bias": np.zeros(width)}
    sequence = list(_random(steps, batch, width, seed=7))
    return x, {"initial": np.zeros((batch, width)), "sequence": sequence, "wanted": _random(batch, 1, seed=8)}


def bodies(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Bodies that attract each other, in leapfrog steps; the energy in the end."""
    positions, velocities = x
    for _ in range(data["steps"]):
        apart = positions[None, :, :] - positions[:, None, :]
        near = n.sum(apart * apart, axis=2) + 0.1
        pull = n.sum(apart * (1.0 / (near * n.sqrt(near)))[:, :, None], axis=1)
        velocities = velocities + 0.01 * pull
        positions = positions + 0.01 * velocities
    return 0.5 * n.sum(velocities * velocities) + n.sum(positions * positions)


def _bodies_inputs(large: bool) -> Inputs:
    count, steps = (256, 6) if large else (4, 10)
    return (_random(count, 3), _random(count, 3, seed=1)), {"steps": steps}


def lorenz(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Lorenz's attractor, for many starts at once, by Runge and Kutta's method."""

    def slope(state: Any) -> Any:
        p, q, r = state
        return 10.0 * (q - p), p * (28.0 - r) - q, p * q - 8.0 / 3.0 * r

    def ahead(state: Any, change: Any, step: float) -> Any:
        return [part + step * move for part, move in zip(state, change, strict=True)]

    state = [x[0], x[1], x[2]]
    step = 0.01
    for _ in range(data["steps"]):
        one = slope(state)
        two = slope(ahead(state, one, step / 2))
        three = slope(ahead(state, two, step / 2))
        four = slope(ahead(state, three, step))
        moves = [(a + 2.0 * b + 2.0 * c + d) / 6.0 for a, b, c, d in zip(one, two, three, four, strict=True)]
        state = ahead(state, moves, step)
    return n.sum(state[0] * state[0]) + n.sum(state[2])


def heat(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A rod that conducts heat, better where it is hot, by explicit steps."""
    u = x
    for _ in range(data["steps"]):
        middle = 0.5 * (u[1:] + u[:-1])
        flow = (1.0 + middle * middle) * (u[1:] - u[:-1])
        inner = u[1:-1] + 0.1 * (flow[1:] - flow[:-1])
        u = n.concatenate((u[:1], inner, u[-1:]))
    return n.sum(u * u)


def gaussian_process(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The likelihood of a Gaussian process's length, height and noise."""
    length, height, noise = x[0], x[1], x[2]
    apart = data["apart"] / n.exp(length)
    kernel = n.exp(height) * n.exp(-0.5 * apart * apart) + n.exp(noise) * data["identity"]
    _, logarithm = n.linalg.slogdet(kernel)
    return 0.5 * n.dot(data["values"], n.linalg.solve(kernel, data["values"])) + 0.5 * logarithm


def _gaussian_process_inputs(large: bool) -> Inputs:
    count = 500 if large else 6
    at = np.sort(_random(count))
    data = {"apart": at[:, None] - at, "identity": np.eye(count), "values": np.sin(3 * at)}
    return np.array([0.1, 0.2, -1.0]), data


def black_scholes(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The worth of options, with the normal distribution by a polynomial (Abramowitz and Stegun 1964, 26.2.17)."""

    def normal(d: Any) -> Any:
        size = n.abs(d)
        t = 1.0 / (1.0 + 0.2316419 * size)
        tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
        tail = tail * n.exp(-0.5 * size * size) * 0.3989422804014327
        return n.where(d > 0, 1.0 - tail, tail)

    price, volatility = x
    deviation = volatility * n.sqrt(data["years"])
    one = (n.log(price / data["strike"]) + (0.02 + 0.5 * volatility * volatility) * data["years"]) / deviation
    worth = price * normal(one) - data["strike"] * n.exp(-0.02 * data["years"]) * normal(one - deviation)
    return n.sum(worth)


def _black_scholes_inputs(large: bool) -> Inputs:
    count = 200_000 if large else 5
    random = np.random.default_rng(0)
    x = (random.uniform(80, 120, count), random.uniform(0.1, 0.5, count))
    return x, {"strike": random.uniform(80, 120, count), "years": random.uniform(0.5, 2.0, count)}


def clustering(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The squared distance of points to the nearest of some centres."""
    points = data["points"]
    squares = n.sum(x * x, axis=1) - 2.0 * n.dot(points, x.T) + data["squares"][:, None]
    return n.sum(n.min(squares, axis=1))


def _clustering_inputs(large: bool) -> Inputs:
    count, centres = (50_000, 20) if large else (12, 3)
    points = _random(count, 4, seed=3)
    return _random(centres, 4), {"points": points, "squares": np.sum(points * points, axis=1)}


def factorisation(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A matrix, known in places, as the product of two narrow ones."""
    rows, columns = x
    error = data["known"] * (n.dot(rows, columns.T) - data["matrix"])
    return n.sum(error * error) + 0.1 * (n.sum(rows * rows) + n.sum(columns * columns))


def _factorisation_inputs(large: bool) -> Inputs:
    count = 1000 if large else 6
    known = (_random(count, count, seed=3) > 0).astype(float)
    return (_random(count, 5), _random(count, 5, seed=1)), {"matrix": _random(count, count, seed=2), "known": known}


def convolution(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Two layers of convolution by slices, with rectifiers between."""

    def layer(images: Any, kernel: Any) -> Any:
        height, width = images.shape[1] - 2, images.shape[2] - 2
        total = 0.0
        for i in range(3):
            for j in range(3):
                total = total + n.dot(images[:, i : i + height, j : j + width, :], kernel[i, j])
        return total

    hidden = n.maximum(layer(data["images"], x[0]), 0.0)
    return n.sum(n.tanh(layer(hidden, x[1]))) / hidden.size


def _convolution_inputs(large: bool) -> Inputs:
    count, side, channels = (8, 48, 8) if large else (1, 6, 2)
    x = (_random(3, 3, 2, channels, scale=0.3), _random(3, 3, channels, 2, seed=1, scale=0.3))
    return x, {"images": _random(count, side, side, 2, seed=2)}


def rosenbrock(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Rosenbrock's valley in many dimensions."""
    return n.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def attention(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A block of attention with a residual connection and two layers behind it."""
    tokens = data["tokens"]
    queries, keys, values = (n.matmul(tokens, x[name]) for name in ("queries", "keys", "values"))
    scores = n.matmul(queries, n.transpose(keys, (0, 2, 1))) * data["scale"]
    weights = n.exp(scores - n.max(scores, axis=-1, keepdims=True))
    weights = weights / n.sum(weights, axis=-1, keepdims=True)
    mixed = tokens + n.matmul(weights, values)
    hidden = n.maximum(n.matmul(mixed, x["wide"]), 0.0)
    out = mixed + n.matmul(hidden, x["narrow"])
    return n.mean(out * out)


def _attention_inputs(large: bool) -> Inputs:
    batch, length, width = (4, 256, 64) if large else (1, 4, 4)
    names = ("queries", "keys", "values")
    x = {name: _random(width, width, seed=at, scale=width**-0.5) for at, name in enumerate(names)}
    x["wide"] = _random(width, 2 * width, seed=3, scale=width**-0.5)
    x["narrow"] = _random(2 * width, width, seed=4, scale=(2 * width) ** -0.5)
    return x, {"tokens": _random(batch, length, width, seed=5), "scale": width**-0.5}


def flow(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A normalising flow of coupling layers; the likelihood of its samples."""
    left, right = data["left"], data["right"]
    logarithm = 0.0
    for scale, shift in x:
        size = n.tanh(n.dot(left, scale))
        left, right = right * n.exp(size) + n.dot(left, shift), left
        logarithm = logarithm + n.sum(size)
    return 0.5 * (n.sum(left * left) + n.sum(right * right)) - logarithm


def _flow_inputs(large: bool) -> Inputs:
    count, width, layers = (20_000, 8, 6) if large else (4, 2, 4)
    x = [(_random(width, width, seed=at, scale=0.3), _random(width, width, seed=at + 50)) for at in range(layers)]
    return x, {"left": _random(count, width, seed=1), "right": _random(count, width, seed=2)}


def reading(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """Elements of an array read one by one."""
    total = 0.0
    for at in range(0, x.shape[0], data["stride"]):
        total = total + n.sin(x[at]) * x[at]
    return total


def mixture(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The likelihood of a mixture of Gaussians."""
    apart = (data["points"][:, None] - x["means"]) * n.exp(-x["logarithms"])
    chances = -0.5 * apart * apart - x["logarithms"] + x["weights"]
    top = n.max(chances, axis=1, keepdims=True)
    return -n.sum(top[:, 0] + n.log(n.sum(n.exp(chances - top), axis=1)))


def _mixture_inputs(large: bool) -> Inputs:
    count, parts = (50_000, 10) if large else (10, 3)
    x = {"means": _random(parts), "logarithms": _random(parts, seed=1), "weights": _random(parts, seed=2)}
    return x, {"points": _random(count, seed=3)}


def scalars(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A loop of operations on numbers: Newton's method for the root of x, many times."""
    total = 0.0
    for at in range(data["roots"]):
        a = x[at % 3] + 1.0 * at
        root = a
        for _ in range(6):
            root = 0.5 * (root + a / root)
        total = total + root
    return total


def autoencoder(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """An autoencoder, its parameters in a dictionary of dictionaries."""
    h = data["inputs"]
    for layer in (x["down"], x["up"]):
        h = n.dot(h, layer["weights"]) + layer["bias"]
        h = 1.0 / (1.0 + n.exp(-h))
    return n.mean((h - data["inputs"]) ** 2)


def _autoencoder_inputs(large: bool) -> Inputs:
    rows, width, narrow = (4000, 100, 40) if large else (5, 6, 2)
    down = {"weights": _random(width, narrow, scale=0.2), "bias": np.zeros(narrow)}
    up = {"weights": _random(narrow, width, seed=1, scale=0.2), "bias": np.zeros(width)}
    return {"down": down, "up": up}, {"inputs": np.abs(_random(rows, width, seed=2))}


def mesh(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """The energy of a mesh of springs, whose ends are indices into the points."""
    along = x[data["starts"]] - x[data["ends"]]
    stretch = n.sqrt(n.sum(along * along, axis=1)) - data["lengths"]
    return n.sum(stretch * stretch) + n.sum(x[:, 2])


def _mesh_inputs(large: bool) -> Inputs:
    points, springs = (20_000, 60_000) if large else (6, 10)
    random = np.random.default_rng(0)
    starts, steps = random.integers(0, points, springs), random.integers(1, points, springs)
    data = {"starts": starts, "ends": (starts + steps) % points, "lengths": random.uniform(0.5, 1.0, springs)}
    return _random(points, 3), data


def gated(n: Numpy, x: Any, data: dict[str, Any]) -> Any:
    """A recurrent network with gates, which are parts of one product."""
    width = x["hidden"].shape[0]
    h = data["initial"]
    for row in data["sequence"]:
        parts = n.dot(row, x["inward"]) + n.dot(h, x["hidden"])
        gates = 1.0 / (1.0 + n.exp(-parts[:, : 2 * width]))
        keep, show = gates[:, :width], gates[:, width:]
        h = keep * h + (1.0 - keep) * n.tanh(parts[:, 2 * width :] * show)
    return n.sum(h * h)


def _gated_inputs(large: bool) -> Inputs:
    steps, batch, width = (30, 256, 32) if large else (10, 2, 3)
    x = {"inward": _random(width, 3 * width, scale=0.3), "hidden": _random(width, 3 * width, seed=1, scale=0.3)}
    return x, {"initial": np.zeros((batch, width)), "sequence": list(_random(steps, batch, width, seed=2))}


CASES = (
    Case("chain", chain, lambda large: (np.linspace(0.1, 0.9, 100_000 if large else 4), {"steps": 25})),
    Case("perceptron", perceptron, _perceptron_inputs),
    Case("logistic regression", logistic_regression, _logistic_inputs),
    Case("recurrent network", recurrent, _recurrent_inputs),
    Case("gated network", gated, _gated_inputs),
    Case("bodies", bodies, _bodies_inputs),
    Case("Lorenz", lorenz, lambda large: (_random(3, 50_000 if large else 1), {"steps": 16 if large else 4})),
    Case("heat", heat, lambda large: (_random(100_000 if large else 10), {"steps": 10})),
    Case("Gaussian process", gaussian_process, _gaussian_process_inputs),
    Case("Black-Scholes", black_scholes, _black_scholes_inputs),
    Case("clustering", clustering, _clustering_inputs),
    Case("factorisation", factorisation, _factorisation_inputs),
    Case("convolution", convolution, _convolution_inputs),
    Case("Rosenbrock", rosenbrock, lambda large: (_random(500_000 if large else 5), {})),
    Case("attention", attention, _attention_inputs),
    Case("normalising flow", flow, _flow_inputs),
    Case("reading elements", reading, lambda large: (_random(20_000 if large else 10), {"stride": 40 if large else 1})),
    Case("mixture", mixture, _mixture_inputs),
    Case("scalars", scalars, lambda large: (_random(3) + 2.0, {"roots": 100 if large else 5})),
    Case("autoencoder", autoencoder, _autoencoder_inputs),
    Case("mesh of springs", mesh, _mesh_inputs),
)
