"""Callables that own their arguments: a list that they clear, so that what was handed over is really released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx
from torch.fx.graph import _BoxedCodeGen

Boxed = Callable[[list[Any]], Any]
"""A function of one list of arguments, which it clears."""


def boxed(run: Boxed) -> Boxed:
    """Mark a function as one that clears its list of arguments, as AOTAutograd asks."""
    run._boxed_call = True  # type: ignore[attr-defined]
    return run


def compile_eagerly(module: fx.GraphModule, _: Any = None) -> Boxed:
    """The generated code of a graph module, running PyTorch's own kernels."""
    module.graph.set_codegen(_BoxedCodeGen())
    module.recompile()
    run = module.forward

    def call(arguments: list[Any]) -> Any:
        return run(arguments)

    return boxed(call)
