"""Gradients of kernels by finite differences in random directions, with random cotangents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.registry import Kernel, Random
from retrograde.autodiff.containers import leaves, leaves_like, rebuild

Arguments = dict[str, Any]


def parameter_names(kernel: Kernel, count: int) -> tuple[str, ...]:
    """The names of a kernel's first parameters."""
    return kernel.function.__code__.co_varnames[:count]


def outputs_of(kernel: Kernel, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a kernel returns and writes, one for each name of `of`; the arguments are not changed."""
    mine = deepcopy(arguments)
    returned = kernel.function(*mine)
    given = dict(zip(parameter_names(kernel, len(mine)), mine, strict=True))
    return tuple(returned if name == "return" else given[name] for name in kernel.of)


def random_like(random: Random, value: Any) -> Any:
    """Random numbers of the shape and dtype of a floating or complex array or number; a container of them."""

    def draw(leaf: Any) -> Any:
        drawn = random.standard_normal(np.shape(leaf))
        drawn = drawn + 1j * random.standard_normal(np.shape(leaf)) if np.iscomplexobj(leaf) else drawn
        return np.asarray(drawn).astype(np.result_type(leaf))[()]

    return rebuild(value, [draw(leaf) for leaf in leaves(value)])


def inner(left: Any, right: Any) -> float:
    """The real inner product of two containers of arrays."""
    pairs = zip(leaves(left), leaves_like(left, right), strict=True)
    return float(sum(np.real(np.vdot(one, other)) for one, other in pairs))


@dataclass(frozen=True)
class Problem:
    """A kernel at a place: its arguments, and a cotangent for each of its outputs.

    Attributes:
        kernel: which.
        arguments: where; they are never changed.
        cotangents: one for each name of the kernel's `of`, random.
    """

    kernel: Kernel
    arguments: tuple[Any, ...]
    cotangents: tuple[Any, ...]

    @staticmethod
    def of(kernel: Kernel, size: str = "tiny", seed: int = 0) -> Problem:
        """A problem with random arguments and cotangents."""
        arguments = kernel.arguments(size, seed)
        random = np.random.default_rng(seed + 1)
        return Problem(kernel, arguments, tuple(random_like(random, out) for out in outputs_of(kernel, arguments)))

    def value(self, arguments: tuple[Any, ...]) -> float:
        """The scalar whose gradient is looked for: the inner product of outputs and cotangents."""
        outputs = outputs_of(self.kernel, arguments)
        return sum(inner(out, g) for out, g in zip(outputs, self.cotangents, strict=True))

    def along(self, direction: Mapping[str, Any]) -> float:
        """The derivative in a direction (by argument), by central differences, extrapolated once."""
        wide, narrow = (self._difference(direction, step) for step in (1e-4, 5e-5))
        return (4 * narrow - wide) / 3

    def _difference(self, direction: Mapping[str, Any], step: float) -> float:
        ahead, behind = (self.value(self._moved(direction, by)) for by in (step, -step))
        return (ahead - behind) / (2 * step)

    def _moved(self, direction: Mapping[str, Any], by: float) -> tuple[Any, ...]:
        names = parameter_names(self.kernel, len(self.arguments))
        return tuple(
            _shifted(value, direction[name], by) if name in direction else value
            for name, value in zip(names, self.arguments, strict=True)
        )

    def directions(self, seed: int = 2) -> list[dict[str, Any]]:
        """For each argument of `wrt` a direction that moves it alone; and one that moves all."""
        random = np.random.default_rng(seed)
        given = dict(zip(parameter_names(self.kernel, len(self.arguments)), self.arguments, strict=True))
        alone = [{name: _scaled(random_like(random, given[name]), given[name])} for name in self.kernel.wrt]
        everything = {name: part for direction in alone for name, part in direction.items()}
        return [*alone, everything] if len(alone) > 1 else alone


def _scaled(direction: Any, value: Any) -> Any:
    """A direction in proportion to the size of what it moves."""
    scale = min(1.0, max((float(np.max(np.abs(leaf), initial=0.0)) for leaf in leaves(value)), default=1.0) or 1.0)
    return rebuild(direction, [scale * leaf for leaf in leaves(direction)])


def _shifted(value: Any, direction: Any, by: float) -> Any:
    parts = zip(leaves(value), leaves_like(value, direction), strict=True)
    return rebuild(value, [one + by * other for one, other in parts])


Gradient = Callable[[Problem], tuple[Any, ...]]
"""From a problem to the gradients by its kernel's `wrt`."""


def assert_gradient(problem: Problem, gradients: tuple[Any, ...]) -> None:
    """Hold gradients by each argument of `wrt` against finite differences."""
    kernel = problem.kernel
    by_name = dict(zip(kernel.wrt, gradients, strict=True))
    for direction in problem.directions():
        expected = problem.along(direction)
        found = sum(inner(part, by_name[name]) for name, part in direction.items())
        scale = sum(_reach(part, by_name[name]) for name, part in direction.items())
        np.testing.assert_allclose(
            found,
            expected,
            rtol=kernel.tolerance,
            atol=kernel.tolerance * (scale + 1e-3 * abs(problem.value(problem.arguments))),
            err_msg=f"{kernel.name} by {', '.join(direction)}",
        )


def _reach(direction: Any, gradient: Any) -> float:
    """How large the terms of an inner product are, together."""
    pairs = zip(leaves(direction), leaves_like(direction, gradient), strict=True)
    return float(sum(np.sqrt(np.sum(np.abs(one * other) ** 2)) for one, other in pairs))
