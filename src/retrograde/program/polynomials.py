"""Polynomials in sizes, for how much a program does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb
from typing import TypeAlias

_Power: TypeAlias = tuple[tuple[Hashable, int], ...]


@dataclass(frozen=True)
class Polynomial:
    """A sum of products of unknowns, with rational factors.

    Example:
        >>> n = Polynomial.of("n")
        >>> print((n + 1) * n * Polynomial.number(2))
        2 n^2 + 2 n
        >>> ((n + 1) * n).at({"n": 9})
        90.0
    """

    terms: Mapping[_Power, Fraction] = field(default_factory=dict[_Power, Fraction])

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    @staticmethod
    def number(value: int | Fraction) -> Polynomial:
        """A constant."""
        return Polynomial({(): Fraction(value)} if value else {})

    @staticmethod
    def of(atom: Hashable) -> Polynomial:
        """An unknown."""
        return Polynomial({((atom, 1),): Fraction(1)})

    def __add__(self, other: Polynomial | int) -> Polynomial:
        other = Polynomial.number(other) if isinstance(other, int) else other
        terms = dict(self.terms)
        for power, factor in other.terms.items():
            terms[power] = terms.get(power, Fraction(0)) + factor
        return Polynomial({power: factor for power, factor in terms.items() if factor})

    def __mul__(self, other: Polynomial) -> Polynomial:
        total = Polynomial()
        for one, factor in self.terms.items():
            product = {_product(one, power): factor * part for power, part in other.terms.items()}
            total += Polynomial(product)
        return total

    def __str__(self) -> str:
        ordered = sorted(self.terms.items(), key=lambda term: (-_degree(term[0]), str(term[0])))
        return " + ".join(_written(power, factor) for power, factor in ordered).replace("+ -", "- ") or "0"

    def at(self, values: Mapping[Hashable, float], otherwise: float | None = None) -> float:
        """The value for given unknowns.

        Args:
            values: of the unknowns.
            otherwise: the value of those that are not given.

        Raises:
            KeyError: an unknown is not given, and there is no value for such.
        """
        total = 0.0
        for power, factor in self.terms.items():
            product = float(factor)
            for atom, exponent in power:
                product *= (values[atom] if otherwise is None or atom in values else otherwise) ** exponent
            total += product
        return total

    def replaced(self, value_of: Callable[[Hashable], Polynomial | None]) -> Polynomial:
        """The same with polynomials in place of some unknowns."""
        total = Polynomial()
        for power, factor in self.terms.items():
            product = Polynomial.number(factor)
            for atom, exponent in power:
                value = value_of(atom)
                for _ in range(exponent):
                    product *= Polynomial.of(atom) if value is None else value
            total += product
        return total

    def summed(self, atom: Hashable, count: Polynomial) -> Polynomial:
        """The sum for an unknown from 0 to a count, the count left out (Faulhaber's formula)."""
        total = Polynomial()
        for power, factor in self.terms.items():
            exponent = dict(power).get(atom, 0)
            rest = tuple(part for part in power if part[0] != atom)
            total += Polynomial({rest: factor}) * _sum_of_powers(exponent, count)
        return total


def _product(one: _Power, other: _Power) -> _Power:
    powers = dict(one)
    for atom, exponent in other:
        powers[atom] = powers.get(atom, 0) + exponent
    return tuple(sorted(powers.items(), key=lambda part: str(part[0])))


def _degree(power: _Power) -> int:
    return sum(exponent for _, exponent in power)


def _written(power: _Power, factor: Fraction) -> str:
    names = [f"{atom}^{exponent}" if exponent > 1 else str(atom) for atom, exponent in power]
    if not names or abs(factor) != 1:
        names = [str(abs(factor)), *names]
    return ("-" if factor < 0 else "") + " ".join(names)


def _sum_of_powers(exponent: int, count: Polynomial) -> Polynomial:
    total, power = Polynomial(), count
    for degree in range(1, exponent + 2):
        weight = Fraction(comb(exponent + 1, degree), exponent + 1) * _bernoulli(exponent + 1 - degree)
        total += power * Polynomial.number(weight)
        power *= count
    return total


def _bernoulli(number: int) -> Fraction:
    """Bernoulli's numbers, of which the second is -1/2."""
    if not number:
        return Fraction(1)
    return -sum((comb(number + 1, at) * _bernoulli(at) for at in range(number)), Fraction(0)) / (number + 1)
