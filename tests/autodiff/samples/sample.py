"""What samples are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

_RANDOM = np.random.default_rng(7)


def draw_anew(family: str) -> None:
    """Draw what follows from a seed of the family's own: other families do not change its samples."""
    global _RANDOM
    _RANDOM = np.random.default_rng(crc32(family.encode()))


def real(*shape: int) -> Any:
    """Values between 0.5 and 2 of both signs: away from zero, where `divide` has a pole."""
    values = _RANDOM.uniform(0.5, 2.0, shape) * _RANDOM.choice([-1.0, 1.0], shape)
    return values if shape else np.float64(values)


def cplx(*shape: int) -> Any:
    return real(*shape) + 1j * real(*shape)


@dataclass(frozen=True)
class Sample:
    """Operands and static parameters of one application.

    Where a result is free in something (the sign of an eigenvector), `through` makes of the results others that are
    not: a function of all of them that returns a tuple. What is not `analytic` in its operands, or not evaluated for
    complex ones, is not held against a complex step.
    """

    operands: tuple[Any, ...]
    static: dict[str, Any] = field(default_factory=dict)
    through: Callable[..., tuple[Any, ...]] | None = None
    analytic: bool = True

    def __repr__(self) -> str:
        operands = ", ".join(f"{np.shape(x)}" if hasattr(x, "shape") else repr(x) for x in self.operands)
        return f"{operands} {self.static or ''}"
