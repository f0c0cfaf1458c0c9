"""Kernels in JAX: dense algebra, solvers, data. Loops over triangles take whole rows and columns behind masks."""

from __future__ import annotations

from typing import Any

import jax.numpy as np
from jax.lax import fori_loop


def below(count: int, bound: Any) -> Any:
    """A mask of the first places."""
    return np.arange(count) < bound


def gemm(alpha, beta, C, A, B):
    return (alpha * A @ B + beta * C,)


def k2mm(alpha, beta, A, B, C, D):
    return (alpha * A @ B @ C + beta * D,)


def k3mm(A, B, C, D):
    return (A @ B @ C @ D,)


def atax(A, x):
    return ((A @ x) @ A,)


def bicg(A, p, r):
    return ((r @ A, A @ p),)


def mvt(x1, x2, y_1, y_2, A):
    return x1 + A @ y_1, x2 + y_2 @ A


def gemver(alpha, beta, A, u1, v1, u2, v2, w, x, y, z):
    A = A + np.outer(u1, v1) + np.outer(u2, v2)
    x = x + beta * y @ A + z
    return A, w + alpha * A @ x, x


def gesummv(alpha, beta, A, B, x):
    return (alpha * A @ x + beta * B @ x,)


def symm(alpha, beta, C, A, B):
    M, N = C.shape

    def row(i, C):
        mask = below(M, i)

        def element(j, carried):
            C, above = carried
            C = C.at[:, j].add(np.where(mask, alpha * B[i, j] * A[i, :], 0.0))
            return C, above.at[j].set(np.where(mask, B[:, j], 0.0) @ A[i, :])

        C, above = fori_loop(0, N, element, (C, np.zeros(N)))
        return C.at[i, :].add(alpha * B[i, :] * A[i, i] + alpha * above)

    return (fori_loop(0, M, row, C * beta),)


def syrk(alpha, beta, C, A):
    N, M = A.shape

    def row(i, C):
        mask = below(N, i + 1)
        C = C.at[i, :].multiply(np.where(mask, beta, 1.0))
        return fori_loop(0, M, lambda k, C: C.at[i, :].add(np.where(mask, alpha * A[i, k] * A[:, k], 0.0)), C)

    return (fori_loop(0, N, row, C),)


def syr2k(alpha, beta, C, A, B):
    N, M = A.shape

    def row(i, C):
        mask = below(N, i + 1)
        C = C.at[i, :].multiply(np.where(mask, beta, 1.0))

        def add(k, C):
            both = A[:, k] * alpha * B[i, k] + B[:, k] * alpha * A[i, k]
            return C.at[i, :].add(np.where(mask, both, 0.0))

        return fori_loop(0, M, add, C)

    return (fori_loop(0, N, row, C),)


def trmm(alpha, A, B):
    M, N = B.shape

    def row(i, B):
        column = np.where(below(M, i + 1), 0.0, A[:, i])
        return fori_loop(0, N, lambda j, B: B.at[i, j].add(column @ B[:, j]), B)

    return (fori_loop(0, M, row, B) * alpha,)


def cholesky(A):
    N = A.shape[0]

    def row(i, A):
        def element(j, A):
            mask = below(N, j)
            rest = A[i, j] - np.where(mask, A[i, :], 0.0) @ np.where(mask, A[j, :], 0.0)
            return A.at[i, j].set(np.where(j < i, rest / A[j, j], A[i, j]))

        A = fori_loop(0, N, element, A)
        before = np.where(below(N, i), A[i, :], 0.0)
        return A.at[i, i].set(np.sqrt(A[i, i] - before @ before))

    return (fori_loop(0, N, row, A),)


def cholesky2(A):
    lower = np.tril(A)
    return (np.linalg.cholesky(lower + np.tril(A, k=-1).T) + np.triu(A, k=1),)


def factor(A):
    """Both factors, element by element."""
    N = A.shape[0]

    def row(i, A):
        def element(j, A):
            mask = below(N, np.minimum(i, j))
            rest = A[i, j] - np.where(mask, A[i, :], 0.0) @ np.where(mask, A[:, j], 0.0)
            return A.at[i, j].set(np.where(j < i, rest / A[j, j], rest))

        return fori_loop(0, N, element, A)

    return fori_loop(0, N, row, A)


def lu(A):
    return (factor(A),)


def ludcmp(A, b):
    N = A.shape[0]
    A = factor(A)
    y = fori_loop(0, N, lambda i, y: y.at[i].set(b[i] - np.where(below(N, i), A[i], 0.0) @ y), np.zeros(N))

    def back(step, x):
        i = N - 1 - step
        return x.at[i].set((y[i] - np.where(below(N, i + 1), 0.0, A[i]) @ x) / A[i, i])

    return (fori_loop(0, N, back, np.zeros(N)), y), A


def trisolv(L, x, b):
    N = b.shape[0]
    solve = lambda i, x: x.at[i].set((b[i] - np.where(below(N, i), L[i], 0.0) @ x) / L[i, i])  # noqa: E731
    return (fori_loop(0, N, solve, np.zeros(N) * x),)


def durbin(r):
    N = r.shape[0]

    def step(k, carried):
        y, alpha, beta = carried
        beta = beta * (1.0 - alpha * alpha)
        mask = below(N, k)
        mirror = np.where(mask, k - 1 - np.arange(N), 0)
        alpha = -(r[k] + np.where(mask, r[mirror], 0.0) @ y) / beta
        y = y + np.where(mask, alpha * y[mirror], 0.0)
        return y.at[k].set(alpha), alpha, beta

    start = (np.zeros(N).at[0].set(-r[0]), -r[0], np.ones(()))
    return (fori_loop(1, N, step, start)[0],)


def gramschmidt(A):
    N = A.shape[1]

    def column(k, carried):
        A, Q, R = carried
        length = np.sqrt(A[:, k] @ A[:, k])
        q = A[:, k] / length
        Q, R = Q.at[:, k].set(q), R.at[k, k].set(length)

        def project(j, carried):
            A, R = carried
            share = np.where(j > k, q @ A[:, j], 0.0)
            return A.at[:, j].add(-q * share), R.at[k, j].add(share)

        A, R = fori_loop(0, N, project, (A, R))
        return A, Q, R

    return (fori_loop(0, N, column, (A, np.zeros_like(A), np.zeros((N, N))))[1:],)


def correlation(M, float_n, data):
    stddev = np.std(data, axis=0)
    stddev = np.where(stddev <= 0.1, 1.0, stddev)
    data = (data - np.mean(data, axis=0)) / (np.sqrt(float_n) * stddev)

    def row(i, corr):
        products = np.where(below(M, i + 1), 0.0, data[:, i] @ data)
        return corr.at[i, :].add(products).at[:, i].add(products)

    return fori_loop(0, M - 1, row, np.eye(M)), data


def covariance(M, float_n, data):
    data = data - np.mean(data, axis=0)

    def row(i, cov):
        products = data[:, i] @ data / (float_n - 1.0)
        kept = below(M, i)
        return cov.at[i, :].set(np.where(kept, cov[i, :], products)).at[:, i].set(np.where(kept, cov[:, i], products))

    return fori_loop(0, M, row, np.zeros((M, M))), data


def doitgen(NR, NQ, NP, A, C4):
    return (np.reshape(np.reshape(A, (NR, NQ, 1, NP)) @ C4, (NR, NQ, NP)),)


def compute(array_1, array_2, a, b, c):
    return (np.clip(array_1, 2, 10) * a + array_2 * b + c,)


def arc_distance(theta_1, phi_1, theta_2, phi_2):
    temp = np.sin((theta_2 - theta_1) / 2) ** 2 + np.cos(theta_1) * np.cos(theta_2) * np.sin((phi_2 - phi_1) / 2) ** 2
    return (2 * np.arctan2(np.sqrt(temp), np.sqrt(1 - temp)),)


def azimint_naive(data, radius, npt):
    rmax = radius.max()

    def ring(i, res):
        mask = (rmax * i / npt <= radius) & (radius < rmax * (i + 1) / npt)
        return res.at[i].set(np.sum(np.where(mask, data, 0.0)) / np.sum(mask))

    return (fori_loop(0, npt, ring, np.zeros(npt)),)


def deriche(alpha, imgIn):
    k = (1.0 - np.exp(-alpha)) ** 2 / (1.0 + alpha * np.exp(-alpha) - np.exp(2.0 * alpha))
    a1, a2, a3 = k, k * np.exp(-alpha) * (alpha - 1.0), k * np.exp(-alpha) * (alpha + 1.0)
    a4, b1, b2 = -k * np.exp(-2.0 * alpha), 2.0 ** (-alpha), -np.exp(-2.0 * alpha)

    def rows(image):
        """Both passes along the first axis."""
        n = image.shape[0]
        y = np.zeros_like(image).at[0].set(a1 * image[0])
        y = y.at[1].set(a1 * image[1] + a2 * image[0] + b1 * y[0])
        ahead = lambda j, y: y.at[j].set(a1 * image[j] + a2 * image[j - 1] + b1 * y[j - 1] + b2 * y[j - 2])  # noqa: E731
        y = fori_loop(2, n, ahead, y)
        z = np.zeros_like(image).at[-2].set(a3 * image[-1])

        def behind(step, z):
            j = n - 3 - step
            return z.at[j].set(a3 * image[j + 1] + a4 * image[j + 2] + b1 * z[j + 1] + b2 * z[j + 2])

        return y + fori_loop(0, n - 2, behind, z)

    return (rows(rows(imgIn.T).T),)
