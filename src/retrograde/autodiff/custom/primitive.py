"""`primitive`: an operation of one's own, with its derivatives as rules, as retrograde's own operations have them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from retrograde.autodiff.budgeted.held import Held
from retrograde.autodiff.custom.rules import Rules
from retrograde.autodiff.tape.tracked import TrackedArray
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.dispatch import Intercepting, apply
from retrograde.program.primitive import Array, Primitive, RuleFunction, TypeRule
from retrograde.program.symbol import Symbol

_NO_RULES: Mapping[str, RuleFunction] = MappingProxyType({})


class CustomPrimitive:
    """What `primitive` makes of a function. Calling it applies it to arrays, tracked or not.

    Attributes:
        declaration: the operation as tapes and programs know it.
    """

    def __init__(self, function: Callable[..., Array], declaration: Primitive, missing: Sequence[str]) -> None:
        functools.update_wrapper(self, function)
        self._signature = inspect.signature(function)
        self._missing = frozenset(missing)
        self.declaration = declaration

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Apply the operation."""
        bound = self._signature.bind(*arguments, **options)
        bound.apply_defaults()
        operands = {name: bound.arguments[name] for name in self.declaration.operands}
        static = {name: bound.arguments[name] for name in self.declaration.static}
        for name, value in bound.arguments.items():
            if isinstance(value, Intercepting):
                self._check(name, value)
        return apply(self.declaration, tuple(operands.values()), static)

    def __repr__(self) -> str:
        return repr(self.declaration)

    def _check(self, name: str, value: Intercepting) -> None:
        """Refuse an argument under differentiation that has no rule, here where the call is."""
        if name in self.declaration.static:
            raise UsageError(
                f"static argument {name!r} of primitive {self.declaration.name!r} is a {type(value).__name__}; make it "
                "a positional argument, or pass rg.stop_gradient of it"
            )
        if name in self._missing and _is_followed(value):
            raise UnsupportedError(
                f"primitive {self.declaration.name!r} has no rule for {name!r}, and was called with a "
                f"{type(value).__name__} there; declare reverse={{{name!r}: …}} or forward={{{name!r}: …}}, or "
                f"constant=({name!r},) if the derivative by it is zero, or pass rg.stop_gradient of it"
            )


def _is_followed(operand: Intercepting) -> bool:
    if isinstance(operand, TrackedArray):
        return operand.node.tape.recording
    return not isinstance(operand, (Symbol, Held))


def primitive(
    function: Callable[..., Array] | None = None,
    *,
    reverse: Mapping[str, RuleFunction] = _NO_RULES,
    forward: Mapping[str, RuleFunction] = _NO_RULES,
    linear: Sequence[str] = (),
    constant: Sequence[str] = (),
    static: Sequence[str] = (),
    outputs: Sequence[str] = (),
    result: TypeRule | None = None,
) -> Any:
    """Declare an operation with its derivatives, to be used like a NumPy function under differentiation.

    For code that is not NumPy's (compiled, from another library), and for operations whose derivative is known in
    closed form. The function is only ever called with plain arrays, and appears as one operation on tapes and in
    programs, at every order of derivative.

    Args:
        function: of positional arguments that are arrays; keyword-only ones are static.
        reverse: for an argument, its share of the cotangent: a function whose first parameter is the cotangent of the
            result, and the names of whose other parameters say what it reads: arguments, `out`, the shape of an
            argument (`x_shape`), static arguments. NumPy code; it may return the shape that the argument was broadcast
            to.
        forward: for an argument, the result's share of the tangent, as a function of the argument's tangent and of
            what it reads. Of `reverse` and `forward` either is enough: the other is its transpose.
        linear: arguments in which the function is linear while the others are held. That is their forward rule.
        constant: arguments that the result does not depend on in a differentiable way.
        static: names of arguments that are Python constants.
        outputs: names of the results, if the function returns several, as a tuple. A reverse rule gets a tuple of
            cotangents, None for a result that none came for; a forward rule returns a tuple; both read results by
            name.
        result: the type of the result (`retrograde.program.ArrayType`) from the types of the arguments; only programs
            need it.

    Returns:
        The operation, called like the function.

    Raises:
        UsageError: a rule is for no argument, or reads what there is not; later, when a rule returns another shape,
            dtype or number of arrays than expected.
        UnsupportedError: when it is called with an array under differentiation in an argument without a rule; when
            the transpose of a rule that is not linear is needed.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> @rg.primitive(reverse={"x": lambda g, x, out: -g * out / (1.0 + x)})
        ... def fraction(x):
        ...     return 1.0 / (1.0 + np.asarray(x))
        >>> rg.grad(fraction)(1.0), rg.grad(rg.grad(fraction))(1.0)
        (np.float64(-0.25), np.float64(0.25))
    """
    if function is None:
        return functools.partial(
            primitive,
            reverse=reverse,
            forward=forward,
            linear=linear,
            constant=constant,
            static=static,
            outputs=outputs,
            result=result,
        )
    name = getattr(function, "__name__", type(function).__name__)
    operands, constants = _parameters(name, function, _names(static))
    declared = {"reverse": reverse, "forward": forward, "linear": _names(linear), "constant": _names(constant)}
    for kind, given in declared.items():
        if not set(operands).issuperset(given):
            raise UsageError(f"primitive {name!r} has {kind} for {list(given)}; its arguments are {list(operands)}")
    if not set(reverse).issuperset(declared["linear"]):
        raise UsageError(
            f"primitive {name!r} is linear in {list(declared['linear'])}, which is its forward rule, and has reverse "
            f"rules for {list(reverse)}; declare the reverse rule of each"
        )
    missing = tuple(x for x in operands if not any(x in given for given in declared.values()))
    rules = Rules(name, _names(outputs))
    pulls = {x: rules.reverse(x, rule) for x, rule in reverse.items()}
    pushes = {x: rules.forward(x, rule) for x, rule in forward.items()}
    none = {x: rules.missing(x) for x in missing}
    derived_pulls = {x: rules.reverse_from(x, push) for x, push in pushes.items() if x not in pulls}
    derived_pushes = {
        x: rules.forward_from(x, pull) for x, pull in pulls.items() if x not in pushes and x not in declared["linear"]
    }
    declaration = Primitive(
        name,
        rules.evaluate(function),
        operands,
        result=rules.unknown_type if result is None else result,
        static=constants,
        outputs=_names(outputs),
        reverse={**pulls, **derived_pulls, **none},
        forward={**pushes, **derived_pushes, **none},
        linear=tuple(declared["linear"]),
        registered=False,
    )
    return CustomPrimitive(function, declaration, missing)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _parameters(name: str, function: Callable[..., Any], static: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The names of a function's arguments that are arrays, and of those that are Python constants."""
    parameters = inspect.signature(function).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        raise UsageError(f"primitive {name!r} takes *args or **kwargs; name its arguments, each of which needs a rule")
    if not set(parameters).issuperset(static):
        raise UsageError(f"primitive {name!r} has static={list(static)}; its arguments are {list(parameters)}")
    constants = tuple(
        key for key, parameter in parameters.items() if key in static or parameter.kind is parameter.KEYWORD_ONLY
    )
    return tuple(key for key in parameters if key not in constants), constants
