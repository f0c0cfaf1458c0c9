"""The adjoints written by hand, which the benchmarks compare with, are right."""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from kernels import KERNELS
from kernels.differences import Problem, assert_gradient
from kernels.registry import Kernel

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

_STENCILS = ["jacobi_1d", "jacobi_2d", "heat_3d", "seidel_2d", "fdtd_2d", "cavity_flow"]
_SOLVERS = ["cholesky", "lu", "trisolv", "durbin"]


@pytest.mark.slow
@pytest.mark.parametrize("name", _STENCILS + _SOLVERS)
def test_an_adjoint_by_hand_is_right_and_changes_nothing(name: str) -> None:
    from kernel_adjoints import ADJOINTS

    kernel: Kernel = KERNELS[name]
    for seed in range(2):
        problem = Problem.of(kernel, seed=seed)
        before = deepcopy((problem.arguments, problem.cotangents))
        gradients = ADJOINTS[name](problem.arguments, problem.cotangents)
        assert_gradient(problem, gradients)
        for kept, now in zip(before, (problem.arguments, problem.cotangents), strict=True):
            assert all(np.array_equal(one, other) for one, other in zip(kept, now, strict=True))
