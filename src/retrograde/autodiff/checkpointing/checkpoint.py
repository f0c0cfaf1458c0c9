"""`rg.checkpoint`: the face of it, and what stands between the user's containers and the flat lists beneath."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.checkpointing.frozen import frozen, generators
from retrograde.autodiff.checkpointing.segment import evaluate
from retrograde.autodiff.tape.tracked import TrackedArray
from retrograde.errors import UsageError


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, recorded by tapes without what its operations keep; that is recomputed when a gradient passes.

    A tape keeps, of each operation, what its derivative reads. Of a checkpointed call it keeps the arguments, and the
    backward pass calls the function again. A chain of n steps in checkpoints of √n steps each takes the memory of about
    2√n steps and one more forward pass; checkpoints inside of checkpoints take less memory, and more passes. (Volin and
    Ostrovskii 1985; Griewank 1992.)

    Args:
        f: any NumPy code. Arguments and results may be containers of arrays. It has to compute the same again: random
            numbers are drawn again as they were (those of NumPy's and Python's global generators, and of generators
            among the arguments or around the function), and variables around it are read as they were when it was
            called; but what it changes in other objects it changes twice.

    Returns:
        A function of the same arguments. It can be used as a decorator. Where it is called without tracked arrays
        among the arguments it calls `f` and nothing more, as it does for forward derivatives, which keep nothing, and
        on a tape with a budget, which drops by itself. Tracked arrays that `f` reads from around it have their right
        gradients.

    Raises:
        UsageError: when it is called: `f` writes into an array that is not tracked. When the gradient passes: `f`
            called again gave another result, or read other tracked arrays.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> @rg.checkpoint
        ... def layer(weights, x):
        ...     return np.tanh(weights @ x)
        >>> rg.grad(lambda x: np.sum(layer(np.eye(2), layer(np.eye(2), x))))(np.zeros(2))
        array([1., 1.])
    """

    @functools.wraps(f)
    def checkpointed(*arguments: Any, **options: Any) -> Any:
        given, rebuild = containers.take_apart((arguments, options))
        if not any(isinstance(leaf, TrackedArray) for leaf in given):
            return f(*arguments, **options)
        call = _Call(f, rebuild)
        guarded = [_read_only(leaf) for leaf in given]
        own = {id(guard): leaf for guard, leaf in zip(guarded, given, strict=True)}
        try:
            results = evaluate(call, guarded, generators(f, given))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise UsageError(
                f"{call.name} was checkpointed and wrote into an array that is not tracked; it would do so again when "
                "it is recomputed. Return the new values instead, or write outside of the checkpoint"
            ) from error
        return call.rebuild_results([own.get(id(result), result) for result in results])

    return checkpointed


class _Call:
    """A call as a function from a list of arrays to a list of arrays, to be made again as it was made first."""

    def __init__(self, function: Callable[..., Any], rebuild: Callable[[Any], Any]) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function: Callable[..., Any] | None = function
        self.frozen = frozen(function)
        self._rebuild = rebuild

    def __call__(self, leaves: list[Any]) -> list[Any]:
        # What the first call does to variables around it, it is to do once.
        function, self._function = self._function or frozen(self.frozen), None
        arguments, options = self._rebuild(leaves)
        results, rebuild = containers.take_apart(function(*arguments, **options))
        if not hasattr(self, "rebuild_results"):
            self.rebuild_results = rebuild
        return results


def _read_only(leaf: Any) -> Any:
    if type(leaf) is not np.ndarray:  # pyright: ignore[reportUnknownArgumentType]
        return leaf
    view = leaf.view()
    view.flags.writeable = False
    return view
