"""`check_gradients`: derivatives against differences, against each other, and what is wrong with them."""

# To a type checker, what NumPy makes of arrays of any shape is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from retrograde.autodiff import containers, functions
from retrograde.autodiff.checking.compare import Comparison, Site, compare, forgive_rounding
from retrograde.autodiff.checking.differences import Vector
from retrograde.autodiff.checking.points import Direction, directions_of, entry, halves, only_entry, points_of
from retrograde.autodiff.checking.problem import Problem, argument_names, name_of, to_arrays, to_vector
from retrograde.autodiff.checking.report import GradientReport, Identity
from retrograde.autodiff.checking.settings import ENTRYWISE, Settings, coarsest, settings_of
from retrograde.autodiff.checking.summary import summarize
from retrograde.autodiff.custom.calls import has_derivative
from retrograde.errors import UsageError
from retrograde.program.kinds import as_tuple

_COTANGENTS = 2
_HALVINGS = 30


def check_gradients(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | str | tuple[int | str, ...] | None = None,
    gradient: Callable[..., Any] | None = None,
    method: str = "auto",
    order: int = 1,
    modes: str | Sequence[str] = ("reverse", "forward"),
    rtol: float | None = None,
    atol: float | None = None,
    points: str | Sequence[str] = ("given", "sampled"),
    samples: int = 2,
    bounds: tuple[float | None, float | None] | None = None,
    directions: int | None = None,
    seed: int = 0,
) -> GradientReport:
    """Check the derivatives of a function numerically.

    Each derivative is compared with a difference whose step is chosen by itself and whose error is estimated: what
    the difference cannot tell is called unclear, not wrong. Differences are computed in double precision whatever the
    dtype of the arguments. Small arrays are checked entry by entry, large ones in random directions.

    Args:
        f: a function of arrays and containers of arrays, that returns the like.
        args: where to check.
        wrt: positions or names of the arguments to differentiate by; None for all that hold floating numbers.
        gradient: a function of the same arguments that returns the gradient by `wrt` (a tuple for several): checked
            in place of retrograde's. `f` returns one real number then.
        method: of the differences: "forward", "backward", "central", "four_point", "six_point", "richardson" (central
            ones, extrapolated), "complex_step" (for analytic functions), or "auto", which is "richardson".
        order: 2 to check second derivatives, too: of the function, or of a random combination of its outputs.
        modes: which derivatives to check: "reverse", "forward", or both, and then that each is the transpose of the
            other.
        rtol: the relative tolerance; None for 1e-6 in float64, and more in narrower dtypes.
        atol: the absolute tolerance; None for a thousandth of rtol times the largest derivative by the array.
        points: "given", "sampled" (around the given ones, of the same signs and magnitudes), "zero", "boundary".
        samples: how many points to sample.
        bounds: (low, high) of all numbers, None where there is no bound. Steps stay inside, and "boundary" has the
            derivatives inwards.
        directions: how many random directions to check for each array, in place of its entries.
        seed: of the random numbers.

    Returns:
        A report, which is true if the derivatives are right. `print(report)` shows it.

    Raises:
        UsageError: an option means nothing, there is nothing to differentiate, `gradient` returns another shape,
            a complex step was asked for and the function is not analytic, or the function is random.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> report = rg.check_gradients(lambda x: np.sum(x * x), np.array([1.0, 2.0]), gradient=lambda x: 4.0 * x)
        >>> report.verdict, report.findings[0]
        ('wrong', 'x, given gradient, at the point given: it is off by a factor of 2')
    """
    settings = settings_of(
        method=method,
        order=order,
        modes=modes,
        rtol=rtol,
        atol=atol,
        points=points,
        samples=samples,
        bounds=bounds,
        directions=directions,
        seed=seed,
    )
    names = argument_names(f, len(args))
    places = _places(f, wrt, args, names)
    problem = Problem(f, args, places, names)
    _refuse_random(problem, name_of(f))
    check = Check(problem, settings)
    check.run(problem, gradient)
    if order == 2:
        if gradient is not None:
            raise UsageError("order=2 was asked for with a gradient of your own; check that gradient's function itself")
        check.run_second(_second(problem, name_of(f), settings))
    return summarize(name_of(f), check, settings)


Compute: TypeAlias = Callable[[Vector, Sequence[Direction]], tuple[Vector, Vector]]
"""From a point and directions to derivatives, a row for each direction, and the sizes of the terms of each."""

Way: TypeAlias = tuple[str, Compute, Vector | None]
"""How derivatives are computed: its name, the computation, and the weights of the outputs (see `Comparison`)."""


def _ways(problem: Problem, settings: Settings, gradient: Callable[..., Any] | None) -> list[Way]:
    count = sum(part.size for part in problem.outputs)
    random = np.random.default_rng(settings.seed)
    weights = np.ones((1, 1)) if count == 1 else random.standard_normal((_COTANGENTS, count))
    weights = np.stack([_rounded_output(problem, w) for w in weights]) if count else weights[:, :0]

    def reverse(point: Vector, directions: Sequence[Direction]) -> tuple[Vector, Vector]:
        return _along(np.stack(problem.pull(point, list(weights))), directions)

    def forward(point: Vector, directions: Sequence[Direction]) -> tuple[Vector, Vector]:
        tangents = np.stack([problem.push(point, direction.vector) for direction in directions])
        return tangents, np.abs(tangents)

    if gradient is None:
        every: list[Way] = [("reverse", reverse, weights), ("forward", forward, None)]
        return [way for way in every if way[0] in settings.modes]
    if count != 1:
        raise UsageError(
            f"a gradient was given for a function with {count} real results; it is that of one real number: reduce the "
            "result (np.sum)"
        )

    def given(point: Vector, directions: Sequence[Direction]) -> tuple[Vector, Vector]:
        return _along(problem.gradient_by(gradient, point)[None], directions)

    return [("given gradient", given, None)]


def _along(gradients: Vector, directions: Sequence[Direction]) -> tuple[Vector, Vector]:
    vectors = np.stack([direction.vector for direction in directions])
    with np.errstate(all="ignore"):
        terms = np.where(vectors[:, None, :] == 0, 0.0, vectors[:, None, :] * gradients[None])
    return np.sum(terms, axis=-1), np.sum(np.abs(terms), axis=-1)


def _rounded_output(problem: Problem, w: Vector) -> Vector:
    return to_vector(to_arrays(w, [(part.shape, part.dtype) for part in problem.outputs]))


class Check:
    """Runs comparisons and gathers what they give."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem = problem
        self.settings = settings
        self.comparisons: list[Comparison] = []
        self.identities: list[Identity] = []
        self.notes: list[str] = []
        self.evaluations = 0
        self._in_double: dict[str, Compute] = {}
        self.tolerance = settings.relative_tolerance([part.dtype for part in (*problem.parts, *problem.outputs)])

    def run(self, problem: Problem, gradient: Callable[..., Any] | None) -> None:
        """Check the first derivatives."""
        self._run(problem, gradient, "")
        if gradient is None and set(self.settings.modes) == {"reverse", "forward"}:
            self._transposes()

    def run_second(self, second: Problem) -> None:
        """Check the second derivatives, as the first ones of the gradient."""
        self._run(second, None, " over reverse")
        self._symmetry(second)

    def _run(self, problem: Problem, gradient: Callable[..., Any] | None, suffix: str) -> None:
        double = problem.in_double()
        self._in_double = {} if double is None else {way[0]: way[1] for way in _ways(double, self.settings, gradient)}
        ways = [(name + suffix, way, weights) for name, way, weights in _ways(problem, self.settings, gradient)]
        self._in_double = {name + suffix: way for name, way in self._in_double.items()}
        random = np.random.default_rng(self.settings.seed)
        for label, point in points_of(problem, self.settings, random):
            self._at(problem, label, point, ways, random)
        self.evaluations += problem.evaluations

    def _at(
        self, problem: Problem, label: str, point: Vector, ways: Sequence[Way], random: np.random.Generator
    ) -> None:
        value = problem.value(point)
        if not np.all(np.isfinite(value)):
            self._not_finite(problem, label, value)
            return
        site = Site(problem, self.settings, point, value, random)
        found = list(directions_of(problem, point, self.settings, random))
        for part in problem.parts:
            chosen = [direction for direction in found if direction.part is part]
            made = self._compare(site, label, chosen, ways) if chosen else []
            self.comparisons += made
            wrong = [one for one in made if one.wrong_rows()]
            if wrong and chosen[0].at is None:
                self._locate(site, wrong[0], ways, random)

    def _locate(self, site: Site, wrong: Comparison, ways: Sequence[Way], random: np.random.Generator) -> None:
        """Look at entries where a direction is wrong: at random ones, and at those that halving the direction finds."""
        part = wrong.part
        chosen: set[int] = set(random.choice(part.size, min(part.size, ENTRYWISE // 2), replace=False).tolist())
        way = [way for way in ways if way[0] == wrong.mode]
        suspects = [wrong.directions[wrong.wrong_rows()[0]]]
        for _ in range(_HALVINGS):
            if not suspects:
                break
            parts = halves(suspects.pop(), site.point, self.settings)
            (made,) = self._compare(site, wrong.point, parts, way)
            wrong_parts = [made.directions[row] for row in made.wrong_rows()]
            chosen |= {at for one in wrong_parts if (at := only_entry(one)) is not None}
            suspects += [one for one in wrong_parts if only_entry(one) is None]
        entries = [entry(part, at, site.point, self.settings) for at in sorted(chosen)]
        found = self._compare(site, wrong.point, entries, way)
        wrong.located = bool(found[0].wrong_rows())
        self.comparisons += found

    def _compare(self, site: Site, label: str, directions: list[Direction], ways: Sequence[Way]) -> list[Comparison]:
        """Compare in some directions by one array, in each way."""
        directions = [_rounded(direction, site.problem) for direction in directions]
        estimates = [site.estimate(direction) for direction in directions]
        made: list[Comparison] = []
        for name, way, weights in ways:
            with np.errstate(all="ignore"):
                found, magnitude = way(site.point, directions)
                one = compare(site, name, label, directions, estimates, found, magnitude, weights, self.tolerance)
                if one.wrong_rows() and name in self._in_double:
                    forgive_rounding(one, self._in_double[name](site.point, directions)[0])
            made.append(one)
        return made

    def _not_finite(self, problem: Problem, label: str, value: Vector) -> None:
        kind = "nan" if np.any(np.isnan(value)) else "infinity"
        names = [part.place(at) for part in problem.outputs for at in range(part.size)]
        place = names[int(np.flatnonzero(~np.isfinite(value))[0])]
        self.notes.append(f"the function gives {kind} ({place}) at the point {label}, which is left out")

    def _transposes(self) -> None:
        """<w, J v> = <transposed J w, v>, for random v and w."""
        problem = self.problem
        random = np.random.default_rng(self.settings.seed)
        v: Vector = problem.rounded(random.standard_normal(problem.point.shape))
        w = _rounded_output(problem, random.standard_normal(sum(part.size for part in problem.outputs)))
        with np.errstate(all="ignore"):
            pushed, (pulled,) = problem.push(problem.point, v), problem.pull(problem.point, [w])
        self._identity(problem, "reverse is the transpose of forward", w, v, w * pushed, pulled * v)

    def _symmetry(self, second: Problem) -> None:
        random = np.random.default_rng(self.settings.seed)
        u, v = (second.rounded(random.standard_normal(second.point.shape)) for _ in range(2))
        with np.errstate(all="ignore"):
            one, other = u * second.push(second.point, v), v * second.push(second.point, u)
        self._identity(second, "the Hessian is symmetric", u, v, one, other)

    def _identity(self, problem: Problem, name: str, w: Vector, v: Vector, one: Vector, other: Vector) -> None:
        """That two sums are equal, next to their terms, and to what would change the values by as much as themselves.

        (A derivative that is zero leaves nothing but rounding to compare.)
        """
        left, right = float(np.sum(one)), float(np.sum(other))
        natural = float(np.median(np.abs(problem.point)) if len(v) else 1.0) or 1.0
        furthest = float(np.max(np.abs(v), initial=0.0)) / natural
        values = float(np.sum(np.abs(w * problem.value(problem.point)))) * furthest
        size = float(np.sum(np.abs(one)) + np.sum(np.abs(other))) + values
        if not np.isfinite(size):
            self.notes.append(f"{name}: not checked, since a derivative at the point given is not finite")
            return
        eps = coarsest([part.dtype for part in (*self.problem.parts, *self.problem.outputs)])
        difference = abs(left - right) / size if size else 0.0
        self.identities.append(Identity(name, "given", left, right, difference, float(f"{eps**0.6:.1g}")))


def _rounded(direction: Direction, problem: Problem) -> Direction:
    return replace(direction, vector=problem.rounded(direction.vector))


def _refuse_random(problem: Problem, name: str) -> None:
    one, other = problem.value(problem.point), problem.value(problem.point)
    if not np.array_equal(one, other, equal_nan=True):
        raise UsageError(
            f"{name} gave two different results for the same arguments, and cannot be differentiated numerically; seed "
            "its random numbers inside"
        )


def _second(problem: Problem, name: str, settings: Settings) -> Problem:
    """The gradient of a function, or of a random combination of its outputs, as something to check."""
    kinds = [(part.shape, part.dtype) for part in problem.outputs]
    random = np.random.default_rng(settings.seed)
    count = sum(part.size for part in problem.outputs)
    weights = to_arrays(np.ones(1) if count == 1 else random.standard_normal(count), kinds)

    def combined(*arrays: Any) -> Any:
        total: Any = 0.0
        for w, out in zip(weights, problem.on_arrays(*arrays), strict=True):
            product: Any = np.conjugate(w) * out
            total = total + np.sum(np.real(product))
        return total

    places = tuple(range(len(problem.parts)))

    def gradient(*arrays: Any) -> Any:
        return functions.grad(combined, places)(*arrays)

    gradient.__name__ = f"the gradient of {name}"
    return Problem(gradient, problem.arrays(problem.point), places, [part.name for part in problem.parts])


def _places(f: Any, wrt: Any, args: Sequence[Any], names: Sequence[str]) -> list[int]:
    if wrt is None:
        return [at for at, arg in enumerate(args) if any(map(has_derivative, containers.flatten(arg)[0]))]
    places: list[int] = []
    every: tuple[Any, ...] = as_tuple(wrt)
    for asked in every:
        place = names.index(asked) if asked in names else asked
        if not isinstance(place, int) or not 0 <= place < len(args):
            raise UsageError(f"wrt={asked!r} names no argument of {name_of(f)}, which got {list(names)}")
        places.append(place)
    return places
