"""The rules of a primitive of the user's: what they return is checked, and the one that is missing is derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from retrograde.autodiff.cotangents import fit
from retrograde.autodiff.custom.calls import describe, in_words
from retrograde.autodiff.custom.transposition import Transpose
from retrograde.autodiff.forward.pushing import fit_up
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.primitive import Array, Rule, RuleFunction
from retrograde.program.types import ArrayType, is_differentiable


class Rules:
    """Makes the rules of one primitive out of what the user wrote.

    Args:
        name: of the primitive.
        outputs: names of its results, if it has several.
    """

    def __init__(self, name: str, outputs: tuple[str, ...]) -> None:
        self._name = name
        self._outputs = outputs

    def reverse(self, operand: str, function: RuleFunction) -> Rule:
        """A reverse rule, with what it returns checked."""
        who = f"the reverse rule of primitive {self._name!r} for {operand!r}"
        given = _rule(who, function)

        def checked(g: Any, shape: tuple[Any, ...], *reads: Any) -> Array:
            share = _as_share(who, given.function(g, *reads))
            if not _broadcasts(shape, share.shape):
                raise UsageError(
                    f"{who} returned {describe(share)}, and the argument has shape {shape}; return that shape, or the "
                    "one that it was broadcast to"
                )
            return share

        return Rule(checked, (f"{operand}_shape", *given.reads))

    def forward(self, operand: str, function: RuleFunction) -> Rule:
        """A forward rule, with what it returns checked."""
        who = f"the forward rule of primitive {self._name!r} for {operand!r}"
        given = _rule(who, function)
        results = self._outputs or ("out",)

        def checked(d: Array, *reads: Any) -> Any:
            outs = reads[: len(results)]
            returned = given.function(d, *reads[len(results) :])
            if not self._outputs:
                return _as_tangent(who, returned, outs[0])
            if not isinstance(returned, tuple) or len(returned) != len(outs):  # pyright: ignore[reportUnknownArgumentType]
                raise UsageError(
                    f"{who} returned {in_words(returned)}; return a tuple with a tangent for each of {list(results)}"
                )
            return tuple(_as_tangent(who, tangent, out) for tangent, out in zip(returned, outs, strict=True))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

        return Rule(checked, (*results, *given.reads))

    def forward_from(self, operand: str, reverse: Rule) -> Rule:
        """The transpose of a reverse rule."""
        rule = (
            f"primitive {self._name!r} was differentiated forward by {operand!r}, by the transpose of its reverse rule",
            f"declare forward={{{operand!r}: …}}, or make the reverse rule linear in the cotangent",
        )
        results = self._outputs or ("out",)

        def pushed(d: Array, *reads: Any) -> Any:
            outs = reads[: len(results)]
            places = [at for at, out in enumerate(outs) if is_differentiable(out.dtype)]

            def linear(cotangents: list[Array]) -> list[Array]:
                given = dict(zip(places, cotangents, strict=True))
                g = tuple(given.get(at) for at in range(len(outs))) if self._outputs else cotangents[0]
                return [fit(reverse.function(g, *reads[len(results) :]), d.shape, d.dtype)]

            tangents = Transpose(linear, [outs[at] for at in places], rule)([d])
            if not self._outputs:
                return tangents[0]
            pushed = dict(zip(places, tangents, strict=True))
            return tuple(pushed.get(at, 0.0) for at in range(len(outs)))

        return Rule(pushed, (*results, *reverse.reads))

    def reverse_from(self, operand: str, forward: Rule) -> Rule:
        """The transpose of a forward rule."""
        rule = (
            f"primitive {self._name!r} was differentiated in reverse by {operand!r}, by the transpose of its forward "
            "rule",
            f"declare reverse={{{operand!r}: …}}, or make the forward rule linear in the tangent",
        )

        def pulled(g: Any, x: Array, *reads: Any) -> Array:
            cotangents = g if self._outputs else (g,)

            def linear(tangents: list[Array]) -> list[Array]:
                made = forward.function(tangents[0], *reads)
                made = made if self._outputs else (made,)
                pairs = zip(made, cotangents, strict=True)
                return [None if part is None else fit_up(d, part.shape, part.dtype) for d, part in pairs]

            return Transpose(linear, [x], rule)(cotangents)[0]

        return Rule(pulled, (operand, *forward.reads))

    def missing(self, operand: str) -> Rule:
        """What stands in the place of a rule that there is not."""

        def complain(_: Any) -> NoReturn:
            raise UnsupportedError(
                f"primitive {self._name!r} has no rule for {operand!r}, and its derivative by that is needed; declare "
                f"reverse={{{operand!r}: …}} or forward={{{operand!r}: …}}, or constant=({operand!r},)"
            )

        return Rule(complain, ())

    def evaluate(self, function: Callable[..., Array]) -> Callable[..., Array]:
        """The function, with what it returns checked."""
        who = f"primitive {self._name!r}"

        def evaluated(*values: Any, **constants: Any) -> Any:
            returned = function(*values, **constants)
            if not self._outputs:
                return _as_array(who, returned, "declare outputs=(…) where there are several results")
            if not isinstance(returned, tuple) or len(returned) != len(self._outputs):  # pyright: ignore[reportUnknownArgumentType]
                raise UsageError(
                    f"{who} returned {in_words(returned)}; return a tuple with an array for each of "
                    f"outputs={list(self._outputs)}"
                )
            return tuple(_as_array(who, part, "return a tuple of arrays") for part in returned)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

        return evaluated

    def unknown_type(self, *_: Any, **__: Any) -> ArrayType:
        """The type rule of a primitive that was declared without one."""
        raise UnsupportedError(
            f"primitive {self._name!r} was used in a program, and the type of its result is not known; declare "
            "result=…, a function from the types of its arguments (retrograde.program.ArrayType) to that of its result"
        )


def _rule(who: str, function: RuleFunction) -> Rule:
    if not hasattr(function, "__code__"):
        raise UsageError(
            f"{who} is a {type(function).__name__}, whose parameters cannot be read; write it as a def or a lambda"
        )
    return Rule(function)


def _broadcasts(shape: tuple[Any, ...], to: tuple[Any, ...]) -> bool:
    """Whether a shape can be broadcast to another, as far as sizes are known before the run."""
    if len(shape) > len(to):
        return False
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return all(not (isinstance(x, int) and isinstance(y, int)) or x in (1, y) for x, y in pairs)


def _as_share(who: str, returned: Any) -> Array:
    """What a rule returned, if it is an array of a dtype that derivatives have."""
    if isinstance(returned, (float, complex)):
        returned = np.asarray(returned)[()]
    if not hasattr(returned, "dtype") or not is_differentiable(returned.dtype):
        raise UsageError(
            f"{who} returned {in_words(returned)}; return an array of a floating or complex dtype "
            "(0.0 * x where it is zero)"
        )
    return returned


def _as_tangent(who: str, returned: Any, out: Array) -> Array:
    if not is_differentiable(out.dtype):
        return returned
    tangent = _as_share(who, returned)
    if not _broadcasts(tangent.shape, out.shape):
        raise UsageError(
            f"{who} returned {describe(tangent)}, and the result has shape {out.shape}; return that shape, or one that "
            "broadcasts to it"
        )
    return tangent


def _as_array(who: str, returned: Any, remedy: str) -> Array:
    if isinstance(returned, (bool, int, float, complex)):
        return np.asarray(returned)[()]
    if not hasattr(returned, "dtype"):
        raise UsageError(f"{who} returned {in_words(returned)}, and an array was expected; {remedy}")
    return returned
