"""A batch through a primitive gives what each of its arrays gives alone, for every primitive."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from rule_samples import SAMPLES
from samples.sample import Sample

from retrograde.autodiff.forward.batched import Batched
from retrograde.autodiff.forward.batching import RULES
from retrograde.errors import UnsupportedError
from retrograde.program import PRIMITIVES
from retrograde.program.dispatch import new_level

_COUNT = 3
_CASES = [
    pytest.param(name, sample, id=f"{name} {sample}")
    for name in sorted(PRIMITIVES)
    for sample in SAMPLES.get(name, [])
    if PRIMITIVES[name].reverse and "stack" not in name
]


def _batches(sample: Sample, places: list[int], level: int) -> list[Any]:
    """Each operand of the sample, scaled differently for each direction at the places."""
    factors = 1.0 - 0.001 * np.arange(_COUNT)
    return [
        Batched(np.stack([np.asarray(operand * factor, np.asarray(operand).dtype) for factor in factors]), level)
        if at in places
        else operand
        for at, operand in enumerate(sample.operands)
    ]


@pytest.mark.parametrize(("name", "sample"), _CASES)
def test_a_batch_gives_what_its_arrays_give(name: str, sample: Sample) -> None:
    primitive = PRIMITIVES[name]
    names = primitive.names(len(sample.operands))
    places = [at for at, operand in enumerate(names) if operand in primitive.reverse]
    for chosen in {(place,) for place in places} | {tuple(places)}:
        level = new_level()
        operands = _batches(sample, list(chosen), level)
        found = primitive(*operands, **sample.static)
        for turn in range(_COUNT):
            each = [operand.stack[turn] if isinstance(operand, Batched) else operand for operand in operands]
            expected = primitive(*each, **sample.static)
            pairs = zip(found, expected, strict=True) if primitive.outputs else [(found, expected)]
            for batch, alone in pairs:
                assert (batch.shape, batch.dtype) == (alone.shape, alone.dtype)
                np.testing.assert_allclose(batch.stack[turn], alone, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [*sorted(RULES), "sin", "divide", "where", "erf"])
def test_a_batch_goes_through_at_once_where_a_rule_says_how(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one sample at least, and one operand."""
    monkeypatch.setattr(Batched, "_one_by_one", None)
    primitive = PRIMITIVES[name]
    served = 0
    for sample in SAMPLES[name]:
        names = primitive.names(len(sample.operands))
        for place in [at for at, operand in enumerate(names) if operand in primitive.reverse or name == "size"]:
            with contextlib.suppress(TypeError):
                served += bool(primitive(*_batches(sample, [place], new_level()), **sample.static) is not None)
    assert served


def test_a_batch_decides_no_branch() -> None:
    with pytest.raises(UnsupportedError, match="a tangent or cotangent was to decide a branch"):
        bool(Batched(np.ones(2), 1))
