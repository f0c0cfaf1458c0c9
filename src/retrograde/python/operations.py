"""The operations of derivatives that NumPy has no name for, for texts to import by theirs.

Example:
    >>> from retrograde.python.operations import divide_or_zero
    >>> divide_or_zero(0.0, 0.0)
    np.float64(0.0)
"""

from __future__ import annotations

from typing import Any

from retrograde import rules
from retrograde.program.primitive import PRIMITIVES, Primitive

assert rules  # importing it declares the primitives


def __getattr__(name: str) -> Primitive:
    if name in PRIMITIVES:
        return PRIMITIVES[name]
    raise AttributeError(f"retrograde has no operation {name!r}; docs/rules.md lists those that there are")


def __dir__() -> Any:
    return sorted(PRIMITIVES)
