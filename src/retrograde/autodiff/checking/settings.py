"""What a check was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.autodiff.checking.differences import METHODS
from retrograde.errors import UsageError

MODES = ("reverse", "forward")
POINTS = ("given", "sampled", "zero", "boundary")
ENTRYWISE = 24
DIRECTIONS = 4


@dataclass(frozen=True)
class Settings:
    """The options of `check_gradients`, checked. Its docstring says what they mean."""

    method: str
    order: int
    modes: tuple[str, ...]
    rtol: float | None
    atol: float | None
    points: tuple[str, ...]
    samples: int
    bounds: tuple[float, float]
    directions: int | None
    seed: int

    def relative_tolerance(self, dtypes: list[np.dtype[Any]]) -> float:
        """The tolerance asked for, or one that fits the coarsest of the dtypes."""
        if self.rtol is not None:
            return self.rtol
        return float(f"{coarsest(dtypes) ** 0.375:.1g}")


def coarsest(dtypes: list[np.dtype[Any]]) -> float:
    """The largest relative rounding error of some dtypes."""
    return max(map(_resolution, dtypes))


def _resolution(dtype: np.dtype[Any]) -> float:
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)


def settings_of(
    *,
    method: str,
    order: int,
    modes: Any,
    rtol: float | None,
    atol: float | None,
    points: Any,
    samples: int,
    bounds: Any,
    directions: int | None,
    seed: int,
) -> Settings:
    """The options, checked.

    Raises:
        UsageError: one of them means nothing.
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    points = (points,) if isinstance(points, str) else tuple(points)
    _check_names("method", (method,), METHODS)
    _check_names("modes", modes, MODES)
    _check_names("points", points, POINTS)
    if order not in (1, 2):
        raise UsageError(f"order={order!r} was asked for; 1 checks gradients, 2 second derivatives, too")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance is not None and not 0 <= tolerance < np.inf:
            raise UsageError(f"{name}={tolerance!r} was asked for; a tolerance is a finite number of 0 or more")
    if samples < 0 or (directions is not None and directions < 1):
        raise UsageError(
            f"samples={samples!r} and directions={directions!r} were asked for; give 0 or more samples, and 1 or more "
            "directions"
        )
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    low, high = -np.inf if low is None else float(low), np.inf if high is None else float(high)
    if not low < high:
        raise UsageError(f"bounds={bounds!r} were given; give (low, high) with low below high, None for no bound")
    if "boundary" in points and not np.isfinite(low) and not np.isfinite(high):
        raise UsageError('points has "boundary", and there are no bounds; give bounds=(low, high)')
    return Settings(method, order, modes, rtol, atol, points, samples, (low, high), directions, seed)


def _check_names(option: str, found: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not found or not set(known).issuperset(found):
        raise UsageError(f"{option}={found if len(found) != 1 else found[0]!r} was asked for; there are {list(known)}")
