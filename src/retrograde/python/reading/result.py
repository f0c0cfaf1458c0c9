"""What reading a function gives: its program, and how a call's arguments and results belong to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.program.model import Program
from retrograde.python.reading.leaves import Leaf, Sizes
from retrograde.rules.random import state_of


class Parameters:
    """How the arguments of a call are brought into the order of a function's parameters.

    Args:
        function: whose parameters they are.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        self._plain = all(
            kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY) for kind in kinds
        )
        self.names = list(self.signature.parameters)

    def values(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Sequence[Any]:
        """The value of each parameter, defaults included.

        Raises:
            TypeError: the call does not go with the parameters.
        """
        if self._plain and not keywords and len(arguments) == len(self.names):
            return arguments
        bound = self.signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        return list(bound.arguments.values())


@dataclass(eq=False, slots=True)
class Reading:
    """A program that was read, and how calls belong to it.

    Attributes:
        program: its inputs are arrays and numbers of the arguments, and those that the function takes from around it.
        parameters: the function's.
        arguments: for each parameter the input of each of its leaves (`containers.leaves`); None for what is no input.
        structures: how each argument is put together; None for what is an array or a number by itself.
        leaves: everything the reading was made with.
        returned: the outputs that make up the return value.
        template: how the return value is put together: from the values of `returned`.
        mutated: for each argument that the function writes into, the outputs that are its new contents.
        unclear: arguments that are written in some runs only, in a way that the program cannot say; and why.
        smallest: for each size that has a name the smallest that the program is right for.
    """

    program: Program
    parameters: Parameters
    arguments: dict[str, list[str | None]]
    structures: list[Any]
    leaves: list[Leaf]
    returned: list[str]
    template: Callable[[Sequence[Any]], Any]
    mutated: dict[str, list[str]]
    unclear: dict[str, str] = field(default_factory=dict[str, str])
    smallest: Sizes = field(default_factory=dict[str, int])

    def fits(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
        """Whether the program is right for other arguments: their kinds, equal sizes, constants, what is captured."""
        return self._fitting(arguments, keywords) is not None

    def match(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[Any] | None:
        """The values of the program's inputs, in order, if the program is right for the arguments; else None.

        Raises:
            UsageError: an array that the function writes into was passed twice.
        """
        values = self._fitting(arguments, keywords)
        if values is None:
            return None
        if self.mutated:
            self._check_aliases(values)
        return [values[variable.name] for variable in self.program.block.parameters]

    def inputs(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[Any]:
        """The values of the program's inputs, in order; what is captured is read anew.

        Raises:
            UsageError: the arguments are put together in another way, or an array that the function writes into was
                passed twice.
        """
        found = self._flat(arguments, keywords)
        if found is None:
            raise UsageError(f"{self.program.name} was called with arguments of another structure than it was read for")
        values = {leaf.input: _as_input(leaf.fetch(found)) for leaf in self.leaves if leaf.input is not None}
        self._check_aliases(values)
        return [values[variable.name] for variable in self.program.inputs]

    def _fitting(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any] | None:
        """The inputs by name; None if the program is not right for the arguments."""
        found = self._flat(arguments, keywords)
        if found is None:
            return None
        sizes: Sizes = {}
        values: dict[str, Any] = {}
        try:
            for leaf in self.leaves:
                value = leaf.fetch(found)
                if not leaf.kind.fits(value, sizes):
                    return None
                if leaf.input is not None:
                    values[leaf.input] = _as_input(value)
        except (KeyError, IndexError, AttributeError, ValueError):
            return None
        for name, least in self.smallest.items():
            if sizes.get(name, least) < least:
                return None
        return values

    def rebuild_return(self, values: Sequence[Any]) -> Any:
        """The return value, from the values of `returned`: with its structure and constants."""
        return self.template(values)

    def _flat(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Sequence[Any] | None:
        """The leaves of all arguments in order; None if they are put together in another way."""
        values = self.parameters.values(arguments, keywords)
        if len(values) != len(self.structures):
            return None
        if not any(self.structures):
            return values
        found: list[Any] = []
        for value, structure in zip(values, self.structures, strict=True):
            if structure is None:
                found.append(value)
                continue
            parts, present = containers.flatten(value)
            if present != structure:
                return None
            found += parts
        return found

    def _check_aliases(self, values: dict[str, Any]) -> None:
        arrays = {name: value for name, value in values.items() if is_ndarray(value)}
        for name in {name for names in self.mutated.values() for name in names if name in arrays}:
            written = arrays[name]
            for other, value in arrays.items():
                if other != name and np.may_share_memory(value, written):
                    raise UsageError(
                        f"{self.program.name} writes into {name!r}, and {other!r} is in the same memory, so that it "
                        f"changes with it; pass a copy of one of the two (`{other}.copy()`)"
                    )


def _as_input(value: Any) -> Any:
    """A value as the program takes it: Python's floating numbers are weak, and a program's are not."""
    if value.__class__ is float:
        return np.float64(value)
    if value.__class__ is complex:
        return np.complex128(value)
    return state_of(value) if isinstance(value, np.random.Generator) else value
