"""What a region hands on for a value, in the type of the variable that is to hold it."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.python.reading.frames import Unset
from retrograde.python.reading.kinds import ArrayLeaf, Leaf, NumberLeaf


def operand_for(builder: ProgramBuilder, leaf: Leaf, content: Any) -> Any:
    """A symbol or constant of a leaf's dtype.

    Raises:
        UnsupportedError: a Python number is not one of the dtype that it becomes.
    """
    if isinstance(content, Unset):
        return _filler(builder, leaf)
    if isinstance(content, Symbol):
        return content if content.dtype == leaf.dtype else np.astype(content, leaf.dtype)  # pyright: ignore
    constant = np.asarray(content).astype(leaf.dtype)
    if isinstance(leaf, ArrayLeaf):
        return constant
    if not _is_equal(constant, content):
        raise UnsupportedError(
            f"the Python number {content!r} becomes a {leaf.dtype} on another way, which does not hold it exactly; "
            f"write np.{leaf.dtype}({content!r})"
        )
    return constant[()]


def _is_equal(constant: Any, content: Any) -> bool:
    return bool(constant == content) or bool(constant != constant and content != content)


def _filler(builder: ProgramBuilder, leaf: Leaf) -> Any:
    """What stands where there is no value: nothing reads it, unless Python would have raised an error."""
    kind = leaf.dtype.kind
    value = np.asarray(np.nan if kind in "fc" else np.iinfo(leaf.dtype).min if kind == "i" else 0, leaf.dtype)
    if isinstance(leaf, NumberLeaf):
        return value[()]
    if not all(map(builder.sizes.is_named, leaf.sizes)):
        return np.full((1,) * len(leaf.sizes), value)
    shape = tuple(map(builder.sizes.named, leaf.sizes))
    if all(isinstance(extent, int) for extent in shape):
        return np.full(shape, value)
    return builder.emit(PRIMITIVES["broadcast_to"], (value, shape), {})
