"""The autograd functions that AOTAutograd builds, made fit for many plans and for cotangents that never come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch._functorch._aot_autograd import runtime_wrappers


@contextlib.contextmanager
def autograd_functions_of_many_plans() -> Iterator[None]:
    """While this lasts, the autograd functions that AOTAutograd builds leave to their plans what it would fix.

    They are handed None for a cotangent that is zero, where autograd by default makes a tensor of zeros of the size
    of the output; and they do not mark saved tensors by their place among those of the first plan.
    """
    factory = runtime_wrappers._AOTDispatchAutogradFunctionFactory
    build = factory.build

    def build_for_many_plans(self: Any) -> type[torch.autograd.Function]:
        self.spec.fw_metadata.dynamic_saved_tensors_idxs = {}
        function = build(self)
        forward = function.forward

        def forward_without_zeros(ctx: Any, *arguments: Any) -> Any:
            ctx.set_materialize_grads(False)
            return forward(ctx, *arguments)

        function.forward = staticmethod(forward_without_zeros)  # type: ignore[method-assign]
        return function

    with mock.patch.object(factory, "build", build_for_many_plans):
        yield
