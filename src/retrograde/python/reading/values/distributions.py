"""The normal distribution of scipy.stats on what is under reading."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap


def of_normal(function: Any) -> Callable[..., Any] | None:
    """What is called in the place of a method of `scipy.stats.norm`; None for other functions."""
    owner = getattr(function, "__self__", None)
    kind = type(owner)
    if owner is None or kind.__name__ != "norm_gen" or not kind.__module__.startswith("scipy.stats"):
        return None
    density = _METHODS.get(function.__name__)
    if density is None:
        return None

    def method(heap: Heap, x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        if not any(isinstance(value, Handle) for value in (x, loc, scale)):
            return heap.wrap(function(x, loc, scale))
        return density(heap, x, loc, scale)

    return method


def _special(heap: Heap, name: str, value: Any) -> Any:
    from retrograde import special
    from retrograde.python.reading.values.calls import call

    return call(heap, getattr(special, name), (value,))


def _numpy(heap: Heap, function: Any, value: Any) -> Any:
    from retrograde.python.reading.values.calls import call

    return call(heap, function, (value,))


def _cdf(heap: Heap, x: Any, loc: Any, scale: Any) -> Any:
    return 0.5 * _special(heap, "erfc", (loc - x) / (scale * math.sqrt(2.0)))


def _sf(heap: Heap, x: Any, loc: Any, scale: Any) -> Any:
    return 0.5 * _special(heap, "erfc", (x - loc) / (scale * math.sqrt(2.0)))


def _logpdf(heap: Heap, x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return -0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - _numpy(heap, np.log, scale)


def _pdf(heap: Heap, x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return _numpy(heap, np.exp, -0.5 * z * z) / (scale * math.sqrt(2.0 * math.pi))


def _logcdf(heap: Heap, x: Any, loc: Any, scale: Any) -> Any:
    return _special(heap, "log_ndtr", (x - loc) / scale)


def _ppf(heap: Heap, q: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * _special(heap, "ndtri", q)


_METHODS: dict[str, Callable[[Heap, Any, Any, Any], Any]] = {
    "cdf": _cdf,
    "sf": _sf,
    "pdf": _pdf,
    "logpdf": _logpdf,
    "logcdf": _logcdf,
    "ppf": _ppf,
}
