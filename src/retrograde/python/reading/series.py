"""Comprehensions over what only the run knows the length of: a loop that fills an array."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from retrograde.program.model import Block
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType
from retrograde.python.reading import names
from retrograde.python.reading.changes import State, seen
from retrograde.python.reading.iteration import Turns, turns_of
from retrograde.python.reading.kinds import ArrayLeaf, NumberLeaf, general, leaf_type
from retrograde.python.reading.loops import LoopReading, loop_key
from retrograde.python.reading.regions import branch
from retrograde.python.reading.signals import NeedsUnrolling
from retrograde.python.reading.truth import truth
from retrograde.python.reading.values import Array, Number, call

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

_MADE = "elements so far"
_TOTAL = "sum so far"
_FEW = 32


class Series:
    """A list whose length only the run knows.

    What is asked of it besides its elements, in order or by an index, and an array of them makes the loop be read once
    for each element, so that there is a list.

    Attributes:
        array: its elements.
        count: how many there are.
        kind: of numbers of Python their type.
        key: the loop that made it.
    """

    def __init__(self, array: Array, count: Any, kind: type | None, key: Any) -> None:
        self.array = array
        self.count = count
        self.kind = kind
        self.key = key

    def element(self, index: Any) -> Any:
        """The element of an index."""
        found = self.array[index]
        return self.array.heap.number(found.symbol, self.kind) if self.kind is not None else found

    @property
    def turns(self) -> Turns:
        """Going through it."""
        return Turns(self.count, self.element)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, Number)):
            return self.element(index)
        return self.refuse()

    def refuse(self, *_: Any) -> NoReturn:
        """Have it made a list."""
        raise NeedsUnrolling(
            self.key,
            "a list is made whose length only the run knows, and used as more than a sequence; make an array "
            "(np.empty) and write its elements in a loop",
            at_once=True,
        )

    __add__ = __radd__ = __mul__ = __rmul__ = __iter__ = __len__ = __bool__ = __array__ = refuse  # pyright: ignore
    __contains__ = __setitem__ = __delitem__ = __lt__ = __gt__ = __eq__ = __ne__ = refuse  # pyright: ignore
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.refuse()


def series(reader: Reader, node: ast.ListComp | ast.GeneratorExp) -> Series | None:
    """A comprehension as a loop; None if it is to be read once for each element.

    Args:
        reader: the reader.
        node: the comprehension.
    """
    found = None if node.generators[0].ifs else _turns(reader, node)
    if found is None:
        return None
    turns, key = found
    kind, leaf = _element(reader, node, turns, key)
    sizes = leaf.sizes if isinstance(leaf, ArrayLeaf) else ()
    builder = reader.builder
    if not all(map(builder.sizes.is_named, sizes)):
        message = "the arrays of a list have sizes that only the run knows; write them into an array"
        raise NeedsUnrolling(key, message, at_once=True)
    shape = (reader.heap.symbol(turns.count), *map(builder.sizes.named, sizes))
    found_names = reader.frame.names
    found_names[_MADE] = made = reader.heap.array(builder.zeros(shape, leaf_type(leaf).dtype))

    def body(index: Any) -> None:
        names.assign(reader, node.generators[0].target, turns.element(index))
        found_names[_MADE][index] = reader.evaluate(node.elt)

    with names.inner_scope(reader, node.generators):
        LoopReading(reader, key, turns.count, body, None, frozenset(), _hint(node, turns)).read()
    del found_names[_MADE]
    return Series(made, turns.count, kind, key)


def summed(reader: Reader, node: ast.GeneratorExp | ast.ListComp, start: Any) -> Any:
    """`sum` of a comprehension as a loop; None if it is to be read once for each element."""
    found = _turns(reader, node)
    if found is None:
        return None
    turns, key = found
    found_names = reader.frame.names
    found_names[_TOTAL] = start

    def add() -> None:
        found_names[_TOTAL] = found_names[_TOTAL] + reader.evaluate(node.elt)

    def added(conditions: Sequence[ast.expr]) -> None:
        if not conditions:
            add()
            return
        condition = truth(reader, reader.evaluate(conditions[0]))
        branch(reader, condition, lambda: added(conditions[1:]), lambda: None)

    def body(index: Any) -> None:
        names.assign(reader, node.generators[0].target, turns.element(index))
        added(node.generators[0].ifs)

    with names.inner_scope(reader, node.generators):
        LoopReading(reader, key, turns.count, body, None, frozenset(), _hint(node, turns)).read()
    return names.present("a sum", found_names.pop(_TOTAL))


def _hint(node: ast.ListComp | ast.GeneratorExp, turns: Turns) -> str:
    target = node.generators[0].target
    return target.id if turns.simple and isinstance(target, ast.Name) else ""


def _turns(reader: Reader, node: ast.ListComp | ast.GeneratorExp) -> tuple[Turns, Any] | None:
    key = loop_key(reader, node)
    if len(node.generators) != 1 or key in reader.assumptions.unrolled:
        return None
    turns = turns_of(reader, reader.evaluate(node.generators[0].iter))
    few = turns is None or (isinstance(turns.count, int) and turns.count <= _FEW)
    if turns is None or (few and not node.generators[0].ifs):
        return None
    return turns, key


def _element(reader: Reader, node: Any, turns: Turns, key: Any) -> tuple[type | None, NumberLeaf | ArrayLeaf]:
    """What the elements are: found out by reading one."""
    builder = reader.builder
    back, state = builder.checkpoint(), State(reader)
    index = builder.variable(ArrayType(np.dtype(np.int64)))
    reader.indices[index] = key
    with builder.inside(Block()), names.inner_scope(reader, node.generators):
        names.assign(reader, node.generators[0].target, turns.element(reader.heap.number(Symbol(builder, index), int)))
        leaf = general(seen(reader.evaluate(node.elt)))
    state.restore()
    back()
    if not isinstance(leaf, (NumberLeaf, ArrayLeaf)):
        message = "a list of other things than numbers and arrays has a length that only the run knows"
        raise NeedsUnrolling(key, message, at_once=True)
    return leaf.weak if isinstance(leaf, NumberLeaf) else None, leaf


def opened(value: Any) -> Any:
    """An array in place of a list whose length only the run knows: what NumPy makes of it."""
    return value.array.copy() if isinstance(value, Series) else value


def _put_together(reader: Reader, function: Any, value: Series, axis: int = 0) -> Any:
    """`np.stack`, `np.concatenate` and `np.vstack` of the list."""
    array = value.array.copy()
    if function is np.stack:
        return array if axis == 0 else call(reader.heap, np.moveaxis, (array, 0, axis), {}).copy()
    if function is np.vstack and array.ndim == 2:
        return array
    if function is np.concatenate and axis == 0 and array.ndim > 1:
        return call(reader.heap, np.reshape, (array, (-1, *array.shape[2:])), {})
    return value.refuse()


def _reduced(reader: Reader, function: Any, value: Series, **options: Any) -> Any:
    """`max`, `min`, `all`, `any` of the list."""
    if options:
        value.refuse()
    result = call(reader.heap, _REDUCTIONS[function], (value.array,), {})
    return reader.heap.number(result.symbol, value.kind if function in (max, min) else bool)


_REDUCTIONS: dict[Any, Any] = {max: np.max, min: np.min, all: np.all, any: np.any}

OF_SERIES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys((np.stack, np.concatenate, np.vstack), _put_together),
}
"""What is done instead, where functions are called with a list whose length only the run knows."""
