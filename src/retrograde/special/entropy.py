"""Logistic functions, entropies and divergences."""

from __future__ import annotations

from typing import Any

from retrograde.program.primitive import Array
from retrograde.rules.special import entropies


def expit(x: Any) -> Array:
    """The logistic function 1 / (1 + exp(-x)), of real numbers.

    Example:
        >>> float(expit(0.0))
        0.5
    """
    return entropies.expit(x)


def logit(x: Any) -> Array:
    """The inverse of `expit`: log(x / (1 - x)), of numbers between 0 and 1.

    Example:
        >>> float(logit(0.5))
        0.0
    """
    return entropies.logit(x)


def log_expit(x: Any) -> Array:
    """The logarithm of `expit`, precise where that is nearly 0 or 1.

    Example:
        >>> float(log_expit(-800.0))
        -800.0
    """
    return entropies.log_expit(x)


def xlogy(x: Any, y: Any) -> Array:
    """x·log(y), and 0 where x is 0.

    Where x is 0 the derivative by y is 0; that by x is log(y), infinite where y is 0.

    Example:
        >>> float(xlogy(0.0, 0.0))
        0.0
    """
    return entropies.xlogy(x, y)


def xlog1py(x: Any, y: Any) -> Array:
    """x·log(1 + y), and 0 where x is 0.

    Example:
        >>> float(xlog1py(0.0, -1.0))
        0.0
    """
    return entropies.xlog1py(x, y)


def entr(x: Any) -> Array:
    """The entropy -x·log(x) of a probability; 0 at 0, and -inf below.

    Example:
        >>> float(entr(1.0)) == 0.0
        True
    """
    return entropies.entr(x)


def rel_entr(x: Any, y: Any) -> Array:
    """The relative entropy x·log(x / y) of two probabilities.

    Example:
        >>> float(rel_entr(0.5, 0.5))
        0.0
    """
    return entropies.rel_entr(x, y)


def kl_div(x: Any, y: Any) -> Array:
    """The divergence x·log(x / y) - x + y, which is never negative.

    Example:
        >>> float(kl_div(0.5, 0.5))
        0.0
    """
    return entropies.kl_div(x, y)
