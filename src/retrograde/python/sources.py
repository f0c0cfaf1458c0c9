"""The derivative of a function as text."""

from __future__ import annotations

from typing import Any

from retrograde.autodiff.arguments import Function
from retrograde.errors import UsageError
from retrograde.python.explaining import as_derivative
from retrograde.python.running import example_cotangents, typed


def source(gradient_function: Function, *arguments: Any, backend: str = "python", **options: Any) -> str:
    """The derivative of a function as Python that can be read, run, debugged and differentiated again.

    It has the user's names, `d_x` for the cotangent of `x`, and comments that say which line is reversed. It is what
    runs with `backend="python"`: with a budget, loops that store snapshots and run steps again, as schedules say.

    Args:
        gradient_function: what `rg.grad`, `rg.value_and_grad` or `rg.vjp` returned.
        arguments, options: as it is called with: their dtypes and ranks are those that the text is for.
        backend: "python", or "numba" for the loops that are compiled.

    Returns:
        A module's text. Its function takes the arrays and numbers of the arguments and, behind them, the cotangents of
        the outputs; it returns the gradient, or a tuple of several values. Within a budget it takes the schedules of
        its loops as well, which are those of the sizes of the arguments.

    Raises:
        UsageError: it is no such function, or the backend has no text.
        BudgetError: the budget is too small.
        UnsupportedError: the function has something that cannot be read.
    """
    if backend not in ("python", "numba"):
        raise UsageError(f'backend={backend!r} has no text; ask for "python" or "numba"')
    derivative = as_derivative(gradient_function, "source")
    found, inputs = derivative.specialisation(arguments, options)
    if not found.request.is_planned:
        return found.runnable("joint", backend).text
    values = typed([*inputs, *example_cotangents(found, inputs)], found.programs["joint"])
    return found.prepared("joint", values, backend)[0].text
