"""Derivatives beside their numerical estimates: what agrees, what is a kink, what is a mistake."""

# To a type checker, what NumPy makes of arrays of any shape is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.autodiff.checking import differences
from retrograde.autodiff.checking.differences import Estimate, Vector
from retrograde.autodiff.checking.points import Direction
from retrograde.autodiff.checking.problem import Part, Problem
from retrograde.autodiff.checking.report import FAILING
from retrograde.autodiff.checking.settings import Settings
from retrograde.errors import UsageError

SAFETY = 3.0
"""An estimated error of a difference is trusted up to this factor."""


@dataclass
class Comparison:
    """Derivatives by one array at one point, computed in one way: rows are directions, columns are outputs.

    Attributes:
        expected, found: the derivatives.
        error: how far off the expected ones may be.
        allowed: the tolerance.
        scale: the size of the largest derivative of the group.
        little: derivatives that would change the values by a millionth of themselves, when an entry does by itself.
        weights: the outputs that each column is the sum of, one row for each; None where each is one output.
        status: for each what it is; see `report.Entry`.
        located: the entries at fault were looked for, and found, in another comparison.
    """

    mode: str
    point: str
    part: Part
    directions: list[Direction]
    columns: list[str]
    expected: Vector
    found: Vector
    error: Vector
    allowed: Vector
    scale: float
    little: Vector
    weights: Vector | None
    status: Any
    located: bool = False

    @property
    def clear(self) -> Any:
        """Where the numerical derivative is good enough to tell."""
        return np.isfinite(self.expected) & (SAFETY * self.error <= self._telling)

    def wrong_rows(self) -> list[int]:
        """The directions in which something is wrong."""
        return np.flatnonzero(np.any(np.isin(self.status, FAILING), axis=1)).tolist()

    @property
    def _telling(self) -> Any:
        size = np.fmax(np.abs(self.expected), np.abs(np.where(np.isfinite(self.found), self.found, 0.0)))
        return np.fmax(np.fmax(self.allowed, self.little), np.fmax(1e-2 * size, 1e-3 * self.scale))


class Site:
    """One point: the function's values and numerical derivatives there.

    Raises:
        UsageError: a complex step was asked for, and the function is not analytic.
    """

    def __init__(
        self, problem: Problem, settings: Settings, point: Vector, value: Vector, random: np.random.Generator
    ) -> None:
        self.problem = problem
        self.settings = settings
        self.point = point
        self.value = value
        self._noise = self._measured_noise(random)
        if settings.method == "complex_step":
            self._check_complex_step(random)

    def line(self, direction: Vector) -> Callable[[float], Vector]:
        """The function along a direction."""
        return lambda t: self.value if t == 0 else self.problem.value(self.point + t * direction)

    def estimate(self, direction: Direction) -> Estimate:
        """The numerical derivatives of all outputs in a direction."""
        if self.settings.method == "complex_step":
            return self._complex_step(direction.vector, direction.scale)
        line = self.line(direction.vector)
        if direction.inwards:
            return differences.one_sided(line, "forward", self._noise, direction.steps)
        found = differences.differentiate(line, self.settings.method, self._noise, direction.steps)
        if np.all(np.isfinite(found.value)):
            return found
        for estimate in self.sides(direction):
            found = _filled(found, estimate)
        return found

    def sides(self, direction: Direction) -> Iterator[Estimate]:
        """The numerical derivatives from either side."""
        line = self.line(direction.vector)
        yield differences.one_sided(line, "forward", self._noise, direction.steps)
        if not direction.inwards:
            yield differences.one_sided(line, "backward", self._noise, direction.steps)

    def _measured_noise(self, random: np.random.Generator) -> Vector:
        direction = np.abs(self.point) * random.choice([-1.0, 1.0], self.point.shape)
        low, high = self.settings.bounds
        direction[(self.point <= low) | (self.point >= high)] = 0.0
        return differences.noise_of(self.line(direction), self.value, 1.0)

    def _complex_step(self, direction: Vector, scale: float) -> Estimate:
        return differences.complex_step(lambda t: self.problem.value_off_axis(self.point + t * direction), scale)

    def _check_complex_step(self, random: np.random.Generator) -> None:
        if any(part.dtype.kind == "c" for part in (*self.problem.parts, *self.problem.outputs)):
            raise UsageError(
                "method='complex_step' was asked for a function with complex arguments or results; it is for functions "
                "of real numbers: use method='auto'"
            )
        vector: Vector = random.standard_normal(self.point.shape)
        natural = float(np.median(np.abs(self.point))) or 1.0
        stepped = self._complex_step(vector, natural)
        steps = differences.Steps(0.1 * natural, 1e-3 * natural)
        found = differences.differentiate(self.line(vector), "auto", self._noise, steps)
        allowed = SAFETY * found.error + 1e-6 * np.abs(found.value)
        if np.any(np.abs(stepped.value - found.value) > allowed):
            raise UsageError(
                "method='complex_step' was asked for, and a step into the imaginary direction does not give the "
                "derivative: the function is not analytic (np.abs, np.real, a comparison); use method='auto'"
            )


def _filled(found: Estimate, other: Estimate) -> Estimate:
    """An estimate, and another one where it is not finite."""
    missing = ~np.isfinite(found.value)
    return Estimate(
        np.where(missing, other.value, found.value),
        np.where(missing, other.error, found.error),
        np.where(np.isfinite(found.slope), found.slope, other.slope),
    )


def compare(
    site: Site,
    mode: str,
    label: str,
    directions: Sequence[Direction],
    estimates: Sequence[Estimate],
    found: Vector,
    magnitude: Vector,
    weights: Vector | None,
    tolerance: float,
) -> Comparison:
    """Compare what one way to compute derivatives gave for the directions of one array.

    Args:
        site: the point.
        mode: the way.
        label: what the point is called.
        directions: of the array.
        estimates: the numerical derivatives in each.
        found: the derivatives: a row for each direction.
        magnitude: the sizes of the terms that each is the sum of.
        weights: as in `Comparison`.
        tolerance: the relative one.
    """
    values = np.stack([estimate.value for estimate in estimates])
    errors = np.stack([estimate.error for estimate in estimates])
    slopes = np.stack([estimate.slope for estimate in estimates], axis=1)
    names = [part.place(at) for part in site.problem.outputs for at in range(part.size)]
    little = 1e-6 * np.abs(site.value) / np.array([[direction.scale] for direction in directions])
    if weights is not None:
        values, errors, slopes = values @ weights.T, errors @ np.abs(weights).T, slopes @ weights.T
        little = little @ np.abs(weights).T
        names = [f"cotangent {number + 1}" for number in range(len(weights))]
    names = [""] if len(names) == 1 else names
    sizes = np.concatenate([np.ravel(np.abs(values)), np.ravel(magnitude)])
    scale = float(np.max(sizes[np.isfinite(sizes)], initial=0.0))
    atol = 1e-3 * tolerance * scale if site.settings.atol is None else site.settings.atol
    allowed = atol + tolerance * np.fmax(np.abs(values), np.where(np.isfinite(found), np.abs(found), 0.0))
    status = np.full(found.shape, "agrees", dtype="<U8")
    made = Comparison(
        mode,
        label,
        directions[0].part,
        list(directions),
        names,
        values,
        found,
        errors,
        allowed,
        scale,
        little,
        weights,
        status,
    )
    _classify(made, site, slopes)
    return made


def _classify(made: Comparison, site: Site, slopes: Any) -> None:
    off = ~(np.abs(made.expected - made.found) <= made.allowed + SAFETY * made.error)
    finite = np.isfinite(made.expected)
    endless = (np.abs(slopes[1]) > 1.3 * np.abs(slopes[0])) & (np.sign(slopes[1]) == np.sign(made.found))
    made.status[~made.clear] = "unclear"
    made.status[off & finite] = "mistake"
    made.status[off & ~finite] = "unclear"
    made.status[np.isinf(made.found)] = "infinite"
    made.status[np.isinf(made.found) & endless] = "agrees"
    made.status[np.isnan(made.found)] = "nan"
    rows: list[int] = np.flatnonzero(np.any(made.status == "mistake", axis=1)).tolist()
    for row in rows:
        _look_for_kinks(made, site, row)


def _look_for_kinks(made: Comparison, site: Site, row: int) -> None:
    """Where the derivatives from the two sides differ and what was found lies between, it is no mistake."""
    sides = list(site.sides(made.directions[row]))
    values = np.stack([side.value for side in sides])
    errors = np.stack([side.error for side in sides])
    if made.weights is not None:
        values, errors = values @ made.weights.T, errors @ np.abs(made.weights).T
    low, high = np.min(values, axis=0), np.max(values, axis=0)
    slack = made.allowed[row] + SAFETY * np.sum(errors, axis=0)
    kink = (high - low > slack) & (low - slack <= made.found[row]) & (made.found[row] <= high + slack)
    made.status[row, kink & (made.status[row] == "mistake")] = "kink"


def forgive_rounding(made: Comparison, in_double: Vector) -> None:
    """What is right when computed in double precision is no mistake, but rounding of the dtype that was given."""
    size = np.fmax(np.abs(made.expected), made.scale * 1e-3)
    right = np.abs(made.expected - in_double) <= 1e-6 * size + SAFETY * made.error
    made.status[right & (made.status == "mistake")] = "rounding"
