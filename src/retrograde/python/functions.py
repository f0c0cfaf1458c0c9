"""Derivatives of NumPy functions: gradients, pullbacks and forward derivatives, on whatever runs them best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrograde.autodiff.arguments import Function, Wrt, check_primals
from retrograde.autodiff.functions import BudgetLike
from retrograde.errors import UsageError
from retrograde.program.kinds import is_integer
from retrograde.python.derivative import Derivative
from retrograde.python.forward import pushed
from retrograde.python.request import Of, Request

if TYPE_CHECKING:
    from retrograde.python.budget.spilling import DiskLike


def value_and_grad(
    f: Function,
    wrt: Wrt = 0,
    *,
    of: Of = None,
    budget: BudgetLike = None,
    disk: DiskLike = None,
    strategy: str = "auto",
    backend: str = "auto",
    recompute: Sequence[str] = (),
    checkpoint: bool = False,
    threshold: int | None = None,
) -> Function:
    """A function that computes a function's value and gradient.

    Args:
        f: any NumPy code that returns a real scalar.
        wrt: the position or the name of the argument to differentiate by, or a tuple of them. An argument may be a
            container of arrays (tuples, lists and dicts, nested at will).
        of: the output whose gradient is computed, where there are several: `"return"`, `"return_0"` for the first
            array of several that are returned, or the name of an argument that the function changes.
        budget, strategy: the most bytes that may be held, and what is dropped to hold no more: see `GradientTape`. The
            arguments were there before and do not count.
        disk: room for states of loops that the budget has none for, where that is quicker than computing them again:
            the most bytes (`"80 GiB"`), a folder (a `pathlib.Path`), or both (`rg.DiskRoom`).
        recompute: variables of the function, by name, that are computed again in the backward pass in place of being
            kept, if what they are made of can be had.
        checkpoint: the same as `strategy="sqrt"`, for loops of at least 100 iterations: about as many snapshots as the
            square root of their number.
        threshold: loops of fewer iterations keep everything, whatever the strategy.
        backend: `"tape"` runs the function and records it. `"python"` and `"numba"` read its source, once for
            arguments of a kind, and run a program made of it: as NumPy, or as compiled loops. `"auto"` reads functions
            with loops, or that write into arrays, and leaves others to the tape; `rg.explain` says which.

    Returns:
        A function of the same arguments that returns the value and the gradient: in the form of the argument, or a
        tuple of such where `wrt` is a tuple. It changes none of its arguments, even where the function does.

    Raises:
        UsageError: when it is called: the result is no real scalar, `wrt` or `of` names nothing, an argument to
            differentiate by is not of a floating or complex type.
        UnsupportedError: when it is called: something in the function cannot be read. The message names the line, and
            what to write instead; `backend="tape"` runs whatever Python runs.
        BudgetError: when it is called: there is no room for an operation.
        TierError: when it is called: the disk is full; the message names the folder. The arguments are as they were.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
        (np.float64(5.0), array([2., 4.]))
    """
    limits = _limits(budget, disk, strategy, recompute, checkpoint, threshold)
    return Derivative(f, Request("value_and_grad", wrt, of, backend, **limits))


def grad(
    f: Function,
    wrt: Wrt = 0,
    *,
    of: Of = None,
    budget: BudgetLike = None,
    disk: DiskLike = None,
    strategy: str = "auto",
    backend: str = "auto",
    recompute: Sequence[str] = (),
    checkpoint: bool = False,
    threshold: int | None = None,
) -> Function:
    """A function that computes a function's gradient: `value_and_grad` without the value, and with its arguments.

    What only the value needs is not computed where the source is read.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> rg.grad(np.sin)(0.0)
        np.float64(1.0)
        >>> rg.grad(rg.grad(np.sin))(0.5) == -np.sin(0.5)
        np.True_
    """
    limits = _limits(budget, disk, strategy, recompute, checkpoint, threshold)
    return Derivative(f, Request("grad", wrt, of, backend, **limits))


def vjp(
    f: Function,
    wrt: Wrt | None = None,
    *,
    of: Of = None,
    budget: BudgetLike = None,
    disk: DiskLike = None,
    strategy: str = "auto",
    backend: str = "auto",
    recompute: Sequence[str] = (),
    checkpoint: bool = False,
    threshold: int | None = None,
) -> Function:
    """A function that computes a function's outputs and its pullback, from their cotangents to those of the arguments.

    Args:
        f: any NumPy code; it returns an array or a container of arrays, or changes its arguments.
        wrt: as in `value_and_grad`; None for all positional arguments. The gradient of those without a floating or
            complex array in them is then None.
        of: as in `value_and_grad`, or a tuple of such. None for what the function returns; where it returns nothing,
            the argument that it changes, or the tuple of them.
        budget, disk, strategy, recompute, checkpoint, threshold, backend: as in `value_and_grad`.

    Returns:
        A function of the same arguments that returns the outputs and the pullback. The pullback takes a cotangent for
        each output, in the same container, and can be called any number of times; what it holds is freed with it.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> out, pullback = rg.vjp(lambda x: np.sin(x))(np.array([0.0, 1.0]))
        >>> pullback(np.array([2.0, 0.0]))
        (array([2., 0.]),)
    """
    limits = _limits(budget, disk, strategy, recompute, checkpoint, threshold)
    return Derivative(f, Request("vjp", wrt, of, backend, **limits))


def jvp(
    f: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], *, of: Of = None, backend: str = "auto"
) -> tuple[Any, Any]:
    """A function's value, and its derivative in a direction, computed together in one forward pass.

    Forward mode on dual numbers (Wengert 1964). The cost is about twice that of the function, and nothing is stored.

    Args:
        f: any NumPy code.
        primals: the arguments; each an array or a container of arrays.
        tangents: the direction: for each argument the same, with a tangent in the place of each array. In the place of
            an argument without a floating or complex array in it (a number of steps) there is 0 or None.
        of: as in `vjp`.
        backend: `"tape"` runs the function on dual numbers; the others make a program of its source that computes the
            tangents beside the values. `"auto"` chooses as for `value_and_grad`.

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
    return pushed(f, Request("jvp", None, of, backend), primals, tangents)


def _limits(
    budget: BudgetLike,
    disk: DiskLike,
    strategy: str,
    recompute: Sequence[str],
    checkpoint: bool,
    threshold: int | None,
) -> dict[str, Any]:
    if isinstance(recompute, str):
        raise UsageError(f"recompute={recompute!r} is one name; give a list of names: [{recompute!r}]")
    if threshold is not None and (not is_integer(threshold) or threshold < 0):
        raise UsageError(f"threshold={threshold!r} is no number of iterations; give an int, 0 or more")
    if checkpoint:
        if strategy not in ("auto", "sqrt"):
            raise UsageError(
                f'checkpoint=True means strategy="sqrt", and strategy={strategy!r} was given; leave one out'
            )
        strategy, threshold = "sqrt", 100 if threshold is None else threshold
    names = tuple(recompute)
    return {"budget": budget, "disk": disk, "strategy": strategy, "recompute": names, "threshold": threshold}
