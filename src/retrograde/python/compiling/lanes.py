"""Sums that processors add several numbers at a time: element k goes to lane k modulo the number of lanes.

A loop that adds into one number waits for each addition before the next, and a compiler may not change that: the bits
would be others. Here the order is given beforehand, by the number of elements alone, so that it is the same wherever
the sum stands, and machine code for it needs no leave to reorder anything.
"""

# Numba's types and LLVM's builder are not typed.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

_VECTOR_BYTES = 64
_CHAINS = 4
"""How many vectors are added to in turns: an addition takes about that long."""


def product_sum(x: Any, x_start: Any, y: Any, y_start: Any, count: int) -> Any:
    """The sum of the products of elements in a row of two C-contiguous arrays.

    Args:
        x: an array of float64 or float32.
        x_start: the indices of the first element.
        y: another, of the same dtype.
        y_start: as `x_start`.
        count: how many elements there are; below 1 the sum is 0.

    Returns:
        A number of that dtype.

    Example:
        >>> x = np.arange(6.0).reshape(2, 3)
        >>> float(product_sum(x, (0, 1), x, (1, 0), 2))
        11.0
    """
    return np.sum(_row(x, x_start, count) * _row(y, y_start, count))


def product_sum_backward(x: Any, x_start: Any, y: Any, y_start: Any, count: int) -> Any:
    """The same, with `y` read backward from its first element.

    Example:
        >>> x = np.arange(6.0).reshape(2, 3)
        >>> float(product_sum_backward(x, (0, 1), x, (1, 1), 2))
        10.0
    """
    *rows, last = y_start
    return np.sum(_row(x, x_start, count) * y[tuple(rows)][max(last - count + 1, 0) : last + 1][::-1])


def row_sum(x: Any, x_start: Any, count: int) -> Any:
    """The sum of elements in a row of a C-contiguous array.

    Example:
        >>> float(row_sum(np.arange(6.0).reshape(2, 3), (0, 1), 2))
        3.0
    """
    return np.sum(_row(x, x_start, count))


def sum_along(x: Any, x_start: Any, x_step: Any, count: int) -> Any:
    """The sum of elements of a C-contiguous array, from one to the next by a step along each axis.

    Example:
        >>> float(sum_along(np.arange(6.0).reshape(2, 3), (0, 1), (1, 0), 2))
        5.0
    """
    return np.sum(_elements(x, x_start, x_step, count))


def product_sum_along(x: Any, x_start: Any, x_step: Any, y: Any, y_start: Any, y_step: Any, count: int) -> Any:
    """The sum of the products of such elements of two arrays.

    Example:
        >>> x = np.arange(6.0).reshape(2, 3)
        >>> float(product_sum_along(x, (0, 1), (0, 1), x, (0, 2), (1, 0), 2))
        12.0
    """
    return np.sum(_elements(x, x_start, x_step, count) * _elements(y, y_start, y_step, count))


def _elements(array: Any, start: Any, step: Any, count: int) -> Any:
    at = np.arange(max(count, 0))
    return array[tuple(first + at * each for first, each in zip(start, step, strict=True))]


def _row(array: Any, start: Any, count: int) -> Any:
    *rows, first = start
    return array[tuple(rows)][int(first) : int(first) + max(count, 0)]


SUMS = {
    function.__name__: function
    for function in (row_sum, product_sum, product_sum_backward, sum_along, product_sum_along)
}
"""By the names that texts use."""


@cache
def declare() -> None:
    """Have Numba compile calls of these."""
    from numba import types
    from numba.extending import lower_builtin, type_callable

    element, step = [types.Array, types.BaseTuple], types.BaseTuple
    for function, rows in (
        (row_sum, element),
        (product_sum, element * 2),
        (product_sum_backward, element * 2),
        (sum_along, [*element, step]),
        (product_sum_along, [*element, step] * 2),
    ):
        type_callable(function)(_typer(len(rows) + 1))
        lower_builtin(function, *rows, types.Integer)(_lowering(function))


def _typer(count: int) -> Any:
    """What tells the type of a sum: a function of so many types."""

    def typer(context: Any) -> Any:
        del context
        if count == 3:
            return lambda x, x_start, count: x.dtype
        if count == 4:
            return lambda x, x_start, x_step, count: x.dtype
        if count == 5:
            return lambda x, x_start, y, y_start, count: x.dtype
        return lambda x, x_start, x_step, y, y_start, y_step, count: x.dtype

    return typer


def _lowering(function: Any) -> Any:
    """What puts a sum into a function that is being compiled."""
    width = 3 if function in (sum_along, product_sum_along) else 2

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *parts, count = arguments
        *kinds, count_type = signature.args
        from numba import types

        count = context.cast(builder, count, count_type, types.intp)
        element = context.get_data_type(signature.return_type)
        size_bytes = context.get_abi_sizeof(element)
        rows: list[_Row] = []
        for at in range(0, len(parts), width):
            pointer, step = _place(context, builder, kinds[at : at + width], parts[at : at + width], size_bytes)
            backward = function is product_sum_backward and at > 0
            rows.append(_Row(builder, pointer, element, size_bytes, step, backward))
        return _called(builder, rows, count)

    return lower


def _place(context: Any, builder: Any, kinds: Any, parts: Any, size_bytes: int) -> tuple[Any, Any]:
    """A pointer to the first element of a row, and the step to the next in elements of the memory, if one is given."""
    from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
    from numba.core import cgutils

    array_type, *tuple_types = kinds
    array, *tuples = parts
    made: Any = context.make_array(array_type)(context, builder, array)
    start, *steps = [_integers(context, builder, *pair) for pair in zip(tuples, tuple_types, strict=True)]
    pointer = cgutils.get_item_pointer(context, builder, array_type, made, start, wraparound=False)
    if not steps:
        return pointer, None
    total = ir.Constant(steps[0][0].type, 0)
    for step, stride in zip(steps[0], cgutils.unpack_tuple(builder, made.strides), strict=True):
        total = builder.add(total, builder.mul(step, stride))
    return pointer, builder.sdiv(total, ir.Constant(total.type, size_bytes))


def _called(builder: Any, rows: list[_Row], count: Any) -> Any:
    """A sum as the call of a function, of which there is one in a module: its instructions are many."""
    from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
    from numba.core import cgutils

    element = rows[0].element
    operands = [operand for row in rows for operand in row.operands]
    kind = ir.FunctionType(element, [*(operand.type for operand in operands), count.type])
    name = "_".join(["retrograde_sum", *(row.way for row in rows), str(element)])
    made = cgutils.get_or_insert_function(builder.module, kind, name)
    if made.is_declaration:
        made.linkage = "linkonce_odr"
        made.attributes.add("noinline")
        inner = ir.IRBuilder(made.append_basic_block("entry"))
        *given, length = made.args
        arguments = iter(given)
        inner.ret(_Sum(inner, [row.within(inner, arguments) for row in rows], length).total())
    return builder.call(made, [*operands, count])


class _Row:
    """Elements of an array one after the other, backward, or at a step."""

    def __init__(
        self, builder: Any, pointer: Any, element: Any, size_bytes: int, step: Any = None, backward: bool = False
    ) -> None:
        self.builder = builder
        self.pointer = pointer
        self.element = element
        self.bytes = size_bytes
        self.step = step
        self.backward = backward
        self.operands = [pointer] if step is None else [pointer, step]
        self.way = "along" if step is not None else "backward" if backward else "forward"

    def within(self, builder: Any, arguments: Iterator[Any]) -> _Row:
        """The same row inside of a function that is called with its operands."""
        pointer = next(arguments)
        step = None if self.step is None else next(arguments)
        return _Row(builder, pointer, self.element, self.bytes, step, self.backward)

    def one(self, at: Any) -> Any:
        """An element."""
        if self.step is not None:
            at = self.builder.mul(at, self.step)
        at = self.builder.neg(at) if self.backward else at
        return self.builder.load(self.builder.gep(self.pointer, [at]))

    def several(self, at: Any, lanes: int) -> Any:
        """A vector of elements."""
        from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]

        builder, integer = self.builder, at.type
        if self.step is not None:
            found = ir.Constant(ir.VectorType(self.element, lanes), ir.Undefined)
            for lane in range(lanes):
                value = self.one(builder.add(at, ir.Constant(integer, lane)))
                found = builder.insert_element(found, value, ir.Constant(ir.IntType(32), lane))
            return found
        if self.backward:
            at = builder.sub(builder.neg(at), ir.Constant(integer, lanes - 1))
        vector = ir.VectorType(self.element, lanes)
        place = builder.bitcast(builder.gep(self.pointer, [at]), vector.as_pointer())
        found = builder.load(place, align=self.bytes)
        if not self.backward:
            return found
        turned = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(lanes))[::-1])
        return builder.shuffle_vector(found, ir.Constant(vector, ir.Undefined), turned)


def _integers(context: Any, builder: Any, tuple_: Any, kinds: Any) -> list[Any]:
    from numba import types
    from numba.core import cgutils

    parts = cgutils.unpack_tuple(builder, tuple_, len(kinds))
    return [context.cast(builder, part, kind, types.intp) for part, kind in zip(parts, kinds, strict=True)]


class _Sum:
    """Instructions for a sum: blocks of several vectors, then single vectors, then single elements."""

    def __init__(self, builder: Any, rows: list[_Row], count: Any) -> None:
        from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]

        self.builder = builder
        self.rows = rows
        self.count = count
        self.integer = count.type
        self.element = rows[0].element
        self.lanes = _VECTOR_BYTES // rows[0].bytes
        self.vector = ir.VectorType(self.element, self.lanes)

    def total(self) -> Any:
        """The sum."""
        from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
        from numba.core import cgutils

        builder = self.builder
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        chains = [cgutils.alloca_once_value(builder, zeros) for _ in range(_CHAINS)]
        result = cgutils.alloca_once_value(builder, ir.Constant(self.element, 0.0))
        no, zero = self._constant(0), builder.icmp_signed("<", self.count, self._constant(self.lanes))
        with builder.if_then(builder.not_(zero)):
            done = self._through(no, self.lanes * _CHAINS, chains)
            one, two, three, four = map(builder.load, chains)
            builder.store(builder.fadd(builder.fadd(one, three), builder.fadd(two, four)), chains[0])
            self._through(done, self.lanes, chains[:1])
            builder.store(self._across(builder.load(chains[0])), result)
        rest = builder.sub(self.count, builder.srem(self.count, self._constant(self.lanes)))
        first = builder.select(zero, no, rest)
        with self._loop(first, self.count, 1) as at:
            builder.store(builder.fadd(builder.load(result), self._product([row.one(at) for row in self.rows])), result)
        return builder.load(result)

    def _through(self, start: Any, width: int, chains: list[Any]) -> Any:
        """Add whole blocks from an index on; the index behind them."""
        builder = self.builder
        left = builder.sub(self.count, start)
        stop = builder.add(start, builder.sub(left, builder.srem(left, self._constant(width))))
        with self._loop(start, stop, width) as at:
            for number, chain in enumerate(chains):
                place = builder.add(at, self._constant(number * self.lanes))
                share = self._product([row.several(place, self.lanes) for row in self.rows])
                builder.store(builder.fadd(builder.load(chain), share), chain)
        return stop

    def _across(self, vector: Any) -> Any:
        """The sum of the lanes: halves are added until one is left."""
        from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]

        lanes = [self.builder.extract_element(vector, ir.Constant(ir.IntType(32), at)) for at in range(self.lanes)]
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = [self.builder.fadd(*pair) for pair in zip(lanes[:half], lanes[half:], strict=True)]
        return lanes[0]

    def _product(self, values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else self.builder.fmul(*values)

    def _constant(self, value: int) -> Any:
        from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]

        return ir.Constant(self.integer, value)

    def _loop(self, start: Any, stop: Any, step: int) -> Any:
        from contextlib import contextmanager

        from numba.core import cgutils

        @contextmanager
        def loop() -> Any:
            with cgutils.for_range_slice(self.builder, start, stop, self._constant(step), inc=True) as (at, _):
                yield at

        return loop()


__all__ = ["SUMS", "declare", "product_sum", "product_sum_along", "product_sum_backward", "row_sum", "sum_along"]
