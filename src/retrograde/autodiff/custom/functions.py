"""Functions with a derivative of their own: `custom_vjp` and `custom_jvp`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

from retrograde.autodiff import containers
from retrograde.autodiff.cotangents import cast
from retrograde.autodiff.custom.calls import (
    Call,
    Signature,
    as_pair,
    checked_leaves,
    checked_outputs,
    has_derivative,
    in_words,
    record,
    templates,
    zeros_in_place_of,
)
from retrograde.autodiff.custom.operations import call_as_operation
from retrograde.autodiff.custom.transposition import Carried, Transpose, zeros_like
from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.batched import Batched
from retrograde.autodiff.forward.dual import Dual
from retrograde.autodiff.tape.tracked import TrackedArray
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.primitive import Array

Function = Callable[..., Any]


class CustomFunction:
    """A function whose derivative is not that of its code, but what it was given."""

    _decorator = ""
    _definition = ""

    def __init__(self, function: Function, static: Sequence[str]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._signature = Signature(self._name, function, static)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function; where an argument is under differentiation, by its rule."""
        call = self._signature.call(arguments, options)
        top = call.top()
        if top is None:
            return self._function(*arguments, **options)
        if isinstance(top, TrackedArray):
            return self._call_on_tape(call, top)
        if isinstance(top, Dual):
            return self._call_on_duals(call, top)
        if isinstance(top, (Accompanied, Batched)):
            return self._call_as_operation(call)
        raise UnsupportedError(
            f"{self._name}, a function of rg.{self._decorator}, was called with a {type(top).__name__}; such functions "
            'work on tapes and duals. Use backend="tape", declare it with rg.primitive, or call a plain function here'
        )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{self._decorator} {self._name}>"

    def _call_on_tape(self, call: Call, top: TrackedArray) -> Any:
        tape = top.node.tape
        mine = [at for at, leaf in enumerate(call.leaves) if isinstance(leaf, TrackedArray) and leaf.node.tape is tape]
        values = [leaf.value if at in mine else leaf for at, leaf in enumerate(call.leaves)]
        if not tape.recording:
            return self(*call.positional(values), **call.options)
        self._complain_if_undefined()
        leaves, structure, pull = self._recorded(call, values, mine, tape.level)
        return record([call.leaves[at] for at in mine], leaves, structure, pull)

    def _call_on_duals(self, call: Call, top: Dual) -> Any:
        mine = {at: leaf for at, leaf in enumerate(call.leaves) if isinstance(leaf, Dual) and leaf.level == top.level}
        values = [mine[at].value if at in mine else leaf for at, leaf in enumerate(call.leaves)]
        tangents = [
            mine[at].tangent if at in mine else zeros_like(leaf) if has_derivative(leaf) else None
            for at, leaf in enumerate(call.leaves)
        ]
        self._complain_if_undefined()
        leaves, structure, pushed = self._pushed(call, values, tangents, top.level)
        return structure.unflatten(
            [
                Dual(leaf, zeros_like(leaf) if d is None else cast(d, leaf.dtype), top.level)
                if has_derivative(leaf)
                else leaf
                for leaf, d in zip(leaves, pushed, strict=True)
            ]
        )

    def _call_as_operation(self, call: Call) -> Any:
        self._complain_if_undefined()
        pushed = functools.partial(self._pushed, call)
        return call_as_operation(self._name, self._function, call, pushed, functools.partial(self._recorded, call))

    def _complain_if_undefined(self) -> None:
        if not self._is_defined():
            raise UsageError(
                f"{self._name} was to be differentiated before it has a rule; give it one with "
                f"{self._name}.{self._definition}"
            )

    def _is_defined(self) -> bool:
        raise NotImplementedError  # pragma: no cover

    def _recorded(
        self, call: Call, values: list[Any], mine: list[int], level: int
    ) -> tuple[list[Any], Any, Callable[[list[Any]], list[Array]]]:
        """Evaluate on values: the results' leaves and structure, and the pullback to the leaves `mine`."""
        raise NotImplementedError  # pragma: no cover

    def _pushed(
        self, call: Call, values: list[Any], tangents: list[Any], level: int
    ) -> tuple[list[Any], Any, Sequence[Any]]:
        """Evaluate on values: the results' leaves and structure, and the leaves' tangents."""
        raise NotImplementedError  # pragma: no cover


class CustomVjp(CustomFunction):
    """What `custom_vjp` makes of a function: it has its pullback from `defvjp`."""

    _decorator = "custom_vjp"
    _definition = "defvjp(forward, backward)"
    _forward: Function | None = None
    _backward: Function | None = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Give the function its pullback.

        Args:
            forward: takes the function's arguments, and returns its result and the residuals: whatever the pullback
                needs, in any container.
            backward: takes the residuals and the cotangent of the result, in the result's container. It returns a
                tuple with a cotangent for each positional argument that is not static: of the argument's shape, or
                None where the argument is a constant to the derivative.
        """
        self._forward = forward
        self._backward = backward

    def _is_defined(self) -> bool:
        return self._backward is not None

    def _recorded(
        self, call: Call, values: list[Any], mine: list[int], level: int
    ) -> tuple[list[Any], Any, Callable[[list[Any]], list[Array]]]:
        leaves, structure, residuals = self._run_forward(call, values, level)
        carry = self._pullback(call, values, residuals, leaves, structure)
        return leaves, structure, lambda cotangents: carry(cotangents, mine)

    def _pushed(
        self, call: Call, values: list[Any], tangents: list[Any], level: int
    ) -> tuple[list[Any], Any, Sequence[Any]]:
        leaves, structure, residuals = self._run_forward(call, values, level)
        carry = self._pullback(call, values, residuals, leaves, structure)
        moving = [at for at, d in enumerate(tangents) if d is not None]
        places = [at for at, leaf in enumerate(leaves) if has_derivative(leaf)]

        def linear(cotangents: list[Array]) -> list[Array]:
            given = dict(zip(places, cotangents, strict=True))
            return carry([given.get(at) for at in range(len(leaves))], moving)

        transpose = Transpose(
            linear,
            [leaves[at] for at in places],
            (
                f"{self._name} was differentiated forward, by the transpose of its backward function",
                "make that linear in the cotangent, give the function its forward rule with rg.custom_jvp, or use "
                "reverse mode (rg.grad, rg.vjp)",
            ),
        )
        pushed = dict(zip(places, transpose([tangents[at] for at in moving]), strict=True))
        return leaves, structure, [pushed.get(at) for at in range(len(leaves))]

    def _run_forward(self, call: Call, values: list[Any], level: int) -> tuple[list[Any], Any, Any]:
        assert self._forward is not None
        who = f"the forward function of {self._name}"
        returned = self._forward(*call.positional(values), **call.options)
        out, residuals = as_pair(who, returned, "the result and the residuals")
        leaves, structure = checked_outputs(who, out, level)
        checked_outputs(f"{who} as residuals", residuals, level)
        return leaves, structure, residuals

    def _pullback(
        self, call: Call, values: list[Any], residuals: Any, leaves: list[Any], structure: Any
    ) -> Callable[[list[Any], list[int]], list[Array]]:
        """From cotangents of the results' leaves to those of some of the arguments' leaves."""
        assert self._backward is not None
        backward, name, names = self._backward, self._name, call.differentiated()
        wanted, given = templates(values), templates(leaves)
        parts: list[Any] = call.structure.children()

        def carry(cotangents: list[Any], mine: list[int]) -> list[Array]:
            one = next(g for g in cotangents if g is not None)
            full = [
                zeros_in_place_of(one, template) if g is None and template else g
                for g, template in zip(cotangents, given, strict=True)
            ]
            returned = backward(residuals, structure.unflatten(full))
            if not isinstance(returned, tuple) or len(returned) != len(parts):  # pyright: ignore[reportUnknownArgumentType]
                raise UsageError(
                    f"the backward function of {name} returned {in_words(returned)}, and a tuple of {len(parts)} was "
                    f"expected, a cotangent for each of {names}; return None for what is a constant"
                )
            found: list[Any] = []
            for argument, part, cotangent in zip(names, parts, returned, strict=True):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                who = f"what the backward function of {name} returned for {argument!r}"
                found += checked_leaves(who, cotangent, part, wanted[len(found) : len(found) + part.num_leaves])
            return [zeros_in_place_of(one, wanted[at]) if found[at] is None else found[at] for at in mine]

        return carry


class CustomJvp(CustomFunction):
    """What `custom_jvp` makes of a function: it has its forward derivative from `defjvp`."""

    _decorator = "custom_jvp"
    _definition = "defjvp(rule)"
    _rule: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """Give the function its forward derivative. It can decorate the rule.

        Args:
            rule: takes the tuple of the arguments that are not static, the tuple of their tangents (zeros for what is
                constant, None for what can have none), and the static ones by name. It returns the result and its
                tangent, in the same container. It has to be linear in the tangents.
        """
        self._rule = rule
        return rule

    def _is_defined(self) -> bool:
        return self._rule is not None

    def _recorded(
        self, call: Call, values: list[Any], mine: list[int], level: int
    ) -> tuple[list[Any], Any, Callable[[list[Any]], list[Array]]]:
        constants = [zeros_like(leaf) if has_derivative(leaf) else None for leaf in values]
        results: list[Any] = []

        def linear(tangents: list[Array]) -> list[Array]:
            full = list(constants)
            for at, d in zip(mine, tangents, strict=True):
                full[at] = d
            leaves, structure, pushed = self._run_rule(call, values, full, level)
            results[:] = leaves, structure
            return pushed

        transpose = Transpose(
            linear,
            [values[at] for at in mine],
            (
                f"{self._name} was differentiated in reverse, by the transpose of its forward rule",
                "make that linear in the tangents, or give the function its pullback with rg.custom_vjp",
            ),
        )
        leaves, structure = results
        return leaves, structure, transpose

    def _pushed(
        self, call: Call, values: list[Any], tangents: list[Any], level: int
    ) -> tuple[list[Any], Any, Sequence[Any]]:
        return self._run_rule(call, values, tangents, level)

    def _run_rule(
        self, call: Call, values: list[Any], tangents: list[Any], level: int
    ) -> tuple[list[Any], Any, list[Any]]:
        assert self._rule is not None
        who = f"the forward rule of {self._name}"
        returned = self._rule(call.containers(values), call.containers(tangents), **call.constants())
        out, tangent = as_pair(who, returned, "the result and its tangent")
        if any(isinstance(leaf, Carried) for leaf in containers.flatten(out)[0]):
            raise UsageError(f"{who} returned a result that depends on the tangents; return the function's value first")
        leaves, structure = checked_outputs(who, out, level)
        return leaves, structure, checked_leaves(f"the tangent that {who} returned", tangent, structure, leaves)


def custom_vjp(function: Function | None = None, *, static: Sequence[str] = ()) -> Any:
    """Give a function a pullback of its own, in place of that of its code.

    For derivatives that are cheaper or more stable when written by hand, for functions that are not NumPy code, and
    for changes to what flows backward, such as clipping.

    Args:
        function: any function; its positional arguments and its result are arrays or containers of arrays.
        static: names of arguments that are no arrays: neither differentiated nor taken apart. Keyword-only arguments
            are static, too.

    Returns:
        The function, with a method `defvjp(forward, backward)` that gives it its pullback. Both run on plain arrays
        when one derivative is taken. When more are taken, they are differentiated themselves: then they have to be
        NumPy code, or call functions with rules. A `forward` that calls the function itself has its result
        differentiated by the rule at every order. Forward mode works, too, where `backward` is linear in the cotangent:
        it is transposed.

    Raises:
        UsageError: when it is differentiated: it has no rule yet, or what the rule returned has another structure,
            shape or dtype than expected.
        UnsupportedError: forward mode was asked for, and `backward` is not linear in the cotangent.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> @rg.custom_vjp
        ... def clip_gradient(x, limit):
        ...     return x
        >>> def forward(x, limit):
        ...     return x, limit
        >>> def backward(limit, g):
        ...     return np.clip(g, -limit, limit), None
        >>> clip_gradient.defvjp(forward, backward)
        >>> rg.grad(lambda x: np.sum(100.0 * clip_gradient(x, 1.0)))(np.array([1.0, 2.0]))
        array([1., 1.])
    """
    return functools.partial(custom_vjp, static=static) if function is None else CustomVjp(function, static)


def custom_jvp(function: Function | None = None, *, static: Sequence[str] = ()) -> Any:
    """Give a function a forward derivative of its own, in place of that of its code; reverse mode transposes it.

    The shortest way to a rule for both modes.

    Args:
        function: any function; its positional arguments and its result are arrays or containers of arrays.
        static: names of arguments that are no arrays: neither differentiated nor taken apart. Keyword-only arguments
            are static, too.

    Returns:
        The function, with a method `defjvp(rule)` that gives it its derivative, from the arguments and their tangents
        to the result and its tangent. The rule is NumPy code, linear in the tangents, and is differentiated
        itself where more derivatives are taken.

    Raises:
        UsageError: when it is differentiated: it has no rule yet, or what the rule returned has another structure,
            shape or dtype than expected.
        UnsupportedError: reverse mode was asked for, and the rule is not linear in the tangents.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> @rg.custom_jvp
        ... def straight_through(x):
        ...     return np.round(x)
        >>> @straight_through.defjvp
        ... def rule(primals, tangents):
        ...     return straight_through(*primals), tangents[0]
        >>> rg.grad(lambda x: np.sum(straight_through(x) * x))(np.array([0.7, 2.2]))
        array([1.7, 4.2])
    """
    return functools.partial(custom_jvp, static=static) if function is None else CustomJvp(function, static)
