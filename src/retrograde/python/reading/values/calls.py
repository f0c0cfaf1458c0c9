"""Calls of functions that are not read: NumPy's, retrograde's, Python's own, on what is under reading."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.in_place import slot
from retrograde.program.kinds import is_list, is_ndarray, is_slice, is_tuple
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import NotConstant, Symbol
from retrograde.python.reading.signals import NeedsStatic
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.distributions import of_normal
from retrograde.python.reading.values.fitting import check_kind
from retrograde.python.reading.values.handle import Handle, Value
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import Number
from retrograde.python.reading.values.operations import opened as stacked
from retrograde.python.reading.values.operations import operands
from retrograde.python.reading.values.views import View

Replacement = Callable[..., Any]

REPLACEMENTS: dict[Any, Replacement] = {}
"""Functions that are called in another way: with the heap, and then the arguments."""


def replaces(*functions: Any) -> Callable[[Replacement], Replacement]:
    """Say that a function is called in the place of others, with the heap as its first argument."""

    def declare(replacement: Replacement) -> Replacement:
        REPLACEMENTS.update(dict.fromkeys(functions, replacement))
        return replacement

    return declare


_WITHOUT_AXES = frozenset({np.where, np.reshape, np.squeeze, np.transpose, np.select, np.choose, np.broadcast_to})
"""Functions whose results without axes are arrays, not numbers."""

_PROMOTING: dict[Any, tuple[int, ...]] = {np.where: (1, 2), np.clip: (0, 1, 2)}
"""Of functions that are no ufuncs, the arguments that are promoted together."""


def call(heap: Heap, function: Any, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None) -> Any:
    """What a function gives that is not itself read: its result under reading.

    Args:
        heap: the array objects.
        function: of NumPy, of Python, of retrograde, or a method.
        arguments: its arguments.
        keywords: its arguments by name.

    Raises:
        NeedsStatic: it takes the value of a number that only the run knows.
        UnsupportedError: nothing stands for it in a program.
    """
    keywords = keywords or {}
    replacement = _replacement(function)
    if replacement is not None:
        return replacement(heap, *arguments, **keywords)
    if isinstance(function, Method) or isinstance(getattr(function, "__self__", None), Value):
        return function(*arguments, **keywords)
    if not (_holds_handle(arguments) or _holds_handle(tuple(keywords.values()))):
        return heap.wrap(function(*arguments, **keywords))
    return called(heap, function, arguments, keywords)


def _replacement(function: Any) -> Replacement | None:
    try:
        return REPLACEMENTS.get(function) or of_normal(function)
    except TypeError:  # not hashable
        return None


def _holds_handle(values: Any) -> bool:
    if is_tuple(values) or is_list(values):
        return any(map(_holds_handle, values))
    if is_slice(values):
        return any(isinstance(part, Handle) for part in (values.start, values.stop, values.step))
    return isinstance(values, Handle)


def called(heap: Heap, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """What a function gives for symbols in place of handles.

    Raises:
        NeedsStatic: it has to know the size of an operand.
    """
    opening = _Opening(heap)
    try:
        return _applied(opening, function, arguments, keywords)
    except NotConstant as error:
        if not error.symbol.ndim:
            raise NeedsStatic(error.symbol, f"a constant of {getattr(function, '__name__', function)}") from error
        raise
    except (UnsupportedError, UsageError) as error:
        out = keywords.get("out")
        if isinstance(out, Array) and isinstance(error, UnsupportedError) and not isinstance(function, np.ufunc):
            others = {name: value for name, value in keywords.items() if name != "out"}
            _write_result(function, out, stacked(called(heap, function, arguments, others)))
            return out
        # Many functions that are not known to programs are, once sizes are numbers.
        extent = opening.unknown_size()
        if extent is None:
            raise
        raise NeedsStatic(extent, f"an operand's size, by {getattr(function, '__name__', function)}") from error


def _write_result(function: Any, out: Array, result: Any) -> None:
    """What a function does with its `out`."""
    if np.ndim(result) != out.ndim:
        raise UsageError(
            f"np.{function.__name__} was to write a result of {np.ndim(result)} axes into an array of {out.ndim} "
            "(out=...); give an array of the result's shape"
        )
    check_kind(result.dtype, out.dtype)
    out[...] = result


def _applied(opening: _Opening, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    opened = opening.arguments(function, arguments)
    options = {name: opening.written(value) if name == "out" else opening(value) for name, value in keywords.items()}
    result = function(*opened, **options)
    opening.write_back()
    return opening.result(result, arrays=function in _WITHOUT_AXES)


class _Opening:
    """The symbols that a function gets for handles, and what becomes of them."""

    def __init__(self, heap: Heap) -> None:
        self.heap = heap
        self.arrays: list[tuple[Array, Symbol, Any]] = []

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Array):
            return self._array(value, value.read())
        if isinstance(value, Number):
            return value.symbol
        if is_tuple(value) and not hasattr(value, "_fields"):
            return tuple(map(self, value))
        if is_list(value):
            return list(map(self, value))
        if is_slice(value):
            return slice(self(value.start), self(value.stop), self(value.step))
        if isinstance(value, dict):
            return {key: self(part) for key, part in value.items()}  # pyright: ignore
        return value

    def written(self, value: Any) -> Any:
        """For an array that the function may write, a symbol even where it is known."""
        if is_tuple(value):
            return tuple(map(self.written, value))
        return self._array(value, value.symbol()) if isinstance(value, Array) else self(value)

    def _array(self, array: Array, content: Any) -> Any:
        if not isinstance(content, Symbol):
            return content
        for other, symbol, _ in self.arrays:
            if other.cell is array.cell and other.path == array.path:
                return symbol
        # A symbol of its own: functions that write put another variable into it.
        symbol = Symbol(self.heap.builder, content.variable)
        self.arrays.append((array, symbol, content.variable))
        return symbol

    def arguments(self, function: Any, arguments: tuple[Any, ...]) -> list[Any]:
        """The arguments, those that NumPy promotes together cast as it does."""
        if _holds_handle(arguments[:1]) and not isinstance(arguments[0], Value) and _makes_array(function):
            arguments = (self.heap.array(stacked(arguments[0])), *arguments[1:])
        if isinstance(function, np.ufunc):
            given = [self(value) for value in arguments[: function.nin]]
            if function.signature is None:
                given = self._promoted(arguments[: function.nin], given, function in _COMPARING)
            return [*given, *map(self.written, arguments[function.nin :])]
        first_written = getattr(function, "__name__", "") == "at"
        given = [self.written(value) if first_written and not at else self(value) for at, value in enumerate(arguments)]
        places = [at for at in _PROMOTING.get(function, ()) if at < len(given) and given[at] is not None]
        if places:
            promoted = self._promoted(tuple(arguments[at] for at in places), [given[at] for at in places], False)
            for at, part in zip(places, promoted, strict=True):
                given[at] = part
        return given

    def _promoted(self, values: tuple[Any, ...], given: list[Any], compared: bool) -> list[Any]:
        """The symbols that were given, and casts in place of numbers of Python that take an array's dtype."""
        if not any(isinstance(value, Number) and value.kind for value in values):
            return given
        parts = operands(values, compared=compared)
        return [
            part if isinstance(value, Number) else one for value, part, one in zip(values, parts, given, strict=True)
        ]

    def unknown_size(self) -> Symbol | None:
        """A size of an operand that follows from the inputs, and is not known while the function is read."""
        unknown = [
            (size, variable, at)
            for _, _, variable in self.arrays
            for at, size in enumerate(variable.type.sizes)
            if not isinstance(size, int)
        ]
        unknown.sort(key=lambda found: found[0] is None)
        for _, variable, at in unknown[:1]:
            return Symbol(self.heap.builder, variable).shape[at]
        return None

    def write_back(self) -> None:
        """Write into the arrays what the function wrote into their symbols."""
        for array, symbol, variable in self.arrays:
            if symbol.variable is not variable:
                array.write(Symbol(self.heap.builder, symbol.variable))

    def result(self, value: Any, *, arrays: bool = False) -> Any:
        """The function's result: arguments as they were given, views of them as views."""
        if isinstance(value, (tuple, list)):
            parts = [self.result(part, arrays=arrays) for part in value]  # pyright: ignore
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)  # pyright: ignore
        if not isinstance(value, Symbol):
            return self.heap.wrap(value)
        for array, symbol, _ in self.arrays:
            if value is symbol:
                return array
        view = self._view(value)
        if view is not None:
            return view
        if value.ndim or arrays:
            together = all(array.contiguous for array, _, _ in self.arrays)
            return self.heap.array(value, contiguous=together)
        return self.heap.number(value)

    def _view(self, value: Symbol) -> Array | None:
        """The view that a result is of an argument; None if it has memory of its own."""
        steps: list[tuple[View, Symbol]] = []
        base: Any = value
        while (inner := slot(base, "_base", None)) is not None:
            instruction = self.heap.builder.instruction_of(base)
            if instruction is None:
                return None
            static = tuple(instruction.static.items())
            steps.append((View(instruction.primitive, instruction.operands[1:], static), inner))
            base = inner
        found = next((array for array, symbol, _ in self.arrays if symbol is base), None)
        if found is None or not steps:
            return None
        for view, of in reversed(steps):
            together = _known_together(found, view, of)
            if together is None:
                # NumPy's reshape gives a view or a copy, as the array lies in memory.
                fresh = self.heap.array(value, contiguous=False)
                fresh.cell.share_with(found.cell)
                return fresh
            found = found.viewed(view, contiguous=together)
        return found


def _known_together(array: Array, view: View, of: Symbol) -> bool | None:
    """Whether a view lies in memory row by row; None if it may be a copy."""
    if view.primitive is PRIMITIVES["reshape"]:
        if array.contiguous:
            return True
        return False if _only_units(of, view) else None
    return array.contiguous and view.primitive is PRIMITIVES["transpose"] and of.ndim < 2


def _only_units(of: Symbol, view: View) -> bool:
    """Whether a reshape adds and drops axes of size 1 alone."""
    wide = [extent for extent in of.extents if extent != 1]
    given = [getattr(extent, "extent", extent) for extent in view.operands[0]]
    return None not in wide and wide == [extent for extent in given if extent != 1]


def _makes_array(function: Any) -> bool:
    """Whether a function makes an array of a list, and does not take several arrays in one."""
    if isinstance(function, np.ufunc) or isinstance(getattr(function, "__self__", None), np.ufunc):
        return True
    module = getattr(function, "__module__", None) or ""
    return module.startswith("numpy") and function not in _OF_SEVERAL


_OF_SEVERAL = frozenset(
    {
        np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack, np.block, np.select, np.lexsort,
        np.linalg.multi_dot, np.einsum, np.meshgrid, np.broadcast_arrays, np.result_type, np.common_type,
    }
)  # fmt: skip
"""Functions that take lists of arrays."""

_COMPARING = frozenset({np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal})


class Method:
    """A method of an array or a number under reading."""

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: Handle, name: str) -> None:
        self._owner = owner
        self._name = name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        heap, name = self._owner.heap, self._name

        if name in _AS_FUNCTIONS:
            return call(heap, getattr(np, name), (self._owner, *arguments), keywords)

        def function(owner: Any, *others: Any, **options: Any) -> Any:
            return getattr(owner, name)(*others, **options)

        return called(heap, function, (self._owner, *arguments), keywords)

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._owner!r}>"


def method(owner: Handle, name: str) -> Method:
    """A method by its name.

    Raises:
        AttributeError: NumPy's arrays have none of the name.
        UnsupportedError: they have it, and nothing stands for it in a program.
    """
    if not hasattr(np.ndarray, name):
        raise AttributeError(f"an array has no attribute {name!r}")
    if callable(getattr(np.ndarray, name)) and not hasattr(Symbol, name) and name in _AS_FUNCTIONS:
        return Method(owner, name)
    if not callable(getattr(np.ndarray, name)) or not hasattr(Symbol, name):
        raise UnsupportedError(
            f"the array attribute {name!r} is not known to programs; call a NumPy function that has a derivative rule "
            "instead (docs/rules.md lists them)"
        )
    if name in ("put", "partition", "resize", "setflags", "setfield", "byteswap"):
        raise UnsupportedError(f"the array method {name!r} is not known to programs; {_INSTEAD.get(name, _PLAINLY)}")
    return Method(owner, name)


_AS_FUNCTIONS = frozenset({"trace", "repeat", "searchsorted"})
"""Methods that are read as the functions of their names."""

_PLAINLY = "write what it does with indices and NumPy's functions"
_INSTEAD = {
    "put": "write `a.flat[places] = values`",
    "partition": "write `a[:] = np.partition(a, k)`",
}


def attribute(heap: Heap, value: Any, name: str) -> Any:
    """An attribute of anything, arrays and numbers under reading included."""
    result = getattr(value, name)
    return heap.array(result) if is_ndarray(result) else result
