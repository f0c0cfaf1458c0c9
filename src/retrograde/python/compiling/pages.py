"""Large arrays in large pages of memory.

A new array costs a page fault for every 4 KiB that are written first, which can take longer than computing what is
written. NumPy asks for pages of 2 MiB where an array has 4 MiB or more; arrays that compiled code makes do without,
unless it asks as well.
"""

# Numba's types and LLVM's builder are not typed.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

import sys
from functools import cache
from typing import Any

LEAST_BYTES = 4 << 20
"""Smaller arrays are left alone, as NumPy leaves them."""
_PAGE_BYTES = 4096
_MADV_HUGEPAGE = 14


def in_large_pages(array: Any) -> None:
    """Have the memory of a new array, if it is large, come in large pages. Nothing happens but on Linux.

    NumPy's own arrays need no asking: outside of compiled code this does nothing.
    """
    del array


@cache
def declare() -> None:
    """Have Numba compile calls of it."""
    from numba import types
    from numba.extending import lower_builtin, type_callable

    def typer(context: Any) -> Any:
        del context
        return lambda array: types.none

    type_callable(in_large_pages)(typer)
    lower_builtin(in_large_pages, types.Array)(_lower)


def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
    from numba.core import cgutils

    if sys.platform == "linux":
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        integer = array.nitems.type
        size_bytes = builder.mul(array.nitems, array.itemsize)
        large = builder.icmp_signed(">=", size_bytes, ir.Constant(integer, LEAST_BYTES))
        with builder.if_then(large, likely=False):
            pointer = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.IntType(32), [pointer, integer, ir.IntType(32)])
            madvise = cgutils.get_or_insert_function(builder.module, kind, "madvise")
            start = builder.ptrtoint(array.data, integer)
            first = builder.and_(
                builder.add(start, ir.Constant(integer, _PAGE_BYTES)), ir.Constant(integer, -_PAGE_BYTES)
            )
            length = builder.sub(size_bytes, builder.sub(first, start))
            builder.call(
                madvise, [builder.inttoptr(first, pointer), length, ir.Constant(ir.IntType(32), _MADV_HUGEPAGE)]
            )
    return context.get_dummy_value()
