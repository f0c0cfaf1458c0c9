"""Names of arguments and outputs, as a person gives them, matched with those of a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function, Wrt, name_of, places_of
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.model import Operand, Variable
from retrograde.program.types import ArrayType, is_differentiable, type_of

if TYPE_CHECKING:
    from retrograde.python.reading.result import Reading
    from retrograde.python.request import Of


@dataclass(frozen=True)
class Outputs:
    """Outputs of a program, and what the user gets of them.

    Attributes:
        names: of the outputs, each once.
        rebuild: makes, of their values, what a person asked for: an array, a container, a tuple of these.
    """

    names: list[str]
    rebuild: Callable[[Sequence[Any]], Any]


def outputs_of(f: Function, reading: Reading, of: Of) -> Outputs:
    """The outputs that `of` names.

    Raises:
        UsageError: it names none, or the function has none.
    """
    if of is None:
        if not reading.returned and not reading.mutated and not reading.unclear:
            raise UsageError(
                f"a derivative of {name_of(f)} was asked for, which returns nothing and changes none of its "
                "arguments; return what is to be differentiated"
            )
        of = "return" if reading.returned else (*reading.mutated, *reading.unclear)
        of = of[0] if isinstance(of, tuple) and len(of) == 1 else of
    if isinstance(of, str):
        return _one(f, reading, of)
    parts = [_one(f, reading, name) for name in of]
    names = list(dict.fromkeys(name for part in parts for name in part.names))

    def rebuild(values: Sequence[Any]) -> Any:
        by_name = dict(zip(names, values, strict=True))
        return tuple(part.rebuild([by_name[name] for name in part.names]) for part in parts)

    return Outputs(names, rebuild)


def _one(f: Function, reading: Reading, name: str) -> Outputs:
    if name == "return" and reading.returned:
        return Outputs(list(reading.returned), reading.rebuild_return)
    if name in reading.returned:
        return Outputs([name], _first)
    if name in reading.mutated:
        found = reading.mutated[name]
        return Outputs(list(found), _first if len(found) == 1 else tuple)
    if name in reading.unclear:
        raise UnsupportedError(f"the contents of {name!r} after {name_of(f)} are not known: {reading.unclear[name]}")
    known = (["return"] if reading.returned else []) + [*reading.returned, *reading.mutated]
    raise UsageError(
        f"of={name!r} names no output of {name_of(f)}; it has {', '.join(dict.fromkeys(known)) or 'none'}"
        f"{' and changes none of its arguments' if not reading.mutated else ''}: name one of these"
    )


def _first(values: Sequence[Any]) -> Any:
    return values[0]


def type_of_output(output: Operand) -> ArrayType:
    """The type of a result of a program: a variable, or a constant."""
    kind = output.type if isinstance(output, Variable) else type_of(output)
    if not isinstance(kind, ArrayType):
        raise UsageError(f"{output!r} is an output, and a stack can only be consumed by a loop")
    return kind


@dataclass(frozen=True)
class Chosen:
    """The arguments to differentiate by.

    Attributes:
        places: position or keyword of each.
        names: the program's inputs in them, in order.
        counts: how many inputs each argument has; 0 for one that cannot have a gradient, and was not asked for.
        several: whether the gradient is a tuple of one for each.
    """

    places: list[int | str]
    names: list[str]
    counts: list[int]
    several: bool

    def form(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Callable[[Sequence[Any]], Any]:
        """What puts gradients into the form of the arguments; it holds on to none of their arrays."""
        found = [arguments[place] if isinstance(place, int) else options[place] for place in self.places]
        if not self.several and self.counts == [1] and containers.is_leaf(found[0]):
            return _first
        forms = [
            containers.take_apart(argument)[1] if count else _nothing
            for argument, count in zip(found, self.counts, strict=True)
        ]

        def filled(gradients: Sequence[Any]) -> Any:
            coming = iter(gradients)
            parts = [form(list(islice(coming, count))) for form, count in zip(forms, self.counts, strict=True)]
            return tuple(parts) if self.several else parts[0]

        return filled


def _nothing(gradients: Sequence[Any]) -> None:
    return None


def has_derivative(argument: Any) -> bool:
    """Whether anything in an argument is of a floating or complex type."""
    leaves = containers.leaves(argument)
    return any(is_differentiable(leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype) for leaf in leaves)


def chosen_of(
    f: Function, reading: Reading, wrt: Wrt | None, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Chosen:
    """The arguments that `wrt` names.

    Raises:
        UsageError: it names none, or one that is not of a floating or complex type.
    """
    several = wrt is None or isinstance(wrt, tuple)
    asked = tuple(range(len(arguments))) if wrt is None else wrt if isinstance(wrt, tuple) else (wrt,)
    places = places_of(f, asked, arguments, options)
    types = {variable.name: variable.type for variable in reading.program.inputs}
    names: list[str] = []
    counts: list[int] = []
    for at, place in zip(asked, places, strict=True):
        if wrt is None and isinstance(at, int) and not has_derivative(arguments[at]):
            counts.append(0)
            continue
        found = _inputs_at(reading, place, arguments, options)
        value = containers.leaves(arguments[place] if isinstance(place, int) else options[place])
        for name, leaf in zip(found, value, strict=True):
            kind = types.get(name) if name is not None else None
            if name is None or not isinstance(kind, ArrayType) or not kind.differentiable:
                raise _not_differentiable(f, at, leaf)
            names.append(name)
        counts.append(len(found))
    return Chosen(places, names, counts, several)


def _not_differentiable(f: Function, at: int | str, leaf: Any) -> UsageError:
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    asked = f"the derivative of {name_of(f)} by argument {at!r} was asked for"
    if is_differentiable(dtype):
        return UsageError(
            f"{asked}, whose value is used where a program has to know it beforehand (a size, an index of a list, a "
            'function that is not known to programs); write that with NumPy\'s functions, or use backend="tape"'
        )
    return UsageError(
        f"{asked}, where there is {dtype}; a derivative is by floating-point or complex arrays: convert it "
        "(x.astype(float)), or leave it out of wrt"
    )


def _inputs_at(
    reading: Reading, place: int | str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> list[str | None]:
    """The inputs that the leaves of an argument of a call are."""
    signature = reading.parameters.signature
    parameters = list(signature.parameters.values())
    if isinstance(place, str):
        if place in signature.parameters:
            return reading.arguments[place]
        passed = {name: value for name, value in options.items() if name not in signature.parameters}
        return _part(reading.arguments[parameters[-1].name], dict(sorted(passed.items())), place)
    many = next((at for at, parameter in enumerate(parameters) if parameter.kind is parameter.VAR_POSITIONAL), None)
    if many is None or place < many:
        return reading.arguments[parameters[place].name]
    return _part(reading.arguments[parameters[many].name], dict(enumerate(arguments[many:], many)), place)


def _part(inputs: list[str | None], values: dict[Any, Any], wanted: Any) -> list[str | None]:
    """The inputs of one of several values that a parameter collects."""
    start = 0
    for key, value in values.items():
        count = len(containers.leaves(value))
        if key == wanted:
            return inputs[start : start + count]
        start += count
    raise KeyError(wanted)
