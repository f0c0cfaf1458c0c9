"""Dense linear algebra: products of matrices and vectors, whole or by triangles."""

from __future__ import annotations

from typing import Any

from kernels.registry import Family, Random

DENSE = Family("dense")


def gemm(alpha, beta, C, A, B):
    """C becomes alpha A B + beta C."""
    C[:] = alpha * A @ B + beta * C


def gemm_arguments(random: Random, NI: int, NJ: int, NK: int) -> tuple[Any, ...]:
    return (
        1.5,
        1.2,
        random.standard_normal((NI, NJ)),
        random.standard_normal((NI, NK)),
        random.standard_normal((NK, NJ)),
    )


DENSE.add(
    gemm,
    gemm_arguments,
    kind="dense",
    wrt="alpha beta C A B",
    of="C",
    tiny={"NI": 3, "NJ": 4, "NK": 5},
    S={"NI": 1000, "NJ": 1100, "NK": 1200},
    M={"NI": 2500, "NJ": 2750, "NK": 3000},
    paper={"NI": 2000, "NJ": 2300, "NK": 2600},
)
