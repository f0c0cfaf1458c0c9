"""A call of a function with a rule of its own as one operation, for whatever goes through NumPy code by its rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from retrograde.autodiff.custom.calls import Call, checked_outputs, has_derivative
from retrograde.autodiff.custom.transposition import zeros_like
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.primitive import Array, Primitive, Rule
from retrograde.program.types import ArrayType

Pushed = Callable[[list[Any], list[Any], int], tuple[list[Any], Any, Sequence[Any]]]
Recorded = Callable[[list[Any], list[int], int], tuple[list[Any], Any, Callable[[list[Any]], list[Array]]]]


def call_as_operation(name: str, function: Callable[..., Any], call: Call, pushed: Pushed, recorded: Recorded) -> Any:
    """Apply a call to its arguments, of which the highest is neither a tracked array nor a dual.

    Args:
        name: of the function.
        function: it.
        call: the arguments.
        pushed: from values, their tangents and the level of the highest of them to the results and their tangents.
        recorded: from values and the places of some of them to the results and the pullback to these.
    """
    structures: list[Any] = []

    def evaluate(*values: Any) -> tuple[Any, ...]:
        returned = function(*call.positional(values), **call.options)
        leaves, structure = checked_outputs(name, returned, _above(values))
        structures.append(structure)
        return tuple(leaves)

    def push_of(place: int) -> Callable[..., Any]:
        def push(d: Array, *values: Any) -> tuple[Any, ...]:
            still = [zeros_like(value) if has_derivative(value) else None for value in values]
            tangents = [d if at == place else zero for at, zero in enumerate(still)]
            leaves, _, found = pushed(list(values), tangents, _above((d, *values)))
            return tuple(zeros_like(leaf) if t is None else t for leaf, t in zip(leaves, found, strict=True))

        return push

    def pull_of(place: int) -> Callable[..., Any]:
        def pull(g: tuple[Any, ...], *values: Any) -> Array:
            _, _, carry = recorded(list(values), [place], _above((*g, *values)))
            return carry(list(g))[0]

        return pull

    names = tuple(f"x{at}" for at in range(len(call.leaves)))
    moving = [at for at, leaf in enumerate(call.leaves) if has_derivative(leaf)]
    operation = Primitive(
        name,
        evaluate,
        names,
        result=_unknown,
        outputs=("results",),
        reverse={names[at]: Rule(pull_of(at), names) for at in moving},
        forward={names[at]: Rule(push_of(at), names) for at in moving},
        registered=False,
    )
    results = apply(operation, tuple(call.leaves), {})
    return structures[0].unflatten(results)


def _unknown(*_: Any, **__: Any) -> ArrayType:
    raise NotImplementedError  # pragma: no cover


def _above(values: Sequence[Any]) -> int:
    """A level above all that the values bring: what is there in a result comes from elsewhere."""
    return 1 + max((value.level for value in values if isinstance(value, Intercepting)), default=0)
