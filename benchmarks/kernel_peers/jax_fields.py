"""Kernels in JAX: stencils, flows, science, networks. Writes in place become `.at`, loops `fori_loop`."""

from __future__ import annotations

from functools import partial

import jax.numpy as np
from jax.lax import dynamic_slice, fori_loop


def jacobi_1d(TSTEPS, A, B):
    def step(t, carried):
        A, B = carried
        B = B.at[1:-1].set(0.33333 * (A[:-2] + A[1:-1] + A[2:]))
        return A.at[1:-1].set(0.33333 * (B[:-2] + B[1:-1] + B[2:])), B

    return fori_loop(1, TSTEPS, step, (A, B))


def jacobi_2d(TSTEPS, A, B):
    def mean(A):
        return 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])

    def step(t, carried):
        A, B = carried
        B = B.at[1:-1, 1:-1].set(mean(A))
        return A.at[1:-1, 1:-1].set(mean(B)), B

    return fori_loop(1, TSTEPS, step, (A, B))


def heat_3d(TSTEPS, A, B):
    def diffused(A):
        inside = A[1:-1, 1:-1, 1:-1]
        return (
            0.125 * (A[2:, 1:-1, 1:-1] - 2.0 * inside + A[:-2, 1:-1, 1:-1])
            + 0.125 * (A[1:-1, 2:, 1:-1] - 2.0 * inside + A[1:-1, :-2, 1:-1])
            + 0.125 * (A[1:-1, 1:-1, 2:] - 2.0 * inside + A[1:-1, 1:-1, :-2])
            + inside
        )

    def step(t, carried):
        A, B = carried
        B = B.at[1:-1, 1:-1, 1:-1].set(diffused(A))
        return A.at[1:-1, 1:-1, 1:-1].set(diffused(B)), B

    return fori_loop(1, TSTEPS, step, (A, B))


def seidel_2d(TSTEPS, N, A):
    def row(i, A):
        north, here, south = A[i - 1], A[i], A[i + 1]
        sums = here[1:-1] + north[:-2] + north[1:-1] + north[2:] + here[2:] + south[:-2] + south[1:-1] + south[2:]
        here = here.at[1:-1].set(sums)
        return A.at[i].set(fori_loop(1, N - 1, lambda j, row: row.at[j].set((row[j] + row[j - 1]) / 9.0), here))

    return (fori_loop(0, TSTEPS - 1, lambda t, A: fori_loop(1, N - 1, row, A), A),)


def fdtd_2d(TMAX, ex, ey, hz, _fict_):
    def step(t, carried):
        ex, ey, hz = carried
        ey = ey.at[0, :].set(_fict_[t])
        ey = ey.at[1:, :].add(-0.5 * (hz[1:, :] - hz[:-1, :]))
        ex = ex.at[:, 1:].add(-0.5 * (hz[:, 1:] - hz[:, :-1]))
        hz = hz.at[:-1, :-1].add(-0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1]))
        return ex, ey, hz

    return fori_loop(0, TMAX, step, (ex, ey, hz))


def adi(TSTEPS, N, u):
    first, second = 2.0 * (1.0 / TSTEPS) * N * N, 1.0 * (1.0 / TSTEPS) * N * N
    a = c = -first / 2.0
    b, d, e = 1.0 + first, -second / 2.0, 1.0 + second
    f = d

    def sweep(lower, upper, middle, right, edge):
        """Solves for each column of the first axis: elimination along j, then substitution back."""

        def eliminate(j, carried):
            p, q = carried
            below = lower * p[:, j - 1] + middle
            return p.at[:, j].set(-upper / below), q.at[:, j].set((right(j) - lower * q[:, j - 1]) / below)

        zeros = np.zeros((N - 2, N))
        p, q = fori_loop(1, N - 1, eliminate, (zeros, zeros.at[:, 0].set(edge)))

        def substitute(step, x):
            j = N - 2 - step
            return x.at[:, j].set(p[:, j] * x[:, j + 1] + q[:, j])

        return fori_loop(0, N - 2, substitute, zeros.at[:, 0].set(1.0).at[:, N - 1].set(1.0))

    def step(t, u):
        along = lambda j: -d * u[j, :-2] + (1.0 + 2.0 * d) * u[j, 1:-1] - f * u[j, 2:]  # noqa: E731
        v = sweep(a, c, b, along, 1.0).T
        wide = np.zeros((N, N)).at[:, 1:-1].set(v)
        across = lambda j: -a * wide[:-2, j] + (1.0 + 2.0 * a) * wide[1:-1, j] - c * wide[2:, j]  # noqa: E731
        return u.at[1:-1, :].set(sweep(d, f, e, across, 1.0))

    return (fori_loop(0, TSTEPS, step, u),)


def hdiff(in_field, out_field, coeff):
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
    fluxes = flx[1:, :, :] - flx[:-1, :, :] + fly[:, 1:, :] - fly[:, :-1, :]
    return (in_field[2 : I + 2, 2 : J + 2, :] - coeff * fluxes,)


def vadv(utens_stage, u_stage, wcon, u_pos, utens, dtr_stage):
    I, J, K = utens_stage.shape
    rest = dtr_stage * u_pos + utens + utens_stage
    flow = 0.25 * (wcon[1:] + wcon[:-1])
    gcv = flow[:, :, 1] * 0.5
    first = dtr_stage - gcv
    c0 = gcv / first
    d0 = (rest[:, :, 0] - gcv * (u_stage[:, :, 1] - u_stage[:, :, 0])) / first
    ccol = np.zeros((I, J, K)).at[:, :, 0].set(c0)
    dcol = np.zeros((I, J, K)).at[:, :, 0].set(d0)

    def eliminate(k, carried):
        ccol, dcol = carried
        a, c = -flow[:, :, k] * 0.5, flow[:, :, k + 1] * 0.5
        correction = -a * (u_stage[:, :, k - 1] - u_stage[:, :, k]) - c * (u_stage[:, :, k + 1] - u_stage[:, :, k])
        divided = 1.0 / (dtr_stage - a - c - ccol[:, :, k - 1] * a)
        d = (rest[:, :, k] + correction - dcol[:, :, k - 1] * a) * divided
        return ccol.at[:, :, k].set(c * divided), dcol.at[:, :, k].set(d)

    ccol, dcol = fori_loop(1, K - 1, eliminate, (ccol, dcol))
    a = -flow[:, :, K - 1] * 0.5
    correction = -a * (u_stage[:, :, K - 2] - u_stage[:, :, K - 1])
    divided = 1.0 / (dtr_stage - a - ccol[:, :, K - 2] * a)
    last = (rest[:, :, K - 1] + correction - dcol[:, :, K - 2] * a) * divided
    out = np.zeros((I, J, K)).at[:, :, K - 1].set(dtr_stage * (last - u_pos[:, :, K - 1]))

    def substitute(step, carried):
        out, data = carried
        k = K - 2 - step
        data = dcol[:, :, k] - ccol[:, :, k] * data
        return out.at[:, :, k].set(dtr_stage * (data - u_pos[:, :, k])), data

    return (fori_loop(0, K - 1, substitute, (out, last))[0],)


def cavity_flow(nx, ny, nt, nit, u, v, dt, dx, dy, p, rho, nu):
    def source(u, v):
        return rho * (
            1 / dt * ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx) + (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy))
            - ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx)) ** 2
            - 2 * ((u[2:, 1:-1] - u[:-2, 1:-1]) / (2 * dy) * (v[1:-1, 2:] - v[1:-1, :-2]) / (2 * dx))
            - ((v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy)) ** 2
        )

    def relax(b, q, p):
        inside = ((p[1:-1, 2:] + p[1:-1, :-2]) * dy**2 + (p[2:, 1:-1] + p[:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b
        p = p.at[1:-1, 1:-1].set(inside)
        p = p.at[:, -1].set(p[:, -2])
        p = p.at[0, :].set(p[1, :])
        p = p.at[:, 0].set(p[:, 1])
        return p.at[-1, :].set(0)

    def moved(w, u, v):
        return (
            w[1:-1, 1:-1]
            - u[1:-1, 1:-1] * dt / dx * (w[1:-1, 1:-1] - w[1:-1, :-2])
            - v[1:-1, 1:-1] * dt / dy * (w[1:-1, 1:-1] - w[:-2, 1:-1])
            + nu
            * (
                dt / dx**2 * (w[1:-1, 2:] - 2 * w[1:-1, 1:-1] + w[1:-1, :-2])
                + dt / dy**2 * (w[2:, 1:-1] - 2 * w[1:-1, 1:-1] + w[:-2, 1:-1])
            )
        )

    def step(n, carried):
        u, v, p = carried
        p = fori_loop(0, nit, partial(relax, source(u, v)), p)
        across, down = moved(u, u, v), moved(v, u, v)
        u = u.at[1:-1, 1:-1].set(across - dt / (2 * rho * dx) * (p[1:-1, 2:] - p[1:-1, :-2]))
        v = v.at[1:-1, 1:-1].set(down - dt / (2 * rho * dy) * (p[2:, 1:-1] - p[:-2, 1:-1]))
        u = u.at[0, :].set(0).at[:, 0].set(0).at[:, -1].set(0).at[-1, :].set(1)
        v = v.at[0, :].set(0).at[-1, :].set(0).at[:, 0].set(0).at[:, -1].set(0)
        return u, v, p

    return fori_loop(0, nt, step, (u, v, p))


def go_fast(a):
    trace = fori_loop(0, a.shape[0], lambda i, trace: trace + np.tanh(a[i, i]), 0.0)
    return (a + trace,)


def nbody(mass, pos, vel, N, Nt, dt, G, softening, KE, PE):
    def gaps(pos):
        return (pos[:, axis : axis + 1].T - pos[:, axis : axis + 1] for axis in range(3))

    def acceleration(pos):
        dx, dy, dz = gaps(pos)
        inv_r3 = (dx**2 + dy**2 + dz**2 + softening**2) ** (-1.5)
        return np.hstack((G * (dx * inv_r3) @ mass, G * (dy * inv_r3) @ mass, G * (dz * inv_r3) @ mass))

    def energies(pos, vel):
        dx, dy, dz = gaps(pos)
        squared = dx**2 + dy**2 + dz**2
        apart = np.where(squared > 0, squared, 1.0)
        inv_r = np.where(squared > 0, 1.0 / np.sqrt(apart), 0.0)
        return 0.5 * np.sum(mass * vel**2), G * np.sum(np.triu(-(mass * mass.T) * inv_r, 1))

    vel = vel - np.mean(mass * vel, axis=0) / np.mean(mass)
    kinetic, potential = energies(pos, vel)

    def step(i, carried):
        pos, vel, acc, KE, PE = carried
        vel = vel + acc * dt / 2.0
        pos = pos + vel * dt
        acc = acceleration(pos)
        vel = vel + acc * dt / 2.0
        kinetic, potential = energies(pos, vel)
        return pos, vel, acc, KE.at[i + 1].set(kinetic), PE.at[i + 1].set(potential)

    start = (pos, vel, acceleration(pos), KE.at[0].set(kinetic), PE.at[0].set(potential))
    return fori_loop(0, Nt, step, start)[3:]


def contour_integral(NR, NM, slab_per_bc, Ham, int_pts, Y):
    def point(z):
        Tz = sum(z ** (slab_per_bc / 2 - n) * Ham[n] for n in range(slab_per_bc + 1))
        X = np.linalg.inv(Tz) if NR == NM else np.linalg.solve(Tz, Y)
        return np.where(np.abs(z) < 1.0, -X, X)

    def add(i, carried):
        P0, P1 = carried
        X = point(int_pts[i])
        return P0 + X, P1 + int_pts[i] * X

    zeros = np.zeros((NR, NM), dtype=np.complex128)
    return (fori_loop(0, int_pts.shape[0], add, (zeros, zeros)),)


def floyd_warshall(path):
    return (fori_loop(0, path.shape[0], lambda k, path: np.minimum(path, path[:, k, None] + path[k, None]), path),)


def softmax(x):
    out = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return (out / np.sum(out, axis=-1, keepdims=True),)


def mlp(input, w1, b1, w2, b2, w3, b3):
    x = np.maximum(input @ w1 + b1, 0)
    x = np.maximum(x @ w2 + b2, 0)
    return softmax(x @ w3 + b3)


def conv2d(input, weights):
    K, _, C_in, C_out = weights.shape
    N, H, W = input.shape[0], input.shape[1] - K + 1, input.shape[2] - K + 1

    def pixel(place, output):
        i, j = place // W, place % W
        window = dynamic_slice(input, (0, i, j, 0), (N, K, K, C_in))
        return output.at[:, i, j, :].set(np.sum(window[..., None] * weights[None], axis=(1, 2, 3)))

    return fori_loop(0, H * W, pixel, np.zeros((N, H, W, C_out)))


def conv2d_bias(input, weights, bias):
    return (conv2d(input, weights) + bias,)


def maxpool2d(x):
    N, H, W, C = x.shape
    H, W = H // 2, W // 2

    def pixel(place, output):
        i, j = place // W, place % W
        window = dynamic_slice(x, (0, 2 * i, 2 * j, 0), (N, 2, 2, C))
        return output.at[:, i, j, :].set(np.max(window, axis=(1, 2)))

    return fori_loop(0, H * W, pixel, np.zeros((N, H, W, C)))


def lenet5(input, conv1, conv1bias, conv2, conv2bias, fc1w, fc1b, fc2w, fc2b, fc3w, fc3b, N, C_before_fc1):
    x = maxpool2d(np.maximum(conv2d(input, conv1) + conv1bias, 0))
    x = maxpool2d(np.maximum(conv2d(x, conv2) + conv2bias, 0))
    x = np.reshape(x, (N, C_before_fc1))
    x = np.maximum(x @ fc1w + fc1b, 0)
    x = np.maximum(x @ fc2w + fc2b, 0)
    return (x @ fc3w + fc3b,)


def batchnorm2d(x, eps=1e-5):
    mean = np.mean(x, axis=0, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=0, keepdims=True)
    std = np.where(variance > 0, np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0)
    return (x - mean) / np.sqrt(std + eps)


def resnet_basicblock(input, conv1, conv2, conv3):
    padded = np.pad(conv2d(input, conv1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = np.maximum(batchnorm2d(padded), 0)
    x = np.maximum(batchnorm2d(conv2d(x, conv2)), 0)
    return (np.maximum(batchnorm2d(conv2d(x, conv3)) + input, 0),)
