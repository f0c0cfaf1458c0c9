"""SciPy's functions of one matrix on arrays with a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.program.primitive import Array


def over_batch(function: Callable[..., Array], *matrices: Array, **static: Any) -> Array:
    """The results of a function of matrices for each of a batch; the batches are broadcast together."""
    if all(x.ndim == 2 for x in matrices):
        return function(*matrices, **static)
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in matrices))
    stacks = [np.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:]) for x in matrices]
    if not stacks[0].shape[0]:
        sample = function(*(np.eye(*x.shape[-2:], dtype=x.dtype) for x in matrices), **static)
        return np.empty((*batch, *sample.shape), sample.dtype)
    results = np.stack([function(*one, **static) for one in zip(*stacks, strict=True)])
    return results.reshape(*batch, *results.shape[1:])
