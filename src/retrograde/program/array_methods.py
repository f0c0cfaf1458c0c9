"""The methods of arrays, each by way of the NumPy function of the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.spelling import call_function


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes what the function takes behind its first argument."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return call_function(function, (self, *arguments), options)

    method.__name__ = function.__name__
    method.__doc__ = f"As `numpy.{function.__name__}`."
    return method


class ArrayMethods:
    """The methods of NumPy's arrays whose arguments are those of a function."""

    __slots__ = ()

    all = _method(np.all)
    any = _method(np.any)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    clip = _method(np.clip)
    conj = conjugate = _method(np.conjugate)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    dot = _method(np.dot)
    max = _method(np.max)
    mean = _method(np.mean)
    min = _method(np.min)
    prod = _method(np.prod)
    round = _method(np.round)
    std = _method(np.std)
    sum = _method(np.sum)
    var = _method(np.var)
