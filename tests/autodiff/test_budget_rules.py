"""Every rule of every primitive on a tape with a budget: the same bits, whatever is dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rule_samples import SAMPLES
from samples.sample import Sample

import retrograde as rg
from retrograde.autodiff.budgeted import pool
from retrograde.program import PRIMITIVES
from retrograde.program.types import is_differentiable

_CASES = [
    pytest.param(name, sample, id=f"{name} {sample}")
    for name in sorted(PRIMITIVES)
    if PRIMITIVES[name].reverse and "stack" not in name
    for sample in SAMPLES.get(name, [])[:3]
]


@pytest.fixture(autouse=True)
def _everything_is_worth_dropping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "TINY_BYTES", 0)


def _curved(name: str, sample: Sample) -> tuple[Any, list[Any]]:
    """A scalar of a primitive's results, in which operands are read before and after; and the operands to vary."""
    primitive = PRIMITIVES[name]
    names = primitive.names(len(sample.operands))
    varied = [
        operand in primitive.reverse and is_differentiable(np.asarray(value).dtype)
        for operand, value in zip(names, sample.operands, strict=True)
    ]
    places = [at for at, varies in enumerate(varied) if varies]

    def scalar(*inputs: Any) -> Any:
        operands = list(sample.operands)
        for at, value in zip(places, inputs, strict=True):
            operands[at] = +value
        outs = primitive(*operands, **sample.static)
        outs = outs if primitive.outputs else (outs,)
        outs = sample.through(*outs) if sample.through else outs
        smooth = [np.sin(out) * out for out in outs if is_differentiable(out.dtype)]
        return sum(np.sum(np.real(part * np.conjugate(part))) for part in smooth)

    return scalar, [np.asarray(sample.operands[at]) for at in places]


@pytest.mark.parametrize(("name", "sample"), _CASES)
def test_gradients_are_the_same_where_everything_is_dropped(name: str, sample: Sample) -> None:
    scalar, inputs = _curved(name, sample)
    every = tuple(range(len(inputs)))
    value, gradients = rg.value_and_grad(scalar, every, backend="tape")(*inputs)
    found_value, found = rg.value_and_grad(scalar, every, strategy="recompute_all", backend="tape")(*inputs)
    assert type(found_value) is type(value)
    np.testing.assert_array_equal(found_value, value)
    for one, other in zip(found, gradients, strict=True):
        assert (type(one), one.dtype) == (type(other), other.dtype)
        np.testing.assert_array_equal(one, other)
