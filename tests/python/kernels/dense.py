"""Dense linear algebra: products of matrices and vectors, whole or by triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

DENSE = Family("dense")


def gemm(alpha, beta, C, A, B):
    """C becomes alpha A B + beta C."""
    C[:] = alpha * A @ B + beta * C


def gemm_arguments(random: Random, NI: int, NJ: int, NK: int) -> tuple[Any, ...]:
    shapes = ((NI, NJ), (NI, NK), (NK, NJ))
    return 1.5, 1.2, *(random.standard_normal(shape) for shape in shapes)


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


def k2mm(alpha, beta, A, B, C, D):
    """D becomes alpha A B C + beta D."""
    D[:] = alpha * A @ B @ C + beta * D


def k2mm_arguments(random: Random, NI: int, NJ: int, NK: int, NL: int) -> tuple[Any, ...]:
    shapes = ((NI, NK), (NK, NJ), (NJ, NL), (NI, NL))
    return 1.5, 1.2, *(random.standard_normal(shape) for shape in shapes)


DENSE.add(
    k2mm,
    k2mm_arguments,
    kind="dense",
    wrt="alpha beta A B C D",
    of="D",
    tiny={"NI": 2, "NJ": 3, "NK": 4, "NL": 5},
    S={"NI": 800, "NJ": 850, "NK": 900, "NL": 950},
    M={"NI": 2000, "NJ": 2250, "NK": 2500, "NL": 2750},
    paper={"NI": 3200, "NJ": 3600, "NK": 4400, "NL": 4800},
)


def k3mm(A, B, C, D):
    """The product of four matrices."""
    return A @ B @ C @ D


def k3mm_arguments(random: Random, NI: int, NJ: int, NK: int, NL: int, NM: int) -> tuple[Any, ...]:
    shapes = ((NI, NK), (NK, NJ), (NJ, NM), (NM, NL))
    return tuple(random.standard_normal(shape) for shape in shapes)


DENSE.add(
    k3mm,
    k3mm_arguments,
    kind="dense",
    wrt="A B C D",
    tiny={"NI": 2, "NJ": 3, "NK": 4, "NL": 5, "NM": 6},
    S={"NI": 800, "NJ": 850, "NK": 900, "NL": 950, "NM": 1000},
    M={"NI": 2000, "NJ": 2200, "NK": 2400, "NL": 2600, "NM": 2800},
    paper={"NI": 3200, "NJ": 3600, "NK": 4000, "NL": 4400, "NM": 4800},
)


def atax(A, x):
    """A transposed times A times x."""
    return (A @ x) @ A


def atax_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return random.standard_normal((M, N)), random.standard_normal(N)


DENSE.add(
    atax,
    atax_arguments,
    kind="dense",
    wrt="A x",
    tiny={"M": 4, "N": 5},
    S={"M": 4000, "N": 5000},
    M={"M": 10000, "N": 12500},
    paper={"M": 18000, "N": 22000},
)


def bicg(A, p, r):
    """The two products of a step of the biconjugate gradient method."""
    return r @ A, A @ p


def bicg_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return random.standard_normal((N, M)), random.standard_normal(M), random.standard_normal(N)


DENSE.add(
    bicg,
    bicg_arguments,
    kind="dense",
    wrt="A p r",
    tiny={"M": 4, "N": 5},
    S={"M": 4000, "N": 5000},
    M={"M": 10000, "N": 12500},
    paper={"M": 18000, "N": 22000},
)


def mvt(x1, x2, y_1, y_2, A):
    """A matrix and its transpose times a vector each, added to two others."""
    x1 += A @ y_1
    x2 += y_2 @ A


def mvt_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return *(random.standard_normal(N) for _ in range(4)), random.standard_normal((N, N))


DENSE.add(
    mvt,
    mvt_arguments,
    kind="dense",
    wrt="x1 x2 y_1 y_2 A",
    of="x1 x2",
    tiny={"N": 5},
    S={"N": 5500},
    M={"N": 11000},
    paper={"N": 16000},
)


def gemver(alpha, beta, A, u1, v1, u2, v2, w, x, y, z):
    """Two updates of rank one, and two products with the matrix that results."""
    A += np.outer(u1, v1) + np.outer(u2, v2)
    x += beta * y @ A + z
    w += alpha * A @ x


def gemver_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return 1.5, 1.2, random.standard_normal((N, N)), *(random.standard_normal(N) for _ in range(8))


DENSE.add(
    gemver,
    gemver_arguments,
    kind="dense",
    wrt="alpha beta A u1 v1 u2 v2 w x y z",
    of="A w x",
    tiny={"N": 4},
    S={"N": 1000},
    M={"N": 3000},
    paper={"N": 8000},
)


def gesummv(alpha, beta, A, B, x):
    """The sum of two products of a matrix and a vector."""
    return alpha * A @ x + beta * B @ x


def gesummv_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return 1.5, 1.2, random.standard_normal((N, N)), random.standard_normal((N, N)), random.standard_normal(N)


DENSE.add(
    gesummv,
    gesummv_arguments,
    kind="dense",
    wrt="alpha beta A B x",
    tiny={"N": 5},
    S={"N": 2000},
    M={"N": 4000},
    paper={"N": 11200},
)


def symm(alpha, beta, C, A, B):
    """C becomes alpha A B + beta C, where A is symmetric and only its lower triangle is read."""
    C *= beta
    above = np.empty(C.shape[1], dtype=C.dtype)
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            C[:i, j] += alpha * B[i, j] * A[i, :i]
            above[j] = B[:i, j] @ A[i, :i]
        C[i, :] += alpha * B[i, :] * A[i, i] + alpha * above


def symm_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    shapes = ((M, N), (M, M), (M, N))
    return 1.5, 1.2, *(random.standard_normal(shape) for shape in shapes)


DENSE.add(
    symm,
    symm_arguments,
    kind="nest",
    wrt="alpha beta C A B",
    of="C",
    tiny={"M": 4, "N": 3},
    S={"M": 40, "N": 50},
    M={"M": 120, "N": 150},
    paper={"M": 1000, "N": 1200},
)


def syrk(alpha, beta, C, A):
    """The lower triangle of C becomes that of alpha A A' + beta C."""
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += alpha * A[i, k] * A[: i + 1, k]


def syrk_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return 1.5, 1.2, random.standard_normal((N, N)), random.standard_normal((N, M))


DENSE.add(
    syrk,
    syrk_arguments,
    kind="nest",
    wrt="alpha beta C A",
    of="C",
    tiny={"M": 3, "N": 4},
    S={"M": 50, "N": 70},
    M={"M": 150, "N": 200},
    paper={"M": 1000, "N": 1200},
)


def syr2k(alpha, beta, C, A, B):
    """The lower triangle of C becomes that of alpha (A B' + B A') + beta C."""
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += A[: i + 1, k] * alpha * B[i, k] + B[: i + 1, k] * alpha * A[i, k]


def syr2k_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    shapes = ((N, N), (N, M), (N, M))
    return 1.5, 1.2, *(random.standard_normal(shape) for shape in shapes)


DENSE.add(
    syr2k,
    syr2k_arguments,
    kind="nest",
    wrt="alpha beta C A B",
    of="C",
    tiny={"M": 3, "N": 4},
    S={"M": 35, "N": 50},
    M={"M": 110, "N": 140},
    paper={"M": 1000, "N": 1200},
)


def trmm(alpha, A, B):
    """B becomes alpha A' B, where A has ones on its diagonal and only its lower triangle is read."""
    for i in range(B.shape[0]):
        for j in range(B.shape[1]):
            B[i, j] += A[i + 1 :, i] @ B[i + 1 :, j]
    B *= alpha


def trmm_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return 1.5, random.standard_normal((M, M)), random.standard_normal((M, N))


DENSE.add(
    trmm,
    trmm_arguments,
    kind="nest",
    wrt="alpha A B",
    of="B",
    tiny={"M": 4, "N": 3},
    S={"M": 65, "N": 80},
    M={"M": 200, "N": 250},
    paper={"M": 1000, "N": 1200},
)
