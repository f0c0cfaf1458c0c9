"""Stencils: each point of a grid from its neighbours, time step after time step."""

from __future__ import annotations

from typing import Any

from kernels.registry import Family, Random

STENCILS = Family("stencils")


def jacobi_1d(TSTEPS, A, B):
    """Each point becomes the mean of itself and its two neighbours, between two arrays."""
    for t in range(1, TSTEPS):
        B[1:-1] = 0.33333 * (A[:-2] + A[1:-1] + A[2:])
        A[1:-1] = 0.33333 * (B[:-2] + B[1:-1] + B[2:])


def jacobi_1d_arguments(random: Random, TSTEPS: int, N: int) -> tuple[Any, ...]:
    return TSTEPS, random.standard_normal(N), random.standard_normal(N)


STENCILS.add(
    jacobi_1d,
    jacobi_1d_arguments,
    kind="stencil",
    wrt="A B",
    of="A B",
    tiny={"TSTEPS": 4, "N": 9},
    S={"TSTEPS": 800, "N": 3200},
    M={"TSTEPS": 3000, "N": 12000},
    paper={"TSTEPS": 4000, "N": 32000},
)


def jacobi_2d(TSTEPS, A, B):
    """Each point becomes the mean of itself and its four neighbours, between two arrays."""
    for t in range(1, TSTEPS):
        B[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
        A[1:-1, 1:-1] = 0.2 * (B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1])


def jacobi_2d_arguments(random: Random, TSTEPS: int, N: int) -> tuple[Any, ...]:
    return TSTEPS, random.standard_normal((N, N)), random.standard_normal((N, N))


STENCILS.add(
    jacobi_2d,
    jacobi_2d_arguments,
    kind="stencil",
    wrt="A B",
    of="A B",
    tiny={"TSTEPS": 4, "N": 7},
    S={"TSTEPS": 50, "N": 150},
    M={"TSTEPS": 80, "N": 350},
    paper={"TSTEPS": 1000, "N": 2800},
)


def seidel_2d(TSTEPS, N, A):
    """Each point becomes the mean of its neighbourhood of nine, in place: those before it are new already."""
    for t in range(0, TSTEPS - 1):
        for i in range(1, N - 1):
            above = A[i - 1, :-2] + A[i - 1, 1:-1] + A[i - 1, 2:]
            below = A[i + 1, :-2] + A[i + 1, 1:-1] + A[i + 1, 2:]
            A[i, 1:-1] += above + A[i, 2:] + below
            for j in range(1, N - 1):
                A[i, j] += A[i, j - 1]
                A[i, j] /= 9.0


def seidel_2d_arguments(random: Random, TSTEPS: int, N: int) -> tuple[Any, ...]:
    return TSTEPS, N, random.standard_normal((N, N))


STENCILS.add(
    seidel_2d,
    seidel_2d_arguments,
    kind="nest",
    wrt="A",
    of="A",
    tiny={"TSTEPS": 4, "N": 6},
    S={"TSTEPS": 8, "N": 50},
    M={"TSTEPS": 15, "N": 100},
    paper={"TSTEPS": 100, "N": 400},
)


def heat_3d(TSTEPS, A, B):
    """Explicit Euler steps of the heat equation in three dimensions, between two arrays."""
    for t in range(1, TSTEPS):
        B[1:-1, 1:-1, 1:-1] = (
            0.125 * (A[2:, 1:-1, 1:-1] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[:-2, 1:-1, 1:-1])
            + 0.125 * (A[1:-1, 2:, 1:-1] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[1:-1, :-2, 1:-1])
            + 0.125 * (A[1:-1, 1:-1, 2:] - 2.0 * A[1:-1, 1:-1, 1:-1] + A[1:-1, 1:-1, :-2])
            + A[1:-1, 1:-1, 1:-1]
        )
        A[1:-1, 1:-1, 1:-1] = (
            0.125 * (B[2:, 1:-1, 1:-1] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[:-2, 1:-1, 1:-1])
            + 0.125 * (B[1:-1, 2:, 1:-1] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[1:-1, :-2, 1:-1])
            + 0.125 * (B[1:-1, 1:-1, 2:] - 2.0 * B[1:-1, 1:-1, 1:-1] + B[1:-1, 1:-1, :-2])
            + B[1:-1, 1:-1, 1:-1]
        )


def heat_3d_arguments(random: Random, TSTEPS: int, N: int) -> tuple[Any, ...]:
    return TSTEPS, random.standard_normal((N, N, N)), random.standard_normal((N, N, N))


STENCILS.add(
    heat_3d,
    heat_3d_arguments,
    kind="stencil",
    wrt="A B",
    of="A B",
    tiny={"TSTEPS": 3, "N": 5},
    S={"TSTEPS": 25, "N": 25},
    M={"TSTEPS": 50, "N": 40},
    paper={"TSTEPS": 500, "N": 120},
)


def fdtd_2d(TMAX, ex, ey, hz, _fict_):
    """Maxwell's equations in two dimensions by finite differences in the time domain, driven at one edge."""
    for t in range(TMAX):
        ey[0, :] = _fict_[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])


def fdtd_2d_arguments(random: Random, TMAX: int, NX: int, NY: int) -> tuple[Any, ...]:
    fields = (random.standard_normal((NX, NY)) for _ in range(3))
    return TMAX, *fields, random.standard_normal(TMAX)


STENCILS.add(
    fdtd_2d,
    fdtd_2d_arguments,
    kind="stencil",
    wrt="ex ey hz _fict_",
    of="ex ey hz",
    tiny={"TMAX": 4, "NX": 5, "NY": 6},
    S={"TMAX": 20, "NX": 200, "NY": 220},
    M={"TMAX": 60, "NX": 400, "NY": 450},
    paper={"TMAX": 500, "NX": 1000, "NY": 1200},
)
