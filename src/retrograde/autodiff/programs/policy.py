"""What the reversed program may compute once more, instead of keeping it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from retrograde.program.model import Instruction, Variable, variables_in
from retrograde.program.types import ArrayType, Extent, Size, StackType, Type

_CHEAP = (
    "add subtract multiply divide negative positive conjugate real imag absolute sign square sqrt reciprocal "
    "maximum minimum fmax fmin where floor ceil rint trunc heaviside copysign "
    "less less_equal greater greater_equal equal not_equal logical_and logical_or logical_not logical_xor "
    "isnan isfinite isinf floor_divide remainder bitwise_and bitwise_or bitwise_xor invert "
    "astype stop_gradient broadcast_to reshape transpose size"
)
CHEAP = frozenset(_CHEAP.split())
"""Primitives that take less time than writing their result into memory and reading it again.

On 2020s processors 8 bytes written and read cost about 1.6 ns, a division or root in vector registers 0.7 ns, and what
is not here (exp, tanh, powers, reductions, products of matrices) several times that for each element.
"""


@dataclass(frozen=True)
class ResidualPolicy:
    """Which values of a loop's body the reversed loop computes anew, and which are kept.

    Whatever the policy, nothing is kept that is at hand: what is set outside of the loop, views of it, integers made of
    loop indices, and elements that are still in an array when the loop has ended.

    Args:
        rebuild: `"cheap"`: results of cheap operations, where that makes what is kept smaller; `"nothing"`: keep
            whatever a rule reads; `"everything"`: every operation outside of an inner loop, so that little more is kept
            than what a loop carries.
        recompute: names of variables, the user's or the program's own, that are rebuilt in any case, if what they are
            computed from can be had.
        sizes: of named axes, for weighing one value against another.
        unknown_size: taken for the sizes that are not given.
    """

    rebuild: Literal["cheap", "nothing", "everything"] = "cheap"
    recompute: Collection[str] = ()
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown_size: int = 1000

    def allows(self, instruction: Instruction) -> bool:
        """Whether an instruction may be repeated in the reversed loop."""
        primitive = instruction.primitive
        if self.rebuild == "everything" or primitive.views is not None:
            return True
        if any(map(self.must_rebuild, instruction.results)):
            return True
        return _is_arithmetic_of_integers(instruction) or (primitive.name in CHEAP and self.rebuild == "cheap")

    def bytes_of(self, kind: Type) -> int:
        """About how much memory a value takes."""
        if isinstance(kind, StackType):
            return self.unknown_size * self.bytes_of(kind.element)
        if not isinstance(kind, ArrayType):
            return 0
        return kind.dtype.itemsize * prod(map(self._extent, kind.sizes))

    def must_rebuild(self, variable: Variable) -> bool:
        """Whether a variable was named as one to compute anew."""
        return variable.name in self.recompute or (bool(variable.hint) and variable.hint in self.recompute)

    def _extent(self, extent: Extent) -> int:
        if isinstance(extent, Size):
            return max(1, self.sizes.get(extent.name, self.unknown_size) + extent.offset)
        return self.unknown_size if extent is None else max(1, extent)


def _is_arithmetic_of_integers(instruction: Instruction) -> bool:
    parts = [*instruction.results, *variables_in(instruction.operands)]
    return all(
        isinstance(part.type, ArrayType) and not part.type.rank and part.type.dtype.kind in "iub" for part in parts
    )
