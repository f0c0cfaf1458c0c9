"""A function of containers as one of a vector of real numbers: what is checked, and how it is evaluated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.checking.differences import Vector
from retrograde.autodiff.custom.calls import has_derivative
from retrograde.autodiff.functions import jvp, vjp
from retrograde.autodiff.tape.gradient_tape import stop_gradient
from retrograde.errors import UsageError


@dataclass(frozen=True)
class Part:
    """An array of an argument, as a stretch of the vector: its real numbers, two to a complex one.

    Attributes:
        name: as a person writes it, ``parameters['layers'][0]``.
        start, stop: where it lies in the vector.
        shape, dtype: of the array.
    """

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """How many real numbers it has."""
        return self.stop - self.start

    def place(self, at: int) -> str:
        """The name of one of its real numbers, counted from the start of the array."""
        suffix = ""
        if self.dtype.kind == "c":
            at, imaginary = divmod(at, 2)
            suffix = ".imag" if imaginary else ".real"
        index = ", ".join(str(int(i)) for i in np.unravel_index(at, self.shape)) if self.shape else ""
        return f"{self.name}[{index}]{suffix}" if index else self.name + suffix


class Problem:
    """A function with arguments, flattened.

    Args:
        function: what is checked.
        arguments: where; containers of arrays.
        wrt: the positions of the arguments to differentiate by.
        names: of all arguments.

    Attributes:
        parts: the arrays to differentiate by.
        outputs: the arrays of the result.
        evaluations: how often the function was called for numerical derivatives.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Sequence[Any], wrt: Sequence[int], names: Sequence[str]
    ) -> None:
        self.function = function
        self.evaluations = 0
        self._arguments = list(arguments)
        self._wrt = list(wrt)
        self._names = list(names)
        chosen = {names[at]: arguments[at] for at in wrt}
        self._leaves, self._structure = containers.flatten(list(chosen.values()))
        self._moving = [at for at, leaf in enumerate(self._leaves) if has_derivative(leaf)]
        labels = [label for name, value in chosen.items() for label in containers.labels(value, name)]
        self.parts = _parts([np.asarray(self._leaves[at]) for at in self._moving], [labels[at] for at in self._moving])
        if not self.parts:
            raise UsageError(
                f"the arguments {list(chosen)} hold no array of a floating or complex dtype to differentiate by; "
                "convert them (`x.astype(float)`), or name others in wrt"
            )
        self.point = to_vector([self._leaves[at] for at in self._moving])
        with np.errstate(all="ignore"):
            out = self._call(self.arrays(self.point))
        self.outputs = self._output_parts(out)

    def in_double(self) -> Problem | None:
        """The same problem with its arrays in double precision; None if they are already."""
        if all(part.dtype.itemsize >= _double(part.dtype).itemsize for part in (*self.parts, *self.outputs)):
            return None
        arrays = to_arrays(self.point, [(part.shape, _double(part.dtype)) for part in self.parts])
        return Problem(self.function, self._positional(arrays), self._wrt, self._names)

    def arrays(self, vector: Vector) -> list[Any]:
        """A vector as arrays of the dtypes that were given."""
        return to_arrays(vector, [(part.shape, part.dtype) for part in self.parts])

    def rounded(self, vector: Vector) -> Vector:
        """The vector with each number as its array's dtype holds it."""
        return to_vector(self.arrays(vector))

    def value(self, vector: Vector) -> Vector:
        """The outputs, computed in double precision."""
        return to_vector(self._evaluate(vector, self._double_dtypes()))

    def value_off_axis(self, vector: Any) -> Any:
        """The outputs at a complex vector, as complex numbers."""
        arrays = self._evaluate(vector, [np.dtype(np.complex128)] * len(self.parts))
        return np.concatenate([np.ravel(np.asarray(array)) for array in arrays] or [np.zeros(0)])

    def push(self, vector: Vector, direction: Vector) -> Vector:
        """The derivative in a direction, by forward mode, in the dtypes that were given."""
        _, tangents = jvp(self.on_arrays, tuple(self.arrays(vector)), tuple(self.arrays(direction)))
        return to_vector(tangents)

    def pull(self, vector: Vector, cotangents: Sequence[Vector]) -> list[Vector]:
        """The transposed derivative of each cotangent, by reverse mode, in the dtypes that were given."""
        _, pullback = vjp(self.on_arrays)(*self.arrays(vector))
        dtypes = [(part.shape, part.dtype) for part in self.outputs]
        return [to_vector(pullback(tuple(to_arrays(w, dtypes)))) for w in cotangents]

    def gradient_by(self, gradient: Callable[..., Any], vector: Vector) -> Vector:
        """What a gradient function of the user's returns, as a vector.

        Raises:
            UsageError: it returns something that is not built as the arguments are.
        """
        returned = gradient(*self._positional(self.arrays(vector)))
        wanted: Any = tuple(self._structure.unflatten(self._leaves))
        wanted, returned = (wanted[0], returned) if len(self._wrt) == 1 else (wanted, tuple(returned))
        found = containers.leaves_like(wanted, returned) if containers.is_leaf(wanted) else _leaves_as(wanted, returned)
        found = [found[at] for at in self._moving]
        for part, array in zip(self.parts, found, strict=True):
            if np.shape(array) != part.shape:
                raise UsageError(
                    f"the gradient that was given has shape {np.shape(array)} for {part.name}, which has shape "
                    f"{part.shape}; return one of the same shape"
                )
            if np.iscomplexobj(array) and part.dtype.kind != "c":
                raise UsageError(f"the gradient that was given is complex for {part.name}, which is real; return one")
        dtypes = [(part.shape, np.result_type(part.dtype, np.float64)) for part in self.parts]
        return to_vector([np.asarray(array).astype(dtype) for array, (_, dtype) in zip(found, dtypes, strict=True)])

    def _positional(self, arrays: Sequence[Any]) -> list[Any]:
        leaves = list(self._leaves)
        for at, array in zip(self._moving, arrays, strict=True):
            leaves[at] = array
        arguments = list(self._arguments)
        for at, argument in zip(self._wrt, self._structure.unflatten(leaves), strict=True):
            arguments[at] = argument
        return arguments

    def _call(self, arrays: Sequence[Any]) -> Any:
        return self.function(*containers.map_leaves(_copied, self._positional(arrays)))

    def on_arrays(self, *arrays: Any) -> tuple[Any, ...]:
        """The function of the arrays to differentiate by, and the arrays of its result."""
        out = self.function(*self._positional(arrays))
        return tuple(leaf for leaf in containers.flatten(out)[0] if has_derivative(leaf))

    def _evaluate(self, vector: Any, dtypes: Sequence[np.dtype[Any]]) -> list[Any]:
        self.evaluations += 1
        arrays = to_arrays(vector, [(part.shape, dtype) for part, dtype in zip(self.parts, dtypes, strict=True)])
        with np.errstate(all="ignore"):
            out = containers.flatten(self._call(arrays))[0]
        return [np.asarray(stop_gradient(leaf)) for leaf in out if has_derivative(leaf)]

    def _double_dtypes(self) -> list[np.dtype[Any]]:
        return [_double(part.dtype) for part in self.parts]

    def _output_parts(self, out: Any) -> tuple[Part, ...]:
        leaves = containers.flatten(out)[0]
        labels = containers.labels(out, "result")
        kept = [(leaf, label) for leaf, label in zip(leaves, labels, strict=True) if has_derivative(leaf)]
        if not kept:
            raise UsageError(
                f"{name_of(self.function)} returned nothing of a floating or complex dtype to differentiate; return an "
                "array, or a container of arrays"
            )
        return _parts([np.asarray(stop_gradient(leaf)) for leaf, _ in kept], [label for _, label in kept])


def _double(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)


def _leaves_as(wanted: Any, returned: Any) -> list[Any]:
    leaves, structure = containers.flatten(returned)
    expected = containers.flatten(wanted)[1]
    if structure != expected:
        raise UsageError(
            f"the gradient that was given is {structure}, and the arguments are {expected}; return it built alike"
        )
    return leaves


def _copied(leaf: Any) -> Any:
    """Arrays of the caller's own: a function that writes into its arguments changes these."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def _parts(arrays: Sequence[Any], labels: Sequence[str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    start = 0
    for array, label in zip(arrays, labels, strict=True):
        stop = start + array.size * (2 if array.dtype.kind == "c" else 1)
        parts.append(Part(label, start, stop, array.shape, array.dtype))
        start = stop
    return tuple(parts)


def to_vector(arrays: Sequence[Any]) -> Vector:
    """Arrays as one vector of real numbers."""
    return np.concatenate([np.zeros(0), *map(_to_real, arrays)])


def _to_real(array: Any) -> Vector:
    array = np.asarray(array)
    if array.dtype.kind == "c":
        return np.ravel(array).astype(np.complex128).view(np.float64)
    return np.ravel(array).astype(np.float64)


def to_arrays(vector: Any, kinds: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]) -> list[Any]:
    """A vector as arrays of these shapes and dtypes."""
    arrays: list[Any] = []
    start = 0
    for shape, dtype in kinds:
        pairs = dtype.kind == "c" and vector.dtype.kind != "c"
        stop = start + int(np.prod(shape, dtype=int)) * (2 if pairs else 1)
        stretch = np.ascontiguousarray(vector[start:stop])
        arrays.append((stretch.view(np.complex128) if pairs else stretch).astype(dtype).reshape(shape)[()])
        start = stop
    return arrays


def name_of(function: Any) -> str:
    """A function's name, for people."""
    return getattr(function, "__name__", type(function).__name__)


def argument_names(function: Any, count: int) -> list[str]:
    """The names of a function's positional arguments, as far as they can be had."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[at] if at < len(names) else f"argument {at}" for at in range(count)]
