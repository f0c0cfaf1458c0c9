"""The kernels rewritten for JAX have the same gradients; needs JAX."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from kernels import KERNELS
from kernels.differences import Problem, assert_gradient

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
pytest.importorskip("jax.numpy", reason="JAX is not installed")


@pytest.mark.slow
def test_kernels_in_jax_have_right_gradients() -> None:
    from kernel_peers.in_jax import IN_JAX, cotangents_of, gradient

    assert len(IN_JAX) > 40
    for name in IN_JAX:
        problem = Problem.of(KERNELS[name])
        compiled, floats, _ = gradient(problem.kernel, problem.arguments)
        found = compiled(floats, cotangents_of(problem.cotangents))
        assert_gradient(problem, tuple(np.conj(np.asarray(part)) for part in found))
