"""Writes into an array-like: `x[i] = v`, `x += v`, `x[i] += v`.

A write puts a new version behind the same name: `x` takes over the state of `update(x, i, v)`. Whoever read the old
version keeps it. What NumPy would do to *other* names, whose arrays share memory with `x`, a new version cannot do; so
a view whose base is written, or a base one of whose views is written, is refused, and no wrong number comes of it.

`x[i] += v` is a read of a view, a write into the view, and an assignment of the view to `x[i]`. Between the last two
`x` and its other views are locked: using one then is an error, and the assignment opens `x`. A write into a view
that is never assigned back (`row = x[i]; row += v`) therefore ends in an error where `x` is next used.
"""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import ref

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.kinds import is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES


class WritesInPlace:
    """What makes writes into an array-like right, or refuses them."""

    # _views: weak references to the views taken of it. _base: what it is a view of, and _place: how it was taken.
    # _locked: its state and the view written.
    __slots__ = ("__weakref__", "_base", "_locked", "_place", "_views")

    level: int

    _state: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        raise NotImplementedError  # pragma: no cover

    def is_number(self) -> bool:
        """Whether NumPy's array would be a number, which `+=` replaces and does not change."""
        raise NotImplementedError  # pragma: no cover

    def note_view_of(self, base: Any, place: tuple[Any, ...]) -> None:
        """Remember that NumPy's array here would share its memory with the base.

        Args:
            base: what it is a view of.
            place: how the view was taken: the primitive, and its operands behind the base.
        """
        if base._is_plain_number():
            return
        self._base = base
        self._place = place
        views = slot(base, "_views", [])
        if not len(views) & (len(views) - 1):  # at powers of two: a look through all of them costs little on average
            views = [view for view in views if view() is not None]
        views.append(ref(self))
        base._views = views

    def __setitem__(self, index: Any, value: Any) -> None:
        index = without_lists(index)
        if (locked := slot(self, "_locked", None)) is not None:
            state, written = locked
            if value is not written or not _is_place(written._place, index):
                self._complain_if_locked()
            for name, part in zip(self._state, state, strict=True):
                setattr(self, name, part)
            self._locked = None
            # These names would count as readers of the value.
            del locked, state, part  # pyright: ignore[reportPossiblyUnboundVariable]
        if self._is_plain_number():
            raise TypeError(f"{self.kind} that is a number has no items to assign to, as NumPy's numbers have none")
        self._refuse_if_shared(value)
        self._become(self._updated(index, value))

    def _updated(self, index: Any, value: Any) -> Any:
        """The array after the write, as a new version."""
        return PRIMITIVES["update"](self, index, value)

    def __iadd__(self, other: Any) -> Any:
        return self._written(self + other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __isub__(self, other: Any) -> Any:
        return self._written(self - other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __imul__(self, other: Any) -> Any:
        return self._written(self * other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __itruediv__(self, other: Any) -> Any:
        return self._written(self / other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __imod__(self, other: Any) -> Any:
        return self._written(self % other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __ifloordiv__(self, other: Any) -> Any:
        # Floors are plain arrays; what is behind this name stays what it is.
        return self._written(np.zeros_like(self) + self // other)  # pyright: ignore

    def __ipow__(self, other: Any) -> Any:
        return self._written(self**other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def __imatmul__(self, other: Any) -> Any:
        return self._written(self @ other)  # pyright: ignore[reportOperatorIssue, reportUnknownArgumentType]

    def _written(self, result: Any) -> Any:
        if self.is_number():
            return result
        same: Any = self._same_array_type(result if self.ndim else array_without_axes(result))
        base = slot(self, "_base", None)
        if base is None:
            self._refuse_if_shared(None)
            self._become(same)
            return self
        if slot(base, "_base", None) is not None:
            raise UnsupportedError(
                "a view of a view was written in place (`x[i][j] += v`); write to the array itself: `x[i, j] += v`"
            )
        base._lock(self)
        self._lock_views(self)
        self._become(same)
        return self

    def _is_plain_number(self) -> bool:
        """Whether NumPy's array would be a number for certain; a symbol, which is of level 0, may be either."""
        return not self.ndim and self.level > 0 and self.is_number()

    def own_memory(self) -> Any:
        """This array, of which NumPy's would be a copy, although it was made by views here."""
        base = slot(self, "_base", None)
        if base is not None:
            base._views = [view for view in base._views if view() is not self]
            del self._base
        return self

    def replace(self, result: Any) -> None:
        """Take over another array's state, as if every element had been written.

        Raises:
            UnsupportedError: other names share memory with this array.
            UsageError: the other array has another shape, or a dtype that cannot be cast to this one.
        """
        self._complain_if_locked()
        self._refuse_if_shared(None)
        self._become(self._same_array_type(result))

    def _become(self, other: Any) -> None:
        if type(other) is not type(self):
            raise UnsupportedError(
                f"{self.kind} was to be written and become a {type(other).__name__}: its tape does not record, "
                "or the value is of another kind of derivative; write into a copy made here (`y = x.copy()`)"
            )
        for name in self._state:
            setattr(self, name, getattr(other, name))

    def _lock(self, written: Any) -> None:
        self._locked = (tuple(getattr(self, name) for name in self._state), written)
        for name in self._state:
            delattr(self, name)
        self._lock_views(written)

    def _lock_views(self, written: Any) -> None:
        """Lock the views that NumPy would have changed with the one that was written."""
        for reference in slot(self, "_views", ()):
            view = reference()
            if view is not None and view is not written and slot(view, "_locked", None) is None:
                view._lock(written)

    def _complain_if_locked(self) -> None:
        if slot(self, "_locked", None) is not None:
            raise UnsupportedError(
                "a view of this array was changed in place (`row = x[i]; row += v`), which changes the array under "
                "NumPy and would not here; write `x[i] += v`"
            )

    def _refuse_if_shared(self, value: Any) -> None:
        if slot(self, "_base", None) is not None:
            raise UnsupportedError(
                "a view (a slice, a transpose, a reshape) of an array was written in place, which changes the array "
                "under NumPy and would not here; write to the array itself (`x[i, j] = v`), or to a copy (`row = "
                "x[i].copy()`)"
            )
        self._refuse_if_viewed(value)

    def _refuse_if_viewed(self, value: Any) -> None:
        """Refuse a write while there are views besides the one that is written."""
        views = (reference() for reference in slot(self, "_views", ()))
        if any(view is not None and view is not value for view in views):
            raise UnsupportedError(
                "an array was written in place while a view of it (a slice, a transpose, a reshape) is in use, which "
                "would change the view under NumPy and would not here; take a copy (`row = x[i].copy()`) or delete "
                "the view first"
            )

    def _same_array_type(self, other: Any) -> Any:
        raise NotImplementedError  # pragma: no cover


def array_without_axes(number: Any) -> Any:
    """A number as an array without axes, of which ufuncs make numbers."""
    reshape = PRIMITIVES["reshape"]
    return reshape(reshape(number, (1,)), ()).own_memory()


def without_lists(index: Any) -> Any:
    """An index with arrays in place of lists, which whoever made them may change before the derivative is there."""
    kind = index.__class__
    if kind is list:
        return np.asarray(index) if index else np.zeros(0, np.intp)
    if kind is tuple and list in map(type, index):
        return tuple(map(without_lists, index))
    return index


def _is_place(place: tuple[Any, ...], index: Any) -> bool:
    """Whether a view was taken by this very index."""
    primitive, *operands = place
    return primitive is PRIMITIVES["getitem"] and _is_same(operands[0], index)


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if is_tuple(one) and is_tuple(other):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if is_slice(one) and is_slice(other):
        return all(map(_is_same, (one.start, one.stop, one.step), (other.start, other.stop, other.step)))
    return isinstance(one, (int, np.integer)) and isinstance(other, (int, np.integer)) and one == other


def slot(owner: Any, name: str, default: Any) -> Any:
    """The content of a slot that may not be set."""
    try:
        return object.__getattribute__(owner, name)
    except AttributeError:
        return default
