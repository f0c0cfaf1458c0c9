"""What is known of a value that comes from several places: from around a loop or from its body, from either side."""

from __future__ import annotations

from retrograde.errors import UsageError
from retrograde.program.types import ArrayType, Type


def widened(program: str, before: list[Type], after: list[Type]) -> list[Type]:
    """Types for values that are of some types or of others; sizes that differ are not known.

    Args:
        program: its name, for errors.
        before, after: the types.

    Raises:
        UsageError: they differ in number, dtype or rank.
    """
    if len(before) != len(after):
        raise UsageError(f"a region of program {program} gave {len(after)} values where {len(before)} are expected")
    return [_widened(program, one, other) for one, other in zip(before, after, strict=True)]


def _widened(program: str, one: Type, other: Type) -> Type:
    if (
        not isinstance(one, ArrayType)
        or not isinstance(other, ArrayType)
        or (one.dtype, one.rank) != (other.dtype, other.rank)
    ):
        raise UsageError(
            f"a region of program {program} gave {other} where {one} is expected; a value keeps its dtype and "
            "rank (`x.astype(...)` changes a dtype)"
        )
    sizes = (mine if mine == theirs else None for mine, theirs in zip(one.sizes, other.sizes, strict=True))
    return ArrayType(one.dtype, tuple(sizes))
