"""Derivatives of functions: gradients, pullbacks, forward derivatives, and second ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function, Wrt, check_primals, name_of, places_of
from retrograde.autodiff.budgeted import output
from retrograde.autodiff.forward.dual import Dual
from retrograde.autodiff.tape.gradient_tape import GradientTape
from retrograde.autodiff.tape.tracked import TrackedArray
from retrograde.errors import UsageError
from retrograde.planning import Budget
from retrograde.program.dispatch import new_level
from retrograde.program.primitive import Array
from retrograde.program.types import is_differentiable

BudgetLike: TypeAlias = int | str | SupportsIndex | Budget | None


def value_and_grad(f: Function, wrt: Wrt = 0, *, budget: BudgetLike = None, strategy: str = "auto") -> Function:
    """A function that computes a function's value and gradient.

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: the position or the name of the argument to differentiate by, or a tuple of them. An argument may be a
            container of arrays (tuples, lists and dicts, nested at will).
        budget, strategy: the most bytes that may be held, and what is dropped to hold no more: see `GradientTape`. The
            arguments were there before and do not count.

    Returns:
        A function of the same arguments that returns the value and the gradient: in the form of the argument, or a
        tuple of such where `wrt` is a tuple.

    Raises:
        UsageError: when it is called: the result is no real scalar, `wrt` names no argument, an argument to
            differentiate by is not of a floating or complex type.
        BudgetError: when it is called: there is no room for an operation.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
        (np.float64(5.0), array([2., 4.]))
    """

    def derivative(*arguments: Any, **options: Any) -> tuple[Any, Any]:
        limits = {"budget": budget, "strategy": strategy}
        value, sources, gradient = _record(f, wrt, arguments, options, persistent=False, limits=limits)
        if not hasattr(value, "shape"):
            raise _no_scalar(f, f"a {type(value).__name__}")
        if value.shape != () or value.dtype.kind == "c":
            raise _no_scalar(f, f"an array of shape {value.shape} and dtype {value.dtype}")
        return _untracked(value, sources), gradient(value)

    return derivative


def grad(f: Function, wrt: Wrt = 0, *, budget: BudgetLike = None, strategy: str = "auto") -> Function:
    """A function that computes a function's gradient: `value_and_grad` without the value.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.grad(np.sin)(0.0)
        np.float64(1.0)
        >>> rg.grad(rg.grad(np.sin))(0.5) == -np.sin(0.5)
        np.True_
    """
    both = value_and_grad(f, wrt, budget=budget, strategy=strategy)

    def derivative(*arguments: Any, **options: Any) -> Any:
        return both(*arguments, **options)[1]

    return derivative


def vjp(f: Function, wrt: Wrt | None = None, *, budget: BudgetLike = None, strategy: str = "auto") -> Function:
    """A function that computes a function's outputs and its pullback, from their cotangents to those of the arguments.

    Args:
        f: any NumPy code; it returns an array or a container of arrays.
        wrt: as in `value_and_grad`; None for all arguments.
        budget, strategy: as in `value_and_grad`.

    Returns:
        A function of the same arguments that returns the outputs and the pullback. The pullback takes a cotangent for
        each output, in the same container, and can be called any number of times; the recording is freed with it.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> out, pullback = rg.vjp(lambda x: np.sin(x))(np.array([0.0, 1.0]))
        >>> pullback(np.array([2.0, 0.0]))
        (array([2., 0.]),)
    """

    def derivative(*arguments: Any, **options: Any) -> tuple[Any, Function]:
        chosen = tuple(range(len(arguments))) if wrt is None else wrt
        limits = {"budget": budget, "strategy": strategy}
        value, sources, gradient = _record(f, chosen, arguments, options, persistent=True, limits=limits)
        outputs = containers.map_leaves(lambda leaf: _untracked(leaf, sources), value)

        def pullback(cotangents: Any) -> Any:
            return gradient(value, cotangents)

        return outputs, pullback

    return derivative


def jvp(f: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """A function's value, and its derivative in a direction, computed together in one forward pass.

    Forward mode on dual numbers (Wengert 1964). The cost is about twice that of the function, and nothing is stored.

    Args:
        f: any NumPy code.
        primals: the arguments; each an array or a container of arrays.
        tangents: the direction: for each argument the same, with a tangent in the place of each array.

    Returns:
        The value and its tangent, in the same container.

    Raises:
        UsageError: the primals are no tuple, the tangents are not built as they are, or one has another shape.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.jvp(lambda x: np.sum(x * x), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
        (np.float64(5.0), np.float64(2.0))
    """
    check_primals(primals)
    level = new_level()
    pairs = zip(containers.leaves(primals), containers.leaves_like(primals, tangents), strict=True)
    duals = [_dual(value, tangent, position, level) for position, (value, tangent) in enumerate(pairs)]
    out = f(*containers.rebuild(primals, duals))
    return containers.map_leaves(lambda leaf: _primal(leaf, level), out), containers.map_leaves(
        lambda leaf: _tangent(leaf, level), out
    )


def hvp(f: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """The product of a scalar function's Hessian with a vector, without the Hessian: forward over reverse.

    (Pearlmutter 1994, "Fast exact multiplication by the Hessian".)

    Args:
        f: any NumPy code that returns a real scalar.
        primals: the arguments, all of which the Hessian is of.
        tangents: the vector, in the form of the arguments.

    Returns:
        The product, in the form of the arguments: a tuple.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.hvp(lambda x: np.sum(x * x * x), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
        (array([ 6., 12.]),)
    """
    check_primals(primals)
    return jvp(grad(f, tuple(range(len(primals)))), primals, tangents)[1]


def _record(
    f: Function,
    wrt: Wrt,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    *,
    persistent: bool,
    limits: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Any, GradientTape, Function]:
    """Run a function on a tape: what it returned, the tape, and what computes its gradient."""
    several = isinstance(wrt, tuple)
    places = places_of(f, wrt if several else (wrt,), arguments, options)
    tape = GradientTape(persistent=persistent, **limits)
    if tape.border is not None:
        containers.map_leaves(tape.border.foreign, (arguments, options))
    with tape:
        sources = {
            place: tape.watch(arguments[place] if isinstance(place, int) else options[place]) for place in places
        }
        originals = tuple(containers.map_leaves(_twin, sources[place]) for place in places)
        positional = tuple(sources.get(at, argument) for at, argument in enumerate(arguments))
        value = f(*positional, **{name: sources.get(name, option) for name, option in options.items()})

    def gradient(targets: Any, cotangents: Any = None) -> Any:
        found = containers.leaves(targets)
        given = [None] * len(found) if cotangents is None else containers.leaves_like(targets, cotangents)
        recorded = [at for at, target in enumerate(found) if _is_of(target, tape)]
        outputs = [found[at] for at in recorded]
        return tape.gradient(
            outputs[0] if cotangents is None and len(outputs) == 1 else outputs,
            originals if several else originals[0],
            None if cotangents is None else [given[at] for at in recorded],
            unconnected="zero",
        )

    return value, tape, gradient


def _twin(source: TrackedArray) -> TrackedArray:
    """The same source under another name, so that the function may write into the one it is given."""
    return TrackedArray(source.value, source.node)


def _is_of(array: Any, tape: GradientTape) -> bool:
    return isinstance(array, TrackedArray) and array.node.tape is tape


def _untracked(array: Any, tape: GradientTape) -> Any:
    return output(array.value if _is_of(array, tape) else array)


def _dual(value: Any, tangent: Any, position: int, level: int) -> Dual:
    return Dual(*in_direction(value, tangent, position), level)


def in_direction(value: Any, tangent: Any, position: int) -> tuple[Any, Any]:
    """A primal and its tangent as arrays.

    Raises:
        UsageError: the primal has no derivative, or the tangent another shape.
    """
    value = value if hasattr(value, "dtype") else np.asarray(value)[()]
    tangent = tangent if hasattr(tangent, "dtype") else np.asarray(tangent, value.dtype)[()]
    if not is_differentiable(value.dtype) or tangent.shape != value.shape:
        raise UsageError(
            f"primal {position} has dtype {value.dtype} and shape {value.shape}, its tangent shape {tangent.shape}; "
            "a primal is floating or complex, and its tangent has its shape"
        )
    return value, tangent


def _primal(leaf: Any, level: int) -> Any:
    return leaf.value if isinstance(leaf, Dual) and leaf.level == level else leaf


def _tangent(leaf: Any, level: int) -> Array:
    if isinstance(leaf, Dual) and leaf.level == level:
        return leaf.tangent
    return np.zeros_like(leaf)  # pyright: ignore[reportUnknownVariableType]


def _no_scalar(f: Function, found: str) -> UsageError:
    return UsageError(
        f"the gradient of {name_of(f)} was asked for, which returned {found}; a gradient is that of a real scalar: "
        "reduce the result (np.sum), or use rg.vjp"
    )
