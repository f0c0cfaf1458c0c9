"""What a recording keeps of large arrays: not what is quickly made again from what it keeps anyway.

A fresh array of some size costs more than the additions that fill it: the system has to hand out and clear its pages.
So a value that a rule reads is not kept where a few cheap operations make it again, bit for bit, from arrays that are
held without it. (Cheap operations as the first to recompute: Chen et al. 2016, "Training deep nets with sublinear
memory cost", section 3.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from weakref import ref

from numpy import dtype, ndarray, ufunc

from retrograde.autodiff.tape.kept import Later, residuals_of
from retrograde.autodiff.tape.recipes import Recipe
from retrograde.program.primitive import PRIMITIVES, Primitive

LARGE_BYTES = 1 << 15
"""From this size on, a value is worth a thought."""

_ALLOWANCE = 4
"""How much it may cost to make a value again."""

_READERS = 6
"""So many readers may each have a value made again; then it is held."""

_COSTS: dict[str, int] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "negative", "positive", "conjugate", "maximum"), 1),
    **dict.fromkeys(("minimum", "absolute", "square", "reciprocal", "clip", "astype"), 1),
    **dict.fromkeys(("where", "sign", "sqrt", "exp"), 3),
}
"""What operations cost, in additions; those that are not here are too slow to be done again."""


_LONG_ROW = 32


class Origin:
    """Where a large value came from, and whether it is held.

    It holds no large array: only when a rule has to read the value again, does anything.

    Attributes:
        array: a weak reference to the value.
        held: whether a residual, or the caller, holds the value.
        primitive, operands, static: what made it; None where that is not cheap. A large operand is there as an origin,
            or, if it was not recorded and nobody can write it, as a weak reference.
        cost: of that operation; 0 for a view.
        uses: how many cheap operations used it.
        readers: how many residuals have it made again.
        shape, dtype: of the value.
    """

    __slots__ = ("array", "cost", "dtype", "held", "operands", "primitive", "readers", "shape", "static", "uses")

    def __init__(self, value: Any, *, held: bool = False) -> None:
        self.array = ref(value)
        self.shape: tuple[int, ...] = value.shape
        self.dtype: dtype[Any] = value.dtype
        self.held = held
        self.primitive: Primitive | None = None
        self.operands: Sequence[Any] = ()
        self.static: Mapping[str, Any] = {}
        self.cost = 0
        self.uses = 0
        self.readers = 0

    def follow(self, primitive: Primitive, operands: Sequence[Any], static: Mapping[str, Any], cost: int) -> None:
        """Remember what made the value."""
        self.primitive, self.operands, self.static, self.cost = primitive, operands, static, cost
        for operand in operands:
            if type(operand) is Origin:
                operand.uses += 1

    def keep(self, value: Any, made: dict[Origin, Remade]) -> Any:
        """What a residual has to hold to have the value: the value, or what makes it again.

        Args:
            value: the value.
            made: what residuals of the same operation have made again.
        """
        search = _Search(value.nbytes, made)
        found = search.part(self)
        if found is _NOTHING:
            self.hold(value)
            return value
        search.settle()
        return found

    def forget(self) -> None:
        """Forget the array, which is to be written."""
        self.array = _nowhere

    def hold(self, value: Any) -> None:
        """Remember that a residual holds the value, and with a view the array that it is of."""
        origin = self
        origin.held = True
        while value.base is not None and origin.operands and type(origin.operands[0]) is Origin:
            origin = origin.operands[0]
            origin.held = True


def _nowhere() -> None:
    return None


_NOTHING: Any = object()


class _Search:
    """A search for what makes a value again from values that are held."""

    def __init__(self, nbytes: int, made: dict[Origin, Remade]) -> None:
        self.allowance = _ALLOWANCE
        self.most_bytes = 1.25 * nbytes
        self.made = made
        self.made_before = len(made)
        self.adopted: Origin | None = None

    def part(self, operand: Any) -> Any:
        """What has the value of an operand: itself, or what makes it again; _NOTHING if that takes too much."""
        if type(operand) is ref:
            alive: Any = operand()  # pyright: ignore[reportUnknownVariableType]
            return _NOTHING if alive is None else alive  # pyright: ignore[reportUnknownVariableType]
        if type(operand) is not Origin:
            return operand
        if operand.held and (value := operand.array()) is not None:
            return value
        made = self.made.get(operand)
        if made is not None:
            made.uses += 1
            return made
        found = self._made(operand)
        return self._adopt(operand) if found is _NOTHING else found

    def _made(self, origin: Origin) -> Any:
        if origin.primitive is None or origin.cost > self.allowance or (origin.cost and origin.readers >= _READERS):
            return _NOTHING
        self.allowance -= origin.cost
        parts: list[Any] = []
        for operand in origin.operands:
            found = self.part(operand)
            if found is _NOTHING:
                return _NOTHING
            parts.append(found)
        made = self.made[origin] = Remade(origin, tuple(parts))
        return made

    def _adopt(self, origin: Origin) -> Any:
        if self.adopted not in (None, origin) or origin.uses < 2:
            return _NOTHING
        value = origin.array()
        if value is None or value.base is not None or value.nbytes > self.most_bytes:
            return _NOTHING
        self.adopted = origin
        return value

    def settle(self) -> None:
        """Take what was found."""
        if self.adopted is not None:
            self.adopted.held = True
        for origin in islice(self.made, self.made_before, None):
            origin.readers += 1


class Remade(Later):
    """A value that is made again when a rule reads it."""

    __slots__ = ("evaluate", "form", "operands", "static", "uses")

    def __init__(self, origin: Origin, operands: tuple[Any, ...]) -> None:
        assert origin.primitive is not None
        self.evaluate = origin.primitive.evaluate
        self.form = (origin.shape, origin.dtype)
        self.operands = operands
        self.static = origin.static
        self.uses = 1

    def value(self, done: dict[Remade, Any]) -> Any:
        """Make it, or take it from what was made before."""
        found = done.get(self)
        if found is None:
            operands = [part.value(done) if type(part) is Remade else part for part in self.operands]
            place = self._place(operands) if type(self.evaluate) is ufunc else None
            found = self.evaluate(*operands, **self.static) if place is None else self.evaluate(*operands, out=place)
            if self.uses > 1:
                done[self] = found
        return found

    def _place(self, operands: list[Any]) -> Any:
        """An operand that was made for this one only, and has room for it."""
        # Complex products round otherwise in place.
        if self.form[1].kind != "f":
            return None
        for part, value in zip(self.operands, operands, strict=True):
            if (
                type(part) is Remade
                and part.uses == 1
                and value.base is None
                and (value.shape, value.dtype) == self.form
            ):
                return value
        return None


def is_large(value: Any) -> bool:
    """Whether a value is a NumPy array worth a thought."""
    return type(value) is ndarray and value.nbytes >= LARGE_BYTES


def origin_of_source(value: Any) -> Origin | None:
    """Of a large watched array: it is the caller's, and held by him."""
    return Origin(value, held=True) if is_large(value) else None


def selected(
    recipe: Recipe,
    kept: tuple[Any, ...] | None,
    primitive: Primitive,
    operands: tuple[Any, ...],
    values: list[Any],
    static: Mapping[str, Any],
    out: Any,
) -> tuple[Any, Origin | None]:
    """What to keep of an operation's residuals, and the origin of its result."""
    sources: list[Any] = []
    for operand, value in zip(operands, values, strict=True):
        sources.append(_source(operand, value))
    items = list(kept or ())
    made: dict[Origin, Remade] = {}
    for at, place in enumerate(recipe.places):
        if place is not None and place >= 0 and type(source := sources[place]) is Origin:
            items[at] = source.keep(items[at], made)
    origin = None
    if is_large(out):
        origin = _origin_of_result(out, primitive, sources, static)
        if -1 in recipe.places:
            items[recipe.places.index(-1)] = origin.keep(out, made)
    if not items:
        return None, origin
    return residuals_of(items), origin


def _source(operand: Any, value: Any) -> Any:
    """What an operand is made again from: its origin, if it is large and recorded.

    A plain array may be written by its owner. So it is no source but where it cannot be written, or, if it is small, as
    a copy.
    """
    if type(value) is not ndarray:
        return value
    if operand is not value:
        return _origin_of(operand.node, value) if is_large(value) else value
    if not value.flags.writeable and value.base is None:
        return ref(value)
    return _NOTHING if is_large(value) else value.copy()


def _origin_of(node: Any, value: Any) -> Origin:
    if node.origin is None:
        node.origin = Origin(value)
    return node.origin


def _origin_of_result(out: Any, primitive: Primitive, sources: list[Any], static: Mapping[str, Any]) -> Origin:
    if type(sources[0]) is Origin and sources[0].array() is out:
        return sources[0]
    origin = Origin(out)
    cost = 0 if primitive.views is not None and out.base is not None else _COSTS.get(primitive.name)
    if cost is not None and PRIMITIVES.get(primitive.name) is primitive and not (cost and _is_slow(out, sources)):
        origin.follow(primitive, sources, static, cost)
    return origin


def _is_slow(out: Any, sources: list[Any]) -> bool:
    """Whether NumPy broadcasts within short rows, each of which it begins anew."""
    if out.ndim < 2 or out.shape[-1] >= _LONG_ROW:
        return False
    return any(getattr(source, "shape", ()) not in ((), out.shape) for source in sources)
