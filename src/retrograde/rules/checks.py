"""Checks that a program makes while it runs: `raise` and `assert` of the function that it was read from.

A check hands on a number, always 0, that the next check takes, and `checked` gives a result only behind the last one.
So checks stay where they are, in loops and branches as well, and none is taken for something that nobody needs.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType


def raise_error(error: tuple[type[Exception], tuple[Any, ...]]) -> NoReturn:
    """Raise an exception of a type with arguments."""
    kind, arguments = error
    raise kind(*arguments)


def _check(checks: Array, fails: Array, error: tuple[type[Exception], tuple[Any, ...]]) -> Array:
    if bool(fails):
        raise_error(error)
    return checks


CHECK = Primitive(
    "check",
    _check,
    ("checks", "fails"),
    static=("error",),
    result=lambda checks, fails, error: ArrayType(np.dtype(np.int64), ()),
    registered=False,
)
"""Raises an error if `fails` is true: `error` is the type of the exception and its arguments."""

CHECKED = Primitive(
    "checked",
    lambda x, checks: x,
    ("x", "checks"),
    result=lambda x, checks: x,
    reverse={"x": lambda g, checks: CHECKED(g, checks)},
    linear=("x",),
    views=lambda x, checks: True,
    registered=False,
)
"""The first operand, once the checks that lead to the second were made."""
