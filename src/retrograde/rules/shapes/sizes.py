"""What functions of NumPy need to know of their arguments before they can be written with primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import PRIMITIVES, Array


def known_shape(x: Array, name: str) -> tuple[int, ...]:
    """The shape of an operand as ints, for a function whose result depends on them in more than its sizes.

    Raises:
        UnsupportedError: a program is being built, in which only a run knows a size.
    """
    shape = np.shape(x)
    if any(isinstance(extent, Intercepting) for extent in shape):
        raise UnsupportedError(
            f"{name} needs the sizes of its operand as numbers, and in a program only the run knows {shape}; give the "
            "program's input sizes as ints, or use the tape"
        )
    return shape


def known_values(x: Array, name: str) -> Any:
    """The plain values of an operand, for a function that has no derivative by them.

    Raises:
        UnsupportedError: a program is being built, in which only a run knows values.
    """
    values = PRIMITIVES["stop_gradient"](x) if isinstance(x, Intercepting) else x
    if isinstance(values, Intercepting):
        raise UnsupportedError(
            f"{name} needs the values of its operand, and in a program only the run knows them; use the tape"
        )
    return values


def own_memory(x: Array) -> Array:
    """An array, of which NumPy's would be a copy, although it was made by views here."""
    return x.own_memory() if isinstance(x, ArrayLike) else x


def is_known(extent: Any) -> bool:
    """Whether an extent is a number already, and not one that only a run of a program knows."""
    return not isinstance(extent, Intercepting)


def writable(x: Array, name: str) -> ArrayLike:
    """An operand that a function writes into.

    Raises:
        UnsupportedError: it is a plain array, and would not take what is tracked.
    """
    if not isinstance(x, ArrayLike):
        raise UnsupportedError(
            f"{name} was to write into a plain {type(x).__name__}, and an operand is tracked; make the array that is "
            "written with np.zeros_like of a tracked one, or pass it to tape.watch"
        )
    return x
