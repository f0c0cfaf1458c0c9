"""How a function of scipy.special is declared: its operands, and its derivative by each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.kinds import is_tuple
from retrograde.program.primitive import Array, Primitive, Rule, RuleFunction
from retrograde.program.spelling import spells_late
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.elementwise.quiet import multiply_or_zero
from retrograde.rules.type_rules import sizes_of

_NONE: Mapping[str, Any] = MappingProxyType({})


@cache
def scipy_special() -> Any:
    """The module scipy.special, imported when it is first asked for: that takes a quarter of a second."""
    from scipy import special  # pyright: ignore[reportMissingTypeStubs]

    return special


def declare(
    name: str,
    operands: tuple[str, ...] = ("x",),
    derivatives: Mapping[str, RuleFunction] = _NONE,
    *,
    refused: Mapping[str, str] = _NONE,
    evaluate: Callable[..., Array] | None = None,
) -> Primitive:
    """A function that works element by element, and is analytic where it takes complex numbers.

    Args:
        name: in scipy.special, if `evaluate` is not given.
        operands: as of a primitive.
        derivatives: for an operand a function of what it reads: operands and the result `out`, by name.
        refused: for an operand that has no derivative here, why.
        evaluate: computes it.

    Where a derivative is infinite, nothing warns of it, and a share of 0 stays 0: another branch was chosen there.
    Where a function of scipy.special has this name, that function may be called on tracked arrays, too.
    """
    compute = evaluate or _of_scipy(name)
    primitive = Primitive(
        name,
        compute,
        operands,
        result=_broadcast(compute),
        elementwise=True,
        reverse={operand: _reverse(derivative) for operand, derivative in derivatives.items()}
        | {operand: _refusal(name, operand, reason) for operand, reason in refused.items()},
        forward={operand: _forward(derivative) for operand, derivative in derivatives.items()}
        | {operand: _refusal(name, operand, reason) for operand, reason in refused.items()},
    )
    return spells_late("scipy.special", name)(primitive)


def declare_several(name: str, outputs: tuple[str, ...], derivatives: tuple[RuleFunction, ...]) -> Primitive:
    """A function of `x` with several results, by the derivative of each: functions of what they read."""
    reads = tuple(dict.fromkeys(read for derivative in derivatives for read in _parameters(derivative)))

    def at(values: tuple[Array, ...], place: int) -> Array:
        known = dict(zip(reads, values, strict=True))
        derivative = derivatives[place]
        return derivative(*(known[read] for read in _parameters(derivative)))

    def reverse(g: tuple[Array | None, ...], *values: Array) -> Array:
        shares = [part * conj(at(values, place)) for place, part in enumerate(g) if part is not None]
        return sum(shares[1:], start=shares[0])

    def forward(d: Array, *values: Array) -> tuple[Array, ...]:
        return tuple(d * at(values, place) for place in range(len(outputs)))

    compute = _of_scipy(name)
    primitive = Primitive(
        name,
        compute,
        ("x",),
        result=_broadcast(compute),
        elementwise=True,
        reverse={"x": Rule(reverse, reads)},
        forward={"x": Rule(forward, reads)},
        outputs=outputs,
    )
    return spells_late("scipy.special", name)(primitive)


def _of_scipy(name: str) -> Callable[..., Array]:
    def compute(*values: Array) -> Array:
        return getattr(scipy_special(), name)(*values)

    return compute


def _reverse(derivative: RuleFunction) -> Rule:
    def rule(g: Array, *reads: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = conj(derivative(*reads))
        return multiply_or_zero(g, slope)

    return Rule(rule, _parameters(derivative))


def _forward(derivative: RuleFunction) -> Rule:
    def rule(d: Array, *reads: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = derivative(*reads)
        return multiply_or_zero(d, slope)

    return Rule(rule, _parameters(derivative))


def _refusal(name: str, operand: str, reason: str) -> Rule:
    def rule(*_: Any) -> Array:
        raise UnsupportedError(
            f"the derivative of {name} by {operand!r} was asked for; {reason}. Hold it constant "
            f"(rg.stop_gradient({operand})), or give the function a derivative of your own (rg.custom_vjp)"
        )

    return Rule(rule, ())


def _parameters(function: RuleFunction) -> tuple[str, ...]:
    code: Any = function.__code__
    return tuple(code.co_varnames[: code.co_argcount])


def _broadcast(compute: Callable[..., Array]) -> Callable[..., Any]:
    """Operands broadcast together, and the dtype that comes out for their dtypes."""

    @cache
    def dtypes(*kinds: Any) -> Any:
        with np.errstate(all="ignore"):
            out = compute(*(kind(1) if isinstance(kind, type) else np.ones(1, kind) for kind in kinds))
        return tuple(part.dtype for part in out) if is_tuple(out) else out.dtype

    def result(*operands: Any) -> Any:
        kinds: list[Any] = [item.dtype if isinstance(item, ArrayType) else item.__class__ for item in operands]
        found: Any = dtypes(*kinds)
        sizes = broadcast_extents(*(sizes_of(operand) for operand in operands))
        return tuple(ArrayType(dtype, sizes) for dtype in found) if is_tuple(found) else ArrayType(found, sizes)

    return result
