"""Primitives on their samples, as functions of the operands that have derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rule_samples import SAMPLES
from samples.sample import Sample

from retrograde import rules
from retrograde.program import PRIMITIVES
from retrograde.program.types import is_differentiable

assert rules  # importing it declares the primitives
DIFFERENTIABLE = [
    pytest.param(name, sample, id=f"{name} {sample}")
    for name in sorted(PRIMITIVES)
    for sample in SAMPLES.get(name, [])
    if PRIMITIVES[name].reverse and "stack" not in name
]


def _is_real(case: Any) -> bool:
    return not any(np.iscomplexobj(operand) for operand in case.values[1].operands if hasattr(operand, "shape"))


REAL = [case for case in DIFFERENTIABLE if _is_real(case)]


def operation(name: str, sample: Sample) -> tuple[Callable[..., tuple[Any, ...]], list[Any]]:
    """A function that returns the results that have derivatives, and its arguments."""
    primitive = PRIMITIVES[name]
    names = primitive.names(len(sample.operands))
    places = [
        at
        for at, operand in enumerate(names)
        if operand in primitive.reverse and is_differentiable(np.asarray(sample.operands[at]).dtype)
    ]

    def f(*inputs: Any) -> tuple[Any, ...]:
        operands = list(sample.operands)
        for at, value in zip(places, inputs, strict=True):
            operands[at] = value
        outs = primitive(*operands, **sample.static)
        outs = outs if primitive.outputs else (outs,)
        outs = sample.through(*outs) if sample.through else outs
        return tuple(out for out in outs if is_differentiable(out.dtype))

    return f, [np.asarray(sample.operands[at])[()] for at in places]


def random_like(arrays: Any, seed: int) -> tuple[Any, ...]:
    """Random arrays of the shapes and dtypes of others."""
    random = np.random.default_rng(seed)

    def drawn(x: Any) -> Any:
        values = random.standard_normal(x.shape)
        return np.asarray(values + 1j * random.standard_normal(x.shape) if np.iscomplexobj(x) else values)[()]

    return tuple(drawn(x).astype(x.dtype) for x in arrays)


def curved(outs: tuple[Any, ...]) -> Any:
    """A real scalar of results, nonlinear in each."""
    weights = random_like(outs, 11)
    return sum(np.sum(np.real(np.conjugate(w) * np.sin(out) * out)) for w, out in zip(weights, outs, strict=True))
