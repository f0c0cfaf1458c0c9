"""Backward passes for those who work with programs themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, overload

from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.autodiff.programs.reversal import reverse
from retrograde.autodiff.programs.splitting import Split, split
from retrograde.errors import UsageError
from retrograde.program.fuse import fuse_loops
from retrograde.program.model import Program
from retrograde.program.simplify import simplify

_POLICIES: dict[str, Literal["nothing", "cheap", "everything"]] = {
    "store_all": "nothing",
    "selective": "cheap",
    "recompute_all": "everything",
}


@overload
def add_backward_pass(
    program: Program,
    outputs: Sequence[str],
    inputs: Sequence[str],
    strategy: str = "store_all",
    autooptimize: bool = False,
    *,
    separate: Literal[False] = False,
    recompute: Collection[str] = (),
) -> Program: ...


@overload
def add_backward_pass(
    program: Program,
    outputs: Sequence[str],
    inputs: Sequence[str],
    strategy: str = "store_all",
    autooptimize: bool = False,
    *,
    separate: Literal[True],
    recompute: Collection[str] = (),
) -> Split: ...


def add_backward_pass(
    program: Program,
    outputs: Sequence[str],
    inputs: Sequence[str],
    strategy: str = "store_all",
    autooptimize: bool = False,
    *,
    separate: bool = False,
    recompute: Collection[str] = (),
) -> Program | Split:
    """A program that computes the gradients of some outputs by some inputs, behind its own outputs.

    Args:
        program: it is not changed.
        outputs: those to differentiate, by name; for each there is an input `d_<name>`, its cotangent.
        inputs: those to differentiate by, by name; for each there is an output `d_<name>`, its gradient.
        strategy: what loops keep for their reverse: `"store_all"`, whatever a rule reads and is not at hand;
            `"selective"`, less where cheap operations are repeated; `"recompute_all"`, little more than what they
            carry. A budget in bytes is for `rg.grad` and its kin, which plan for the sizes of a call.
        autooptimize: put neighbouring loops that run equally often into one, before and after.
        separate: two programs, one to run before the cotangents are there (see `split`).
        recompute: names of variables that are computed once more under every strategy.

    Returns:
        One program, or a `Split`.

    Raises:
        UsageError: a name is not that of an input or output, or there is no such strategy.

    Example:
        >>> import numpy as np
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("squares")
        >>> x = builder.input("x", "float64", ("n",))
        >>> program = add_backward_pass(builder.finish(total=np.sum(x * x)), ["total"], ["x"])
        >>> program(np.array([1.0, 2.0]), 1.0)
        (np.float64(5.0), array([2., 4.]))
    """
    if strategy not in _POLICIES:
        raise UsageError(
            f"strategy {strategy!r} was asked for in a program's backward pass; it has {', '.join(_POLICIES)}. For a "
            "budget or another strategy use rg.grad, rg.value_and_grad or rg.vjp on the function"
        )
    policy = ResidualPolicy(_POLICIES[strategy], recompute)
    forward = fuse_loops(simplify(program)) if autooptimize else program
    joint = reverse(forward, inputs, outputs, policy=policy)
    if autooptimize:
        joint = simplify(fuse_loops(joint))
    return split(joint, [f"d_{name}" for name in outputs], policy) if separate else joint
