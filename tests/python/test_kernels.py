"""Gradients of every kernel, by every argument, against finite differences with random cotangents."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from kernels import KERNELS
from kernels.differences import Problem, assert_gradient, outputs_of

import retrograde as rg
from retrograde.autodiff.containers import leaves

COMPILED_FIRST = (
    "gemm",
    "cholesky",
    "trisolv",
    "durbin",
    "jacobi_2d",
    "seidel_2d",
    "spmv",
    "piecewise_relaxation",
    "newton_root",
)
"""Compiled in every run of the tests; the others in the slow ones."""


def differentiated(problem: Problem, backend: str) -> tuple[Any, tuple[Any, ...]]:
    """The outputs by name, and the gradients by the kernel's `wrt`."""
    kernel = problem.kernel
    several = len(kernel.of) > 1
    function = rg.vjp(kernel.function, wrt=kernel.wrt, of=kernel.of if several else kernel.of[0], backend=backend)
    outputs, pullback = function(*problem.arguments)
    gradients = pullback(problem.cotangents if several else problem.cotangents[0])
    return outputs if several else (outputs,), gradients


def check(name: str, backend: str) -> None:
    problem = Problem.of(KERNELS[name])
    before = deepcopy(problem.arguments)
    outputs, gradients = differentiated(problem, backend)
    for found, expected in zip(leaves(outputs), leaves(outputs_of(problem.kernel, before)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert_gradient(problem, gradients)
    assert all(map(np.array_equal, leaves(problem.arguments), leaves(before)))


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_has_the_right_gradient_as_python(name: str) -> None:
    check(name, "python")


@pytest.mark.parametrize("name", COMPILED_FIRST)
def test_a_kernel_has_the_right_gradient_compiled(name: str) -> None:
    check(name, "numba")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KERNELS if name not in COMPILED_FIRST])
def test_every_other_kernel_has_the_right_gradient_compiled(name: str) -> None:
    check(name, "numba")
