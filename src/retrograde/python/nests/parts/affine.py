"""Integers that are sums of names: what extents and indices of loop nests are made of, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Affine:
    """A constant plus multiples of integer variables of the text.

    Example:
        >>> print(Affine((("i", 1), ("n", -2)), 3))
        i - 2*n + 3
    """

    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The variables it depends on."""
        return tuple(name for name, _ in self.terms)

    @property
    def is_constant(self) -> bool:
        """Whether it is a number."""
        return not self.terms

    def factor(self, name: str) -> int:
        """By how much it changes when a variable grows by one."""
        return next((factor for term, factor in self.terms if term == name), 0)

    def __add__(self, other: Affine | int) -> Affine:
        other = affine(other)
        return _collected((*self.terms, *other.terms), self.constant + other.constant)

    def __sub__(self, other: Affine | int) -> Affine:
        return self + affine(other).times(-1)

    def times(self, factor: int) -> Affine:
        """Its multiple."""
        return _collected(tuple((name, factor * each) for name, each in self.terms), factor * self.constant)

    def put(self, values: Mapping[str, Affine]) -> Affine:
        """The same with values in place of variables."""
        if not any(name in values for name in self.names):
            return self
        total = Affine((), self.constant)
        for name, factor in self.terms:
            total = total + values.get(name, variable(name)).times(factor)
        return total

    def __str__(self) -> str:
        text = ""
        for name, factor in sorted(self.terms, key=lambda term: term[1] < 0):
            size = name if abs(factor) == 1 else f"{abs(factor)}*{name}"
            text += (f" {'-' if factor < 0 else '+'} {size}") if text else ("-" if factor < 0 else "") + size
        if not text:
            return str(self.constant)
        return f"{text} {'-' if self.constant < 0 else '+'} {abs(self.constant)}" if self.constant else text


def affine(value: Affine | int) -> Affine:
    """A number as an `Affine`."""
    return value if isinstance(value, Affine) else Affine((), int(value))


def variable(name: str) -> Affine:
    """An integer variable of the text as an `Affine`."""
    return Affine(((name, 1),))


def _collected(terms: Iterable[tuple[str, int]], constant: int) -> Affine:
    factors: dict[str, int] = {}
    for name, factor in terms:
        factors[name] = factors.get(name, 0) + factor
    return Affine(tuple(sorted((name, factor) for name, factor in factors.items() if factor)), constant)


@dataclass(slots=True)
class Facts:
    """Bounds of integer variables, from which bounds of sums are proved.

    Attributes:
        lower: for a variable what it is at least.
        upper: for a variable what it is at most.
    """

    lower: dict[str, Affine] = field(default_factory=dict[str, Affine])
    upper: dict[str, Affine] = field(default_factory=dict[str, Affine])

    def never_negative(self, value: Affine, depth: int = 6) -> bool:
        """Whether a sum is certainly 0 or more: variables are put at whichever of their bounds makes it least."""
        if value.is_constant:
            return value.constant >= 0
        if not depth:
            return False
        for name, factor in value.terms:
            bound = (self.lower if factor > 0 else self.upper).get(name)
            if bound is not None and self.never_negative(value.put({name: bound}), depth - 1):
                return True
        return False

    def inside(self, value: Affine, size: Affine) -> bool:
        """Whether an index is certainly that of an element of an axis."""
        return self.never_negative(value) and self.never_negative(size - value - 1)
