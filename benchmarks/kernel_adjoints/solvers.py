"""Adjoints of solvers, by hand: the factors are computed once, and the recursions run backwards on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kernel_adjoints.blas import subtract_product, subtract_transposed_product

_COMPILED: Any = {"error_model": "numpy", "cache": True}


@njit(**_COMPILED)
def _factor_cholesky(a: Any) -> None:
    """The lower factor in place, a column at a time: each takes its share from all rows below."""
    n = a.shape[0]
    column = np.empty(n)
    for k in range(n):
        root = np.sqrt(a[k, k])
        a[k, k] = root
        for i in range(k + 1, n):
            a[i, k] /= root
            column[i] = a[i, k]
        for i in range(k + 1, n):
            row, share = a[i, k + 1 : i + 1], a[i, k]
            others = column[k + 1 : i + 1]
            for j in range(row.shape[0]):
                row[j] -= share * others[j]


@njit(**_COMPILED)
def cholesky(a: Any, d_a: Any) -> Any:
    """Gradient by `A`. What is left of the matrix after column k has a symmetric cotangent, which step k only reads."""
    n = a.shape[0]
    factor, out = a.copy(), d_a.copy()
    _factor_cholesky(factor)
    symmetric, scalars = np.zeros((n, n)), np.array([-1.0, 1.0])
    column, share = np.empty(n), np.empty(n)
    for k in range(n - 1, -1, -1):
        below, found = column[: n - k - 1], share[: n - k - 1]
        for i in range(n - k - 1):
            below[i] = factor[k + 1 + i, k]
            found[i] = out[k + 1 + i, k]
        if k < n - 1:
            subtract_product(symmetric[k + 1 :, k + 1 :], below, found, scalars)
        root = factor[k, k]
        total = out[k, k]
        for i in range(n - k - 1):
            found[i] /= root
            total -= found[i] * below[i]
            out[k + 1 + i, k] = symmetric[k, k + 1 + i] = symmetric[k + 1 + i, k] = found[i]
        out[k, k] = total / (2.0 * root)
        symmetric[k, k] = 2.0 * out[k, k]
    return out


@njit(**_COMPILED)
def _factor_lu(a: Any) -> None:
    """Both factors in place, a column at a time."""
    n = a.shape[0]
    for k in range(n):
        pivot_row = a[k, k + 1 :]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            row, share = a[i, k + 1 :], a[i, k]
            for j in range(row.shape[0]):
                row[j] -= share * pivot_row[j]


@njit(**_COMPILED)
def lu(a: Any, d_a: Any) -> Any:
    """Gradient by `A`: step k reads the cotangent of what is left behind it, by two products with vectors."""
    n = a.shape[0]
    factors, out = a.copy(), d_a.copy()
    _factor_lu(factors)
    scalars, column, share = np.array([-1.0, 1.0]), np.empty(n), np.empty(n)
    for k in range(n - 2, -1, -1):
        below, found = column[: n - k - 1], share[: n - k - 1]
        for i in range(n - k - 1):
            below[i] = factors[k + 1 + i, k]
            found[i] = out[k + 1 + i, k]
        rest = out[k + 1 :, k + 1 :]
        subtract_product(rest, factors[k, k + 1 :], found, scalars)
        subtract_transposed_product(rest, below, out[k, k + 1 :], scalars)
        pivot = factors[k, k]
        total = out[k, k]
        for i in range(n - k - 1):
            found[i] /= pivot
            total -= found[i] * below[i]
            out[k + 1 + i, k] = found[i]
        out[k, k] = total
    return out


@njit(**_COMPILED)
def trisolv(lower: Any, b: Any, d_x: Any) -> Any:
    """Gradients by `L`, `x` and `b`: substitution forward, then backward, a row at a time both ways."""
    n = b.shape[0]
    x, z, d_lower = np.empty(n), d_x.copy(), np.zeros((n, n))
    for i in range(n):
        x[i] = (b[i] - np.dot(lower[i, :i], x[:i])) / lower[i, i]
    for i in range(n - 1, -1, -1):
        z[i] /= lower[i, i]
        share = z[i]
        row, out, before, values = lower[i, :i], d_lower[i, : i + 1], z[:i], x[: i + 1]
        for j in range(i):
            before[j] -= share * row[j]
        for j in range(i + 1):
            out[j] = -share * values[j]
    return d_lower, np.zeros(n), z


@njit(**_COMPILED)
def durbin(r: Any, d_y: Any) -> Any:
    """Gradient by `r`. The recursion keeps every solution, reversed, one behind the other."""
    n = r.shape[0]
    kept, y, flipped = np.empty(n * (n - 1) // 2), np.empty(n), r[::-1].copy()
    alphas, betas = np.empty(n), np.empty(n)
    alphas[0], betas[0], y[0] = -r[0], 1.0, -r[0]
    start = 0
    for k in range(1, n):
        betas[k] = betas[k - 1] * (1.0 - alphas[k - 1] * alphas[k - 1])
        mine = kept[start : start + k]
        for j in range(k):
            mine[j] = y[k - 1 - j]
        alpha = -(r[k] + np.dot(r[:k], mine)) / betas[k]
        for j in range(k):
            y[j] += alpha * mine[j]
        y[k] = alphas[k] = alpha
        start += k
    g, other, d_r = d_y.copy(), np.empty(n), np.zeros(n)
    d_alpha, d_beta = 0.0, 0.0
    for k in range(n - 1, 0, -1):
        start -= k
        mine = kept[start : start + k]
        alpha, beta = alphas[k], betas[k]
        d_alpha += g[k] + np.dot(g[:k], mine)
        share = -d_alpha / beta
        d_beta += share * alpha
        d_r[k] += share
        before, tail = d_r[:k], flipped[n - k :]
        for j in range(k):
            before[j] += share * mine[j]
        for j in range(k):
            other[j] = g[j] + alpha * g[k - 1 - j] + share * tail[j]
        g, other = other, g
        d_alpha = -2.0 * alphas[k - 1] * betas[k - 1] * d_beta
        d_beta *= 1.0 - alphas[k - 1] * alphas[k - 1]
    d_r[0] -= g[0] + d_alpha
    return d_r
