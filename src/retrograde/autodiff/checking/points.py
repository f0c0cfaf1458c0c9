"""Where derivatives are compared: points, and directions at them."""

# To a type checker, what NumPy makes of arrays of any shape is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from retrograde.autodiff.checking.differences import Steps, Vector
from retrograde.autodiff.checking.problem import Part, Problem
from retrograde.autodiff.checking.settings import DIRECTIONS, ENTRYWISE, Settings

_FURTHEST = 3.0


@dataclass(frozen=True)
class Direction:
    """A direction at a point, in one array of the arguments.

    Attributes:
        part: the array.
        place: the entry, or the number of the random direction, as a person writes it.
        at: the entry in the array, counted; None for a random direction.
        vector: the direction.
        scale: a step along it that changes the entries by as much as themselves.
        steps: the ladder of steps that fits into the bounds.
        inwards: at a bound, the one side to which there is room.
    """

    part: Part
    place: str
    at: int | None
    vector: Vector
    scale: float
    steps: Steps
    inwards: bool


def points_of(problem: Problem, settings: Settings, random: np.random.Generator) -> Iterator[tuple[str, Vector]]:
    """The points to check at, and what they are called."""
    given = problem.point
    low, high = settings.bounds
    if "given" in settings.points:
        yield "given", given
    if "sampled" in settings.points:
        for number in range(settings.samples):
            yield f"sampled {number + 1}", problem.rounded(np.clip(_near(problem, random), low, high))
    if "zero" in settings.points:
        yield "zero", np.zeros_like(given)
    if "boundary" in settings.points:
        if np.isfinite(low):
            yield "lower bound", problem.rounded(np.full_like(given, low))
        if np.isfinite(high):
            yield "upper bound", problem.rounded(np.full_like(given, high))


def _near(problem: Problem, random: np.random.Generator) -> Vector:
    """A point around the given one: signs and magnitudes stay, so that it is in the domain as a rule."""
    given = problem.point
    near: Vector = given * np.exp(0.3 * random.standard_normal(given.shape))
    for part in problem.parts:
        stretch: Vector = near[part.start : part.stop]
        typical = np.sqrt(np.mean(stretch**2)) if part.size else 0.0
        zeros = stretch == 0
        stretch[zeros] = 0.1 * (typical or 1.0) * random.standard_normal(int(np.sum(zeros)))
    return near


def directions_of(
    problem: Problem, point: Vector, settings: Settings, random: np.random.Generator
) -> Iterator[Direction]:
    """Every entry of arrays that are small, random directions in large ones."""
    for part in problem.parts:
        if part.size <= ENTRYWISE and settings.directions is None:
            for at in range(part.size):
                yield entry(part, at, point, settings)
        else:
            for number in range(settings.directions or DIRECTIONS):
                yield _random_direction(part, number, point, settings, random)


def entry(part: Part, at: int, point: Vector, settings: Settings) -> Direction:
    """The direction of one entry of an array."""
    vector = np.zeros_like(point)
    vector[part.start + at] = 1.0
    return _direction(part, part.place(at), at, vector, point, settings)


def _random_direction(
    part: Part, number: int, point: Vector, settings: Settings, random: np.random.Generator
) -> Direction:
    vector = np.zeros_like(point)
    vector[part.start : part.stop] = random.standard_normal(part.size)
    return _direction(part, f"{part.name}, direction {number + 1}", None, vector, point, settings)


def halves(direction: Direction, point: Vector, settings: Settings) -> list[Direction]:
    """A direction cut in two: each with half of its entries. A direction of one entry has no halves."""
    support: list[int] = np.flatnonzero(direction.vector).tolist()
    if len(support) < 2:
        return []
    made: list[Direction] = []
    for kept in (support[: len(support) // 2], support[len(support) // 2 :]):
        vector = np.zeros_like(point)
        vector[kept] = direction.vector[kept]
        made.append(_direction(direction.part, f"half of {direction.place}", None, vector, point, settings))
    return made


def only_entry(direction: Direction) -> int | None:
    """The entry of its array that a direction is in, if it is in one."""
    support: list[int] = np.flatnonzero(direction.vector).tolist()
    return support[0] - direction.part.start if len(support) == 1 else None


def _direction(part: Part, place: str, at: int | None, vector: Vector, point: Vector, settings: Settings) -> Direction:
    low, high = settings.bounds
    moving: Vector = vector != 0
    here: Vector = np.abs(point[moving])
    natural = float(np.median(here)) if np.any(here) else 0.0
    if at is not None and natural == 0:
        natural = float(np.sqrt(np.mean(point[part.start : part.stop] ** 2)))
    natural = natural or 1.0
    at_low: Vector = (point <= low) & moving
    at_high: Vector = (point >= high) & moving
    vector = np.where(np.logical_or(at_low, at_high), np.where(at_low, 1.0, -1.0) * np.abs(vector), vector)
    inwards = bool(np.any(np.logical_or(at_low, at_high)))
    room = _room(point[moving], vector[moving], low, high, both=not inwards)
    first = min(0.1 * max(natural, 1.0), room / (_FURTHEST + 0.5))
    grain = 0.5 * np.finfo(float).eps * float(np.max(here, initial=0.0))
    steps = Steps(first, 1e-3 * min(first * 10, natural, 1.0), grain)
    return Direction(part, place, at, vector, natural, steps, inwards)


def _room(point: Vector, vector: Vector, low: float, high: float, *, both: bool) -> float:
    """How far one can go along a direction (and against it) inside the bounds."""
    up: Vector = np.where(vector > 0, high - point, point - low) / np.abs(vector)
    down: Vector = np.where(vector > 0, point - low, high - point) / np.abs(vector)
    return float(np.min(np.minimum(up, down) if both else up, initial=np.inf))
