"""Arguments of a call: finding those to differentiate by, and putting others in their place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from retrograde.autodiff import containers
from retrograde.errors import UsageError
from retrograde.program.types import is_differentiable

Wrt: TypeAlias = int | str | tuple[int | str, ...]
Function: TypeAlias = Callable[..., Any]


def places_of(f: Function, wrt: tuple[Any, ...], arguments: Any, options: dict[str, Any]) -> list[int | str]:
    """Positions of positional arguments and names of keyword arguments, for positions and names as asked for.

    Raises:
        UsageError: one names no argument of the call, or one that another has named.
    """
    places: list[int | str] = []
    for asked in wrt:
        if not isinstance(asked, (int, str)):
            raise UsageError(f'wrt={asked!r} is no position or name; give one, or a tuple of several: (0, "x")')
        place = asked
        if isinstance(asked, str) and asked not in options:
            names = list(inspect.signature(f).parameters)
            place = names.index(asked) if asked in names else asked
        if place not in options and not (isinstance(place, int) and 0 <= place < len(arguments)):
            raise UsageError(
                f"wrt={asked!r} names no argument of this call, which has {len(arguments)} positional ones"
                f"{' and ' + ', '.join(options) if options else ''}; name one that is passed{_known_names(f)}"
            )
        if place in places:
            raise UsageError(f"wrt={wrt!r} names an argument twice ({asked!r}); name each once")
        places.append(place)
    return places


def _known_names(f: Function) -> str:
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        return ""
    return f" (its arguments are {', '.join(names)})" if names else ""


def check_primals(primals: Any) -> None:
    """See that arguments come as a tuple or a list, an item for each.

    Raises:
        UsageError: they do not.
    """
    if not isinstance(primals, (tuple, list)):
        raise UsageError(
            f"the arguments of the function were given as one {type(primals).__name__}; give a tuple with an item for "
            "each argument, and the tangents alike: `(x,), (v,)`"
        )


def name_of(f: Function) -> str:
    """What to call a function in a message."""
    return getattr(f, "__name__", type(f).__name__)


class Call:
    """A function as one of the arguments to differentiate by, the others being held.

    Attributes:
        f: the function.
        chosen: the argument, or the tuple of them where `wrt` is a tuple.
        leaves: the arrays in it, in order.
    """

    def __init__(self, f: Function, wrt: Wrt, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.f = f
        self._arguments = arguments
        self._options = options
        several = isinstance(wrt, tuple)
        self._places = places_of(f, wrt if several else (wrt,), arguments, options)
        found = [arguments[place] if isinstance(place, int) else options[place] for place in self._places]
        self.chosen: Any = tuple(found) if several else found[0]
        self._several = several
        self.leaves = [_as_array(leaf) for leaf in containers.leaves(self.chosen)]

    def __call__(self, chosen: Any) -> Any:
        """The function's result for another value of the argument."""
        given = dict(zip(self._places, chosen if self._several else (chosen,), strict=True))
        arguments = tuple(given.get(at, argument) for at, argument in enumerate(self._arguments))
        return self.f(*arguments, **{name: given.get(name, option) for name, option in self._options.items()})

    def at(self, leaves: list[Any]) -> Any:
        """The function's result for other arrays in the argument."""
        return self(self.rebuilt(leaves))

    def rebuilt(self, leaves: list[Any]) -> Any:
        """The argument with other arrays in it."""
        return containers.rebuild(self.chosen, leaves)

    def require_real(self, what: str) -> None:
        """See that every array of the argument is real.

        Raises:
            UsageError: one is complex, or of a type without derivatives.
        """
        for position, leaf in enumerate(self.leaves):
            if not is_differentiable(leaf.dtype) or leaf.dtype.kind == "c":
                raise UsageError(
                    f"{what} of {name_of(self.f)} was asked for by an argument of which array {position} has dtype "
                    f"{leaf.dtype}; it is by real floating-point arrays: convert it (x.astype(float)), or write the "
                    "function in real and imaginary parts"
                )

    def scalar(self, value: Any, what: str) -> Any:
        """A result that has to be a real scalar.

        Raises:
            UsageError: it is not.
        """
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if isinstance(value, float):
            return np.float64(value)
        if shape != () or dtype is None or not is_differentiable(dtype) or dtype.kind == "c":
            found = f"a {type(value).__name__}" if shape is None else f"an array of shape {shape} and dtype {dtype}"
            raise UsageError(
                f"{what} of {name_of(self.f)} was asked for, which returned {found}; it is that of a real scalar: "
                "reduce the result (np.sum)"
            )
        return value


def _as_array(leaf: Any) -> Any:
    return leaf if hasattr(leaf, "dtype") else np.asarray(leaf)[()]


def dtype_of(value: Any) -> np.dtype[Any]:
    """The dtype of an array of any kind, or of what NumPy makes one of."""
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
