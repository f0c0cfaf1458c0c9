"""Integers that are sums of multiples of unknown ones, and whether conditions on them can hold together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd
from typing import TypeAlias

Atom: TypeAlias = Hashable
"""An unknown integer: a variable of a program, the size of an axis."""


@dataclass(frozen=True, slots=True)
class Affine:
    """A constant plus multiples of unknown integers.

    Example:
        >>> i, n = Affine.of("i"), Affine.of("n")
        >>> print(n - i * 2 - 1)
        -1 +1 n -2 i
    """

    constant: int = 0
    terms: Mapping[Atom, int] = field(default_factory=dict[Atom, int])

    @staticmethod
    def of(atom: Atom) -> Affine:
        """One unknown integer."""
        return Affine(0, {atom: 1})

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms)
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            terms[atom] = terms.get(atom, 0) + factor
        return Affine(self.constant + other.constant, {atom: factor for atom, factor in terms.items() if factor})

    def __sub__(self, other: Affine | int) -> Affine:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Affine:
        return Affine(self.constant * factor, {atom: part * factor for atom, part in self.terms.items() if factor})

    def __str__(self) -> str:
        return " ".join([str(self.constant), *(f"{factor:+d} {atom}" for atom, factor in self.terms.items())])

    def renamed(self, name: Callable[[Atom], Atom]) -> Affine:
        """The same with other unknowns in place of its own."""
        total = Affine(self.constant)
        for atom, factor in self.terms.items():
            total += Affine(0, {name(atom): factor})
        return total

    def divisor(self) -> int:
        """The greatest integer that divides all factors; 0 of a constant."""
        return gcd(*self.terms.values())


_Key: TypeAlias = frozenset[tuple[Atom, int]]
_Parts: TypeAlias = tuple[tuple[int, tuple[tuple[Atom, int], ...]], ...]
_MOST_ANSWERS = 4096

MOST_CONDITIONS = 400
"""Above that many conditions, whether they can hold together is not pursued."""


def cannot_hold(not_negative: Iterable[Affine], zero: Iterable[Affine] = ()) -> bool:
    """Whether no integers make all of the first not negative and all of the second zero.

    Equations are solved where a factor is 1, then unknowns are eliminated one by one (Fourier and Motzkin), with
    conditions divided by the common divisor of their factors and rounded (Pugh 1992, "The Omega test").

    Returns:
        True if it is certain. False where some integers do, or where it cannot be told so.

    Example:
        >>> i, j = Affine.of("i"), Affine.of("j")
        >>> cannot_hold([i - j - 1, j - i])
        True
        >>> cannot_hold([i, j], [i * 2 - j * 2 - 1])
        True
        >>> cannot_hold([i - j, j - i])
        False
    """
    return _never_hold(_in_order(not_negative), _in_order(zero))


def _in_order(parts: Iterable[Affine]) -> _Parts:
    return tuple((part.constant, tuple(part.terms.items())) for part in parts)


@lru_cache(_MOST_ANSWERS)
def _never_hold(not_negative: _Parts, zero: _Parts) -> bool:
    """The same of expressions taken apart. Most questions are asked many times, of one loop and of those around it."""
    conditions, equations = (
        [Affine(constant, dict(terms)) for constant, terms in parts] for parts in (not_negative, zero)
    )
    while equations:
        equation = equations.pop()
        divisor = equation.divisor()
        if equation.constant % divisor if divisor else equation.constant:
            return True
        atom = next((atom for atom, factor in equation.terms.items() if abs(factor) == divisor), None)
        if atom is None:
            conditions += [equation, equation * -1]
            continue
        equations = [_without(part, atom, equation) for part in equations]
        conditions = [_without(part, atom, equation) for part in conditions]
    return _eliminated(conditions)


def _without(part: Affine, atom: Atom, equation: Affine) -> Affine:
    """An expression with what an equation says in place of an atom, whose factor in it divides the others."""
    factor = part.terms.get(atom, 0)
    if not factor:
        return part
    divisor = equation.terms[atom]
    reduced = Affine(equation.constant // abs(divisor), {a: f // abs(divisor) for a, f in equation.terms.items()})
    return part - reduced * (factor if divisor > 0 else -factor)


def _eliminated(conditions: list[Affine]) -> bool:
    bounds: dict[_Key, int] = {}
    if not _tightened(conditions, bounds):
        return True
    while bounds:
        atom = _easiest(bounds)
        lower = [(dict(key), bound) for key, bound in bounds.items() if dict(key).get(atom, 0) > 0]
        upper = [(dict(key), bound) for key, bound in bounds.items() if dict(key).get(atom, 0) < 0]
        bounds = {key: bound for key, bound in bounds.items() if atom not in dict(key)}
        if len(lower) * len(upper) > MOST_CONDITIONS:
            return False
        sums = [
            Affine(one, first) * -second[atom] + Affine(other, second) * first[atom]
            for first, one in lower
            for second, other in upper
        ]
        if not _tightened(sums, bounds):
            return True
    return False


def _tightened(conditions: list[Affine], bounds: dict[_Key, int]) -> bool:
    """Put conditions among others, the tightest of each kind; False if one of them cannot hold by itself."""
    for condition in conditions:
        divisor = condition.divisor()
        if not divisor:
            if condition.constant < 0:
                return False
            continue
        key = frozenset((atom, factor // divisor) for atom, factor in condition.terms.items())
        bound = condition.constant // divisor
        bounds[key] = min(bounds.get(key, bound), bound)
    return True


def _easiest(bounds: dict[_Key, int]) -> Atom:
    """The unknown whose elimination makes the fewest conditions."""
    counts: dict[Atom, list[int]] = {}
    for key in bounds:
        for atom, factor in key:
            counts.setdefault(atom, [0, 0])[factor > 0] += 1
    return min(counts, key=lambda atom: counts[atom][0] * counts[atom][1])
