"""A tracked array: it records on its tape what is computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from retrograde.autodiff.cotangents import Parts
from retrograde.autodiff.tape.recipes import Recipe, recipe_of
from retrograde.autodiff.tape.residuals import LARGE_BYTES, Origin, selected
from retrograde.program.array_like import ArrayLike, holds_number
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.in_place import slot
from retrograde.program.kinds import OTHER_MEANING, other_meaning
from retrograde.program.ownership import ALONE, getrefcount, is_writable
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.types import is_differentiable

if TYPE_CHECKING:
    from retrograde.autodiff.tape.gradient_tape import GradientTape

_UNKNOWN: Any = object()
_USUAL = (np.ndarray, np.float64)


class Node:
    """Where a tracked array came from: one recorded operation, or a source.

    Nodes know the nodes they were computed from, and nobody knows all nodes: what no result needs any more is gone at
    once.

    Attributes:
        tape: the tape it is recorded on.
        index: when it was recorded; larger than that of every parent.
        parents: the nodes of the tracked operands.
        pulls: for each parent, what makes its cotangent.
        kept: the residuals; or what has a method `restore` that gives them.
        shape, dtype: of the value, which the node itself does not hold.
        origin: of a large value, how it could be made again.
    """

    __slots__ = ("dtype", "index", "kept", "origin", "parents", "pulls", "shape", "tape")

    def __init__(
        self,
        tape: GradientTape,
        parents: tuple[Node, ...],
        pulls: tuple[Any, ...],
        kept: Any,
        value: Any,
        origin: Origin | None = None,
    ) -> None:
        self.tape = tape
        self.parents = parents
        self.pulls = pulls
        self.kept = kept
        self.shape = value.shape
        self.dtype = value.dtype
        self.index = tape.next_index()
        self.origin = origin

    def free(self) -> None:
        """Let go of everything, after the backward pass has passed."""
        self.parents, self.pulls, self.kept, self.origin = (), (), None, None


class TrackedArray(ArrayLike):
    """An array whose uses a `GradientTape` records. `tape.watch` makes one; NumPy functions and operators make more.

    Attributes:
        value: the array inside: a plain one, or a tracked one of an outer tape.
        node: where it came from.
        watched_at: of what `tape.watch` returned, its first node; otherwise not set.
    """

    __slots__ = ("node", "value", "watched_at")
    _state = ("value", "node")
    kind: ClassVar[str] = "a tracked array"

    value: Any
    node: Node
    watched_at: Node

    def __init__(self, value: Any, node: Node) -> None:
        self.value = value
        self.node = node

    @property
    def level(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The level of its tape."""
        return self.node.tape.level

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes."""
        return self.node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.node.dtype

    def __repr__(self) -> str:
        return f"tracked({self.value!r})"

    def __bool__(self) -> bool:
        return bool(self.value)

    def is_rewritten(self) -> bool:
        """Whether it was watched, and written in place since."""
        return slot(self, "watched_at", self.node) is not self.node

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Evaluate an operation on what is inside its operands, and record it."""
        tape = self.node.tape
        values: list[Any] = []
        parents: list[Node] = []
        mask = 0
        bit = 1
        for operand in operands:
            if type(operand) is TrackedArray and operand.node.tape is tape:
                values.append(operand.value)
                parents.append(operand.node)
                mask |= bit
            else:
                if isinstance(operand, Intercepting):
                    if operand.level > tape.level:
                        return operand.process(primitive, operands, static)
                    tape.flat = False
                values.append(operand)
            bit <<= 1
        out = primitive.evaluate(*values, **static) if tape.flat else apply(primitive, tuple(values), static)
        recipe: Recipe | None = primitive.recipes.get(mask, _UNKNOWN)
        if recipe is _UNKNOWN:
            recipe = recipe_of(primitive, mask)
        if recipe is None or not tape.recording:
            return out
        return _recorded(tape, recipe, primitive, operands, values, parents, static, out)

    def _updated(self, index: Any, value: Any) -> Any:
        """The array after a write: written into where nobody else holds it, as no residual then does."""
        update = PRIMITIVES["update"]
        tape = self.node.tape
        own = not isinstance(value, Intercepting) or (type(value) is TrackedArray and value.node.tape is tape)
        if own and tape.flat and getrefcount(self.value) == ALONE and is_writable(self.value):
            if self.node.origin is not None:
                self.node.origin.forget()
            update = update.overwriting or update
        return update(self, index, value)

    def is_number(self) -> bool:
        """Whether the value is a number, which `+=` replaces and does not change."""
        return holds_number(self.value)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> TrackedArray:
        """Zeros on the same tape: a constant, into which tracked values can be written."""
        value = np.zeros_like(self.value, dtype=dtype, shape=shape)
        return TrackedArray(value, Node(self.node.tape, (), (), None, value))


def _recorded(
    tape: GradientTape,
    recipe: Recipe,
    primitive: Primitive,
    operands: tuple[Any, ...],
    values: list[Any],
    parents: list[Node],
    static: Mapping[str, Any],
    out: Any,
) -> Any:
    """The result of an operation, with the node that remembers it.

    Raises:
        UsageError: the result is of a subclass of NumPy's arrays whose operations mean something else.
    """
    if type(out) not in _USUAL and isinstance(out, OTHER_MEANING):
        raise other_meaning(out)
    kept: Any = recipe.keep(values, out, static) if recipe.keep else None
    if recipe.last is not None:
        parents.append(parents.pop(recipe.last))
    if primitive.outputs:
        return _several_recorded(Node(tape, tuple(parents), recipe.pulls, kept, Parts), out)
    if out.dtype.kind != "f" and not is_differentiable(out.dtype):
        return out
    origin = None
    if tape.flat and (tape.large or (type(out) is np.ndarray and out.nbytes >= LARGE_BYTES)):
        tape.large += 1
        kept, origin = selected(recipe, kept, primitive, operands, values, static, out)
    tracked = TrackedArray(out, Node(tape, tuple(parents), recipe.pulls, kept, out, origin))
    if primitive.views is not None and out.ndim and primitive.views(*operands):
        tracked.note_view_of(operands[0], (primitive, *operands[1:]))
    return tracked


def _several_recorded(operation: Node, results: tuple[Any, ...]) -> tuple[Any, ...]:
    """The results of an operation that has several: each with a node of its own, if it can have a derivative."""
    return tuple(
        TrackedArray(result, Node(operation.tape, (operation,), (Parts.of(place, len(results)),), None, result))
        if is_differentiable(result.dtype)
        else result
        for place, result in enumerate(results)
    )
