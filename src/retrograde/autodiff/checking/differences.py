"""Numerical derivatives along a line, with an estimate of their error: the step is chosen by itself.

A large step truncates the Taylor series, a small one drowns in rounding. So a difference is taken at a ladder of
steps; its error is estimated at each from how much it changed (truncation) and from the noise of the function divided
by the step (rounding), and for each output the step with the smallest estimate counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

Vector: TypeAlias = Any
"""A NumPy array of float64; of one axis, unless said otherwise."""

Line: TypeAlias = Callable[[float], Vector]
METHODS = (
    "auto", "forward", "backward", "central", "four_point", "six_point", "complex_step", "richardson",
)  # fmt: skip

# Steps in units of h and their weights: the derivative is their sum over h. (Fornberg 1988.)
_STENCILS: dict[str, tuple[tuple[float, float], ...]] = {
    "forward": ((1.0, 1.0), (0.0, -1.0)),
    "backward": ((0.0, 1.0), (-1.0, -1.0)),
    "central": ((1.0, 0.5), (-1.0, -0.5)),
    "four_point": ((1.0, 2 / 3), (-1.0, -2 / 3), (2.0, -1 / 12), (-2.0, 1 / 12)),
    "six_point": ((1.0, 3 / 4), (-1.0, -3 / 4), (2.0, -3 / 20), (-2.0, 3 / 20), (3.0, 1 / 60), (-3.0, -1 / 60)),
}
_STENCIL_FACTOR = 5.7
_RICHARDSON_FACTOR = 2.9
_MOST_STEPS = 80
_CONFIRMATIONS = 2
_COLUMNS = 6
_NOISE_SAMPLES = 9


@dataclass(frozen=True)
class Steps:
    """A ladder of steps.

    Attributes:
        first: the largest step.
        finest: a step that has to be tried before the ladder ends.
        grain: how far off a step may be, because the arguments are rounded.
    """

    first: float
    finest: float
    grain: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """Numerical derivatives of each output along a line.

    Attributes:
        value: the derivatives; nan where no step gave a finite one.
        error: how far off they may be; inf where it is not known.
        slope: the derivatives at the two smallest steps, one row each: where they grow without end, the derivative is
            infinite.
    """

    value: Vector
    error: Vector
    slope: Vector


class _Best:
    """For each output the estimate with the smallest error so far."""

    def __init__(self, size: int) -> None:
        self.value = np.full(size, np.nan)
        self.error = np.full(size, np.inf)
        self.last = np.full((2, size), np.nan)
        self._unchanged = 0

    def offer(self, value: Vector, error: Vector) -> None:
        """Take an estimate that claims to be better, or that shows the one so far to be wrong."""
        contradicted = np.abs(value - self.value) > 3.0 * (error + self.error)
        better = np.isfinite(value) & ((error < self.error) | contradicted)
        self.value[better] = value[better]
        self.error[better] = error[better]
        self._unchanged = 0 if np.any(better) else self._unchanged

    def saw(self, difference: Vector, rounding: Vector) -> None:
        """Take note of a difference. One at a smaller step has to be nearer, or the estimate so far was a coincidence.

        (As of sin(1000 x) at steps that are multiples of its period.)
        """
        nearer = np.abs(self.last[1] - self.value) + 10.0 * (rounding + self.error)
        coincidence = np.abs(difference - self.value) > 2.0 * nearer
        self.value[coincidence] = np.nan
        self.error[coincidence] = np.inf
        self.last = np.stack([self.last[1], difference])
        self._unchanged += 1

    def is_final(self, rounding: Vector) -> bool:
        """Whether smaller steps cannot give anything better, and two more have been looked at."""
        return self._unchanged >= _CONFIRMATIONS and bool(np.all(rounding > self.error))

    def estimate(self) -> Estimate:
        return Estimate(self.value, self.error, self.last)


def differentiate(line: Line, method: str, noise: Vector, steps: Steps) -> Estimate:
    """The derivative of a function along a line, at 0.

    Args:
        line: the function's outputs, real numbers, at a step along the line.
        method: any but "complex_step", which needs no choice of a step.
        noise: of each output, the size of its rounding errors.
        steps: from where to where.

    Example:
        >>> import numpy as np
        >>> found = differentiate(lambda t: np.exp([t]), "richardson", np.array([1e-16]), Steps(0.1, 1e-3))
        >>> bool(abs(found.value[0] - 1.0) < found.error[0] < 1e-12)
        True
    """
    if method in ("auto", "richardson"):
        return _extrapolate(line, "central", noise, steps)
    return _descend(line, _STENCILS[method], noise, steps)


def one_sided(line: Line, side: Literal["forward", "backward"], noise: Vector, steps: Steps) -> Estimate:
    """The derivative at 0 from one side only, extrapolated."""
    return _extrapolate(line, side, noise, steps)


def _difference(line: Line, stencil: tuple[tuple[float, float], ...], h: float) -> Vector:
    return sum((weight * line(at * h) for at, weight in stencil), np.zeros(())) / h


def _descend(line: Line, stencil: tuple[tuple[float, float], ...], noise: Vector, steps: Steps) -> Estimate:
    best = _Best(len(noise))
    weight = sum(abs(w) for _, w in stencil)
    h = steps.first
    before = np.full(len(noise), np.nan)
    for _ in range(_MOST_STEPS):
        rounding = noise * weight / h
        if h < 4.0 * steps.grain or (h < steps.finest and best.is_final(rounding)):
            break
        value = _difference(line, stencil, h)
        rounding = rounding + np.abs(value) * steps.grain / h
        best.saw(value, rounding)
        best.offer(value, np.abs(value - before) + rounding)
        before = value
        h /= _STENCIL_FACTOR
    return best.estimate()


def _extrapolate(line: Line, side: str, noise: Vector, steps: Steps) -> Estimate:
    """Richardson's extrapolation to a step of zero, in the form of Ridders (1982)."""
    best = _Best(len(noise))
    stencil = _STENCILS[side]
    power = _RICHARDSON_FACTOR ** (2 if side == "central" else 1)
    weight = sum(abs(w) for _, w in stencil)
    h = steps.first
    before: list[Vector] = []
    for _ in range(_MOST_STEPS):
        rounding = 2.0 * noise * weight / h
        if h < 4.0 * steps.grain or (h < steps.finest and best.is_final(rounding)):
            break
        row = [_difference(line, stencil, h)]
        rounding = rounding + 2.0 * np.abs(row[0]) * steps.grain / h
        best.saw(row[0], rounding)
        for column, above in enumerate(before[: _COLUMNS - 1], 1):
            factor = power**column
            row.append((factor * row[-1] - above) / (factor - 1.0))
            best.offer(row[-1], np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - above)) + rounding)
        before = row
        h /= _RICHARDSON_FACTOR
    return best.estimate()


def noise_of(line: Line, at_zero: Vector, scale: float) -> Vector:
    """The size of a function's rounding errors, for each output.

    From fourth differences of values so close together that a smooth function's would vanish (after Moré and Wild
    2011, "Estimating computational noise"). Where values coincide, as those of a computation in a lower precision do,
    they are taken further apart.

    Args:
        line: as in `differentiate`.
        at_zero: the outputs at 0.
        scale: a step that changes the arguments by as much as themselves.
    """
    smallest = np.finfo(float).eps * np.abs(at_zero)
    noise = smallest.copy()
    gap = 71.37 * np.finfo(float).eps * scale
    waiting = np.isfinite(at_zero)
    while np.any(waiting) and gap < 1e-3 * scale:
        samples = np.stack([line((k - _NOISE_SAMPLES // 2) * gap) for k in range(_NOISE_SAMPLES)])
        distinct = np.sum(np.diff(samples, axis=0) != 0, axis=0) > _NOISE_SAMPLES // 2
        found = np.sqrt(np.mean(np.diff(samples, 4, axis=0) ** 2, axis=0) / 70.0)
        usable = waiting & distinct & np.isfinite(found)
        noise[usable] = np.maximum(smallest, found)[usable]
        waiting &= ~distinct
        gap *= 50.0
    return noise


def complex_step(line: Callable[[complex], Any], scale: float) -> Estimate:
    """The derivative by a step into the imaginary direction, which subtracts nothing (Squire and Trapp 1998).

    Args:
        line: an analytic function's complex outputs, at a complex step along the line.
        scale: a step that changes the arguments by as much as themselves.
    """
    h = 1e-30 * scale
    value = np.imag(line(1j * h)) / h
    return Estimate(value, 8 * np.finfo(float).eps * np.abs(value), np.stack([value, value]))
