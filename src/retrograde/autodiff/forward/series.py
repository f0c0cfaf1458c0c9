"""Truncated power series through NumPy code: Taylor mode.

A `Series` is a path y(t) = y0 + y1 t + ... + yd t^d. What is linear works on each coefficient, products convolve, and a
few functions have recurrences of their own (Griewank and Walther 2008, "Evaluating Derivatives", chapter 13). Any other
operation is its own differential equation: y' is what its forward rule makes of x', and a rule is NumPy code that takes
series of one order less. So every primitive with a forward rule has a series of any order, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.pushing import order_of, push_forward, reads_results
from retrograde.program.dispatch import apply
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import is_differentiable

Coefficient: TypeAlias = Array | None
"""None is zero."""
Coefficients: TypeAlias = list[Any]


class Series(Accompanied):
    """The first coefficients of a path of arrays.

    Attributes:
        value: where the path is at t = 0.
        terms: the coefficients of t, t^2, and so on, each of the shape and dtype of the value; None is zero.
        level: that of the derivative it belongs to.
    """

    __slots__ = ("terms",)
    _state = ("value", "terms", "level")
    kind: ClassVar[str] = "a series"

    terms: tuple[Coefficient, ...]

    def __init__(self, value: Array, terms: tuple[Coefficient, ...], level: int) -> None:
        self.value = value
        self.terms = terms
        self.level = level

    def __repr__(self) -> str:
        return f"series({self.value!r}, {self.terms!r})"

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Series:
        """A path that stays at zero."""
        value = np.zeros_like(self.value, dtype=dtype, shape=shape)
        return Series(value, (None,) * len(self.terms), self.level)

    def truncated(self, order: int) -> Any:
        """The path up to an order; up to order 0, the value."""
        return Series(self.value, self.terms[:order], self.level) if order else self.value

    def slope(self, order: int) -> Any:
        """The derivative of the path by t, up to an order; None if that is zero."""
        terms = [term if term is None or k == 1 else term * k for k, term in enumerate(self.terms[: order + 1], 1)]
        if all(term is None for term in terms):
            return None
        first = np.zeros_like(self.value) if terms[0] is None else terms[0]
        return Series(first, tuple(terms[1:]), self.level) if order else first

    def carry(
        self, primitive: Primitive, values: list[Any], moving: list[tuple[int, Any]], static: Mapping[str, Any]
    ) -> Any:
        """Evaluate an operation on paths."""
        places = tuple(place for place, _ in moving)
        kind = order_of(primitive, places)
        out = apply(primitive, tuple(values), static)
        if kind == "constant":
            return out
        order = min(len(series.terms) for _, series in moving)
        if kind == "linear":
            terms = _linear(primitive, values, moving, out, static, order)
        elif (recurrence := RECURRENCES.get(primitive.name)) is not None:
            paths = [[value] + [None] * order for value in values]
            for place, series in moving:
                paths[place] = [series.value, *series.terms]
            terms = [recurrence(out, *paths)]
        elif kind == "bilinear":
            terms = [_product(primitive, values, moving, static, order)]
        else:
            terms = self._by_rules(primitive, values, moving, out, static)
        if primitive.outputs:
            return tuple(self._with(*pair) for pair in zip(out, terms, strict=True))
        return self._with(out, terms[0])

    def _with(self, value: Array, terms: Coefficients) -> Any:
        return Series(value, tuple(terms), self.level) if is_differentiable(value.dtype) else value

    def _by_rules(
        self,
        primitive: Primitive,
        values: list[Any],
        moving: list[tuple[int, Series]],
        out: Any,
        static: Mapping[str, Any],
    ) -> list[Coefficients]:
        """The coefficients of each result by the forward rules: all at once, or, where these read results, in turn."""
        order = min(len(series.terms) for _, series in moving)
        several = bool(primitive.outputs)
        known: list[Coefficients] = [[] for _ in (out if several else (out,))]
        in_turn = reads_results(primitive, tuple(place for place, _ in moving))
        for upto in range(1, order + 1) if in_turn else (order,):
            operands, slopes = list(values), list[tuple[int, Any]]()
            for place, series in moving:
                operands[place] = series.truncated(upto - 1)
                if (slope := series.slope(upto - 1)) is not None:
                    slopes.append((place, slope))
            so_far = out
            if in_turn and upto > 1:
                pairs = zip(out if several else (out,), known, strict=True)
                paths = tuple(self._with(*pair) for pair in pairs)
                so_far = paths if several else paths[0]
            pushed = push_forward(primitive, slopes, operands, so_far, static) if slopes else None
            for terms, slope in zip(known, pushed or [None] * len(known), strict=True):
                found = self._coefficients(slope, upto)
                terms.extend(_over(found[k], k + 1) for k in range(len(terms), upto))
        return known

    def _coefficients(self, slope: Any, count: int) -> Coefficients:
        if isinstance(slope, Series) and slope.level == self.level:
            return [slope.value, *slope.terms]
        return [slope] + [None] * (count - 1)


def _linear(
    primitive: Primitive,
    values: list[Any],
    moving: list[tuple[int, Series]],
    out: Any,
    static: Mapping[str, Any],
    order: int,
) -> list[Coefficients]:
    count = len(primitive.outputs) or 1
    rows: list[Any] = []
    for k in range(order):
        given = [(place, series.terms[k]) for place, series in moving if series.terms[k] is not None]
        rows.append(push_forward(primitive, given, values, out, static) if given else None)
    return [[None if row is None else row[place] for row in rows] for place in range(count)]


def _product(
    primitive: Primitive, values: list[Any], moving: list[tuple[int, Series]], static: Mapping[str, Any], order: int
) -> Coefficients:
    (one, x), (other, y) = moving
    operands = list(values)

    def times(u: Array, v: Array) -> Array:
        operands[one], operands[other] = u, v
        return apply(primitive, tuple(operands), static)

    xs, ys = [x.value, *x.terms], [y.value, *y.terms]
    return [convolve(xs, ys, k, times) for k in range(1, order + 1)]


def convolve(
    xs: Coefficients,
    ys: Coefficients,
    k: int,
    times: Callable[[Array, Array], Array] = lambda u, v: u * v,
    first: int = 0,
) -> Coefficient:
    """The coefficient of t^k of a product: the sum of x_j y_(k-j) over j from `first` to k."""
    sum_: Coefficient = None
    for j in range(first, k + 1):
        if j < len(xs) and k - j < len(ys) and xs[j] is not None and ys[k - j] is not None:
            part = times(xs[j], ys[k - j])
            sum_ = part if sum_ is None else sum_ + part
    return sum_


def _over(x: Coefficient, divisor: Any) -> Coefficient:
    return None if x is None else x / divisor


def _minus(x: Coefficient, y: Coefficient) -> Coefficient:
    if y is None:
        return x
    return -y if x is None else x - y


def _slopes(xs: Coefficients) -> Coefficients:
    """The coefficients of t x'(t)."""
    return [None, *(None if x is None else x if k == 1 else x * k for k, x in enumerate(xs[1:], 1))]


RECURRENCES: dict[str, Callable[..., Coefficients]] = {}
"""By the name of the primitive: from its result at t = 0 and the coefficients of its operands to the terms."""


def _recurrence(name: str) -> Callable[[Callable[..., Coefficients]], Callable[..., Coefficients]]:
    def declare(function: Callable[..., Coefficients]) -> Callable[..., Coefficients]:
        RECURRENCES[name] = function
        return function

    return declare


@_recurrence("divide")
def _divide(out: Array, xs: Coefficients, ys: Coefficients) -> Coefficients:
    found = [out]
    for k in range(1, len(xs)):
        found.append(_over(_minus(xs[k], convolve(ys, found, k, first=1)), ys[0]))
    return [_full(term, out) for term in found[1:]]


def _full(term: Coefficient, out: Array) -> Coefficient:
    return term if term is None or term.shape == out.shape else np.broadcast_to(term, out.shape)


@_recurrence("exp")
def _exp(out: Array, xs: Coefficients) -> Coefficients:
    slopes, found = _slopes(xs), [out]
    for k in range(1, len(xs)):
        found.append(_over(convolve(slopes, found, k), k))
    return found[1:]


@_recurrence("log")
def _log(out: Array, xs: Coefficients) -> Coefficients:
    found, slopes = [out], [None]
    for k in range(1, len(xs)):
        inner = _over(convolve(xs, slopes, k, first=1), k)
        term = _over(_minus(xs[k], inner), xs[0])
        found.append(term)
        slopes.append(None if term is None else term * k)
    return found[1:]


@_recurrence("sqrt")
def _sqrt(out: Array, xs: Coefficients) -> Coefficients:
    found: Coefficients = [None]
    for k in range(1, len(xs)):
        found.append(_over(_minus(xs[k], convolve(found, found, k)), out * 2))
    return found[1:]


def _circle(first: Array, other: Array, xs: Coefficients, sign: int) -> Coefficients:
    """The terms of y where y' = z x' and z' = sign * y x'."""
    slopes = _slopes(xs)
    ys, zs = [first], [other]
    for k in range(1, len(xs)):
        y, z = _over(convolve(slopes, zs, k), k), _over(convolve(slopes, ys, k), k)
        ys.append(y)
        zs.append(z if sign > 0 or z is None else -z)
    return ys[1:]


@_recurrence("sin")
def _sin(out: Array, xs: Coefficients) -> Coefficients:
    return _circle(out, np.cos(xs[0]), xs, -1)


@_recurrence("cos")
def _cos(out: Array, xs: Coefficients) -> Coefficients:
    terms = _circle(-out, np.sin(xs[0]), xs, -1)
    return [None if term is None else -term for term in terms]


@_recurrence("sinh")
def _sinh(out: Array, xs: Coefficients) -> Coefficients:
    return _circle(out, np.cosh(xs[0]), xs, 1)


@_recurrence("cosh")
def _cosh(out: Array, xs: Coefficients) -> Coefficients:
    return _circle(out, np.sinh(xs[0]), xs, 1)


@_recurrence("tanh")
def _tanh(out: Array, xs: Coefficients) -> Coefficients:
    slopes, found, rest = _slopes(xs), [out], [1.0 - out * out]
    for k in range(1, len(xs)):
        found.append(_over(convolve(slopes, rest, k), k))
        square = convolve(found, found, k)
        rest.append(None if square is None else -square)
    return found[1:]
