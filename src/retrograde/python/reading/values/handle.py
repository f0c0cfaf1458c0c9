"""What arrays and numbers under reading share: Python's operators, and NumPy's protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from retrograde.python.reading.signals import NeedsStatic

if TYPE_CHECKING:
    import numpy as np

    from retrograde.python.reading.values.heap import Heap


class Value:
    """What reading makes of things that only the run knows."""

    __slots__ = ("heap",)

    heap: Heap


class Handle(Value):
    """What a name of the user's function stands for where only the run knows the value.

    Python's operators on it put instructions into the program.
    """

    __slots__ = ()

    __hash__ = object.__hash__

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        raise NotImplementedError  # pragma: no cover

    @property
    def ndim(self) -> int:
        """The number of axes."""
        raise NotImplementedError  # pragma: no cover

    def operand(self) -> Any:
        """The value as an operand of instructions."""
        raise NotImplementedError  # pragma: no cover

    def __add__(self, other: Any) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary("divide", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _binary("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return _binary("remainder", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _binary("remainder", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return _binary("power", self, other) if modulus is None else _binary("power", self, other) % modulus

    def __rpow__(self, other: Any) -> Any:
        return _binary("power", other, self)

    def __matmul__(self, other: Any) -> Any:
        return _binary("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _binary("matmul", other, self)

    def __and__(self, other: Any) -> Any:
        return _binary("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return _binary("bitwise_and", other, self)

    def __or__(self, other: Any) -> Any:
        return _binary("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return _binary("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return _binary("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return _binary("bitwise_xor", other, self)

    def __lshift__(self, other: Any) -> Any:
        return _binary("left_shift", self, other)

    def __rlshift__(self, other: Any) -> Any:
        return _binary("left_shift", other, self)

    def __rshift__(self, other: Any) -> Any:
        return _binary("right_shift", self, other)

    def __rrshift__(self, other: Any) -> Any:
        return _binary("right_shift", other, self)

    def __lt__(self, other: Any) -> Any:
        return _binary("less", self, other)

    def __le__(self, other: Any) -> Any:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return _binary("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return _binary("greater_equal", self, other)

    def __eq__(self, other: object) -> Any:
        return _binary("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return _binary("not_equal", self, other)

    def __neg__(self) -> Any:
        return _unary("negative", self)

    def __pos__(self) -> Any:
        return _unary("positive", self)

    def __abs__(self) -> Any:
        return _unary("absolute", self)

    def __invert__(self) -> Any:
        return _unary("invert", self)

    def __round__(self, digits: Any = None) -> Any:
        from retrograde.python.reading.values.builtins import rounded

        return rounded(self, digits)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        from retrograde.python.reading.values.calls import call

        return call(self.heap, ufunc if method == "__call__" else getattr(ufunc, method), inputs, options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        from retrograde.python.reading.values.calls import call

        return call(self.heap, function, arguments, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise NeedsStatic(self.operand(), "a NumPy array")

    def __bool__(self) -> bool:
        return bool(self.known("a truth value"))

    def __int__(self) -> int:
        return int(self.known("an int"))

    def __float__(self) -> float:
        return float(self.known("a float"))

    def __complex__(self) -> complex:
        return complex(self.known("a complex number"))

    def __index__(self) -> int:
        return self.known("an index").__index__()

    def known(self, purpose: str) -> Any:
        """The value, where it is known while the function is read.

        Raises:
            NeedsStatic: only the run knows it.
        """
        raise NeedsStatic(self.operand(), purpose)


def _binary(name: str, left: Any, right: Any) -> Any:
    from retrograde.python.reading.values.operations import binary

    return binary(name, left, right)


def _unary(name: str, value: Any) -> Any:
    from retrograde.python.reading.values.operations import unary

    return unary(name, value)
