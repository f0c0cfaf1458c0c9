"""Stencils: each point of a grid from its neighbours, time step after time step."""

from __future__ import annotations

from typing import Any

import numpy as np

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


def adi(TSTEPS, N, u):
    """The heat equation in two dimensions by alternating directions: a tridiagonal solve along each axis in turn."""
    v = np.empty_like(u)
    p = np.empty_like(u)
    q = np.empty_like(u)
    dx = 1.0 / N
    dt = 1.0 / TSTEPS
    first = 2.0 * dt / (dx * dx)
    second = 1.0 * dt / (dx * dx)
    a = -first / 2.0
    b = 1.0 + first
    c = a
    d = -second / 2.0
    e = 1.0 + second
    f = d
    for t in range(1, TSTEPS + 1):
        v[0, 1 : N - 1] = 1.0
        p[1 : N - 1, 0] = 0.0
        q[1 : N - 1, 0] = v[0, 1 : N - 1]
        for j in range(1, N - 1):
            p[1 : N - 1, j] = -c / (a * p[1 : N - 1, j - 1] + b)
            q[1 : N - 1, j] = (
                -d * u[j, 0 : N - 2] + (1.0 + 2.0 * d) * u[j, 1 : N - 1] - f * u[j, 2:N] - a * q[1 : N - 1, j - 1]
            ) / (a * p[1 : N - 1, j - 1] + b)
        v[N - 1, 1 : N - 1] = 1.0
        for j in range(N - 2, 0, -1):
            v[j, 1 : N - 1] = p[1 : N - 1, j] * v[j + 1, 1 : N - 1] + q[1 : N - 1, j]
        u[1 : N - 1, 0] = 1.0
        p[1 : N - 1, 0] = 0.0
        q[1 : N - 1, 0] = u[1 : N - 1, 0]
        for j in range(1, N - 1):
            p[1 : N - 1, j] = -f / (d * p[1 : N - 1, j - 1] + e)
            q[1 : N - 1, j] = (
                -a * v[0 : N - 2, j] + (1.0 + 2.0 * a) * v[1 : N - 1, j] - c * v[2:N, j] - d * q[1 : N - 1, j - 1]
            ) / (d * p[1 : N - 1, j - 1] + e)
        u[1 : N - 1, N - 1] = 1.0
        for j in range(N - 2, 0, -1):
            u[1 : N - 1, j] = p[1 : N - 1, j] * u[1 : N - 1, j + 1] + q[1 : N - 1, j]


STENCILS.add(
    adi,
    seidel_2d_arguments,
    kind="nest",
    wrt="u",
    of="u",
    tiny={"TSTEPS": 2, "N": 6},
    S={"TSTEPS": 5, "N": 100},
    M={"TSTEPS": 20, "N": 200},
    paper={"TSTEPS": 100, "N": 200},
)


def hdiff(in_field, out_field, coeff):
    """Horizontal diffusion of a weather model: a Laplacian, and fluxes that are limited by their sign."""
    I, J = out_field.shape[0], out_field.shape[1]
    lap = 4.0 * in_field[1 : I + 3, 1 : J + 3, :] - (
        in_field[2 : I + 4, 1 : J + 3, :]
        + in_field[0 : I + 2, 1 : J + 3, :]
        + in_field[1 : I + 3, 2 : J + 4, :]
        + in_field[1 : I + 3, 0 : J + 2, :]
    )
    res = lap[1:, 1 : J + 1, :] - lap[:-1, 1 : J + 1, :]
    flx = np.where(res * (in_field[2 : I + 3, 2 : J + 2, :] - in_field[1 : I + 2, 2 : J + 2, :]) > 0, 0, res)
    res = lap[1 : I + 1, 1:, :] - lap[1 : I + 1, :-1, :]
    fly = np.where(res * (in_field[2 : I + 2, 2 : J + 3, :] - in_field[2 : I + 2, 1 : J + 2, :]) > 0, 0, res)
    out_field[:, :, :] = in_field[2 : I + 2, 2 : J + 2, :] - coeff[:, :, :] * (
        flx[1:, :, :] - flx[:-1, :, :] + fly[:, 1:, :] - fly[:, :-1, :]
    )


def hdiff_arguments(random: Random, I: int, J: int, K: int) -> tuple[Any, ...]:
    shapes = ((I + 4, J + 4, K), (I, J, K), (I, J, K))
    return tuple(random.standard_normal(shape) for shape in shapes)


STENCILS.add(
    hdiff,
    hdiff_arguments,
    kind="stencil",
    wrt="in_field out_field coeff",
    of="out_field",
    tiny={"I": 4, "J": 5, "K": 2},
    S={"I": 64, "J": 64, "K": 60},
    M={"I": 128, "J": 128, "K": 160},
    paper={"I": 256, "J": 256, "K": 160},
)

BET_M = 0.5
BET_P = 0.5


def vadv(utens_stage, u_stage, wcon, u_pos, utens, dtr_stage):
    """Vertical advection of a weather model: a tridiagonal system in each column, by elimination and substitution."""
    I, J, K = utens_stage.shape[0], utens_stage.shape[1], utens_stage.shape[2]
    ccol = np.ndarray((I, J, K), dtype=utens_stage.dtype)
    dcol = np.ndarray((I, J, K), dtype=utens_stage.dtype)
    data_col = np.ndarray((I, J), dtype=utens_stage.dtype)

    for k in range(1):
        gcv = 0.25 * (wcon[1:, :, k + 1] + wcon[:-1, :, k + 1])
        cs = gcv * BET_M
        ccol[:, :, k] = gcv * BET_P
        bcol = dtr_stage - ccol[:, :, k]
        correction = -cs * (u_stage[:, :, k + 1] - u_stage[:, :, k])
        dcol[:, :, k] = dtr_stage * u_pos[:, :, k] + utens[:, :, k] + utens_stage[:, :, k] + correction
        divided = 1.0 / bcol
        ccol[:, :, k] = ccol[:, :, k] * divided
        dcol[:, :, k] = dcol[:, :, k] * divided

    for k in range(1, K - 1):
        gav = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
        gcv = 0.25 * (wcon[1:, :, k + 1] + wcon[:-1, :, k + 1])
        as_ = gav * BET_M
        cs = gcv * BET_M
        acol = gav * BET_P
        ccol[:, :, k] = gcv * BET_P
        bcol = dtr_stage - acol - ccol[:, :, k]
        correction = -as_ * (u_stage[:, :, k - 1] - u_stage[:, :, k]) - cs * (u_stage[:, :, k + 1] - u_stage[:, :, k])
        dcol[:, :, k] = dtr_stage * u_pos[:, :, k] + utens[:, :, k] + utens_stage[:, :, k] + correction
        divided = 1.0 / (bcol - ccol[:, :, k - 1] * acol)
        ccol[:, :, k] = ccol[:, :, k] * divided
        dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * acol) * divided

    for k in range(K - 1, K):
        gav = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
        as_ = gav * BET_M
        acol = gav * BET_P
        bcol = dtr_stage - acol
        correction = -as_ * (u_stage[:, :, k - 1] - u_stage[:, :, k])
        dcol[:, :, k] = dtr_stage * u_pos[:, :, k] + utens[:, :, k] + utens_stage[:, :, k] + correction
        divided = 1.0 / (bcol - ccol[:, :, k - 1] * acol)
        dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * acol) * divided

    for k in range(K - 1, K - 2, -1):
        datacol = dcol[:, :, k]
        data_col[:] = datacol
        utens_stage[:, :, k] = dtr_stage * (datacol - u_pos[:, :, k])

    for k in range(K - 2, -1, -1):
        datacol = dcol[:, :, k] - ccol[:, :, k] * data_col[:, :]
        data_col[:] = datacol
        utens_stage[:, :, k] = dtr_stage * (datacol - u_pos[:, :, k])


def vadv_arguments(random: Random, I: int, J: int, K: int) -> tuple[Any, ...]:
    shapes = ((I, J, K), (I, J, K), (I + 1, J, K), (I, J, K), (I, J, K))
    return *(random.standard_normal(shape) for shape in shapes), 3.0 / 20.0


STENCILS.add(
    vadv,
    vadv_arguments,
    kind="stencil",
    wrt="utens_stage u_stage wcon u_pos utens dtr_stage",
    of="utens_stage",
    tiny={"I": 3, "J": 4, "K": 5},
    S={"I": 60, "J": 60, "K": 40},
    M={"I": 112, "J": 112, "K": 80},
    paper={"I": 256, "J": 256, "K": 160},
    tolerance=1e-5,
)
