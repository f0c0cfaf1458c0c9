"""Views: how parts of an array object are taken, and how what is written into them gets into the array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.kinds import as_tuple, is_slice
from retrograde.program.model import Variable, map_operand
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.symbol import Symbol


@dataclass(frozen=True)
class View:
    """One step from an array to a part of it that shares its memory.

    Attributes:
        primitive: how the part is taken.
        operands: what the primitive reads besides the array: variables and constants.
        static: the primitive's constants.
    """

    primitive: Primitive
    operands: tuple[Any, ...] = ()
    static: tuple[tuple[str, Any], ...] = ()

    @property
    def index(self) -> Any:
        """Of a part taken by an index, the index; else None."""
        return self.operands[0] if self.primitive is PRIMITIVES["getitem"] else None

    def take(self, builder: ProgramBuilder, base: Any) -> Any:
        """The part of an array."""
        return self.primitive(base, *symbols(builder, self.operands), **dict(self.static))

    def put(self, builder: ProgramBuilder, base: Any, part: Any) -> Any:
        """The array whose part is another one.

        Raises:
            UsageError: NumPy does not write such views.
        """
        name = self.primitive.name
        if name == "getitem":
            return PRIMITIVES["update"](base, *symbols(builder, self.operands), part)
        if name == "reshape":
            return PRIMITIVES["reshape"](part, base.shape)
        if name == "transpose":
            axes = dict(self.static)["axes"]
            return PRIMITIVES["transpose"](part, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__)))
        if name == "real":
            return np.astype(part, base.dtype) + np.imag(base) * 1j  # pyright: ignore
        if name == "imag":
            return np.astype(np.real(base), base.dtype) + part * 1j  # pyright: ignore
        if name in ("broadcast_to", "diagonal"):
            raise UsageError(
                f"a view made by {name} was to be written, which NumPy does not allow (assignment destination is "
                "read-only); write into the array itself, by index"
            )
        raise UnsupportedError(f"a view made by {name} was to be written; write into the array itself, by index")


def index_view(builder: ProgramBuilder, index: Any) -> View:
    """The view by a basic index."""
    return View(PRIMITIVES["getitem"], (map_operand(builder.atom, index),))


def symbols(builder: ProgramBuilder, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    return map_operand(lambda part: Symbol(builder, part) if isinstance(part, Variable) else part, operands)


def joined(path: tuple[View, ...], view: View, rank: int) -> tuple[View, ...]:
    """A path with one more view at its end; an index of a part becomes one index of the whole where that is the same.

    Args:
        path: the views so far.
        view: the one to add.
        rank: the number of axes of what the last view of the path is taken of.
    """
    if path and path[-1].primitive is PRIMITIVES["getitem"] is view.primitive:
        index = composed(path[-1].index, view.index, rank)
        if index is not None:
            return (*path[:-1], View(view.primitive, (index,)))
    return (*path, view)


def composed(first: Any, second: Any, rank: int) -> Any:
    """The index that picks of an array what a second index picks of what a first one picks; None if none is sure to.

    Args:
        first: a basic index of an array.
        second: a basic index of the part.
        rank: the number of axes of the array.

    Example:
        >>> composed((0, slice(None)), (slice(2, 3),), 2)
        (0, slice(2, 3, None))
        >>> composed(slice(1, None), 4, 1)
        5
    """
    outer, inner = _spelled(first, rank), as_tuple(second)
    if outer is None:
        return None
    kept = sum(map(is_slice, outer))
    inner = _spelled(second, kept)
    if inner is None:
        return None
    parts: list[Any] = []
    turns = iter(inner)
    for part in outer:
        if is_slice(part):
            merged = _merged(part, next(turns))
            if merged is None:
                return None
            parts.append(merged)
        else:
            parts.append(part)
    while len(parts) > 1 and takes_all(parts[-1]):
        parts.pop()
    return parts[0] if len(parts) == 1 else tuple(parts)


def _spelled(index: Any, rank: int) -> tuple[Any, ...] | None:
    """An index with a part for each axis; None if it makes new axes."""
    parts = as_tuple(index)
    if any(part is None for part in parts):
        return None
    dots = [at for at, part in enumerate(parts) if part is Ellipsis]
    missing = (slice(None),) * (rank - len(parts) + len(dots))
    if not dots:
        return (*parts, *missing)
    return (*parts[: dots[0]], *missing, *parts[dots[0] + 1 :])


def _merged(outer: slice, inner: Any) -> Any:
    """The part of an index for a part of what a slice picks; None if it cannot be said, or may miss an error."""
    if takes_all(outer):
        return inner
    if takes_all(inner):
        return outer
    if outer.stop is not None or not takes_each(outer) or not _is_count(outer.start):
        return None
    if _is_count(inner):
        return outer.start + inner
    if not is_slice(inner) or not takes_each(inner):
        return None
    if not (inner.start is None or _is_count(inner.start)) or not (inner.stop is None or _is_count(inner.stop)):
        return None
    return slice(outer.start + (inner.start or 0), None if inner.stop is None else outer.start + inner.stop)


def takes_all(part: Any) -> bool:
    """Whether part of an index is `:`; a bound that is a symbol is not to be compared."""
    return is_slice(part) and part.start is None and part.stop is None and part.step is None


def takes_each(part: Any) -> bool:
    """Whether the step of a slice is 1; one that is a symbol is not to be compared."""
    return part.step is None or (isinstance(part.step, int) and part.step == 1)


def _is_count(part: Any) -> bool:
    return isinstance(part, int) and part >= 0
