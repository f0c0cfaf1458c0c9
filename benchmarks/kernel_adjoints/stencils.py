"""Adjoints of stencils, by hand: linear sweeps backwards, each written as a gather into rows that lie in order.

Cotangents of the grid's inside pass from step to step; those of its edge, which no step writes, only grow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_COMPILED: Any = {"error_model": "numpy", "cache": True}


@njit(**_COMPILED)
def _gather_1d(weight: Any, source: Any, target: Any, edge: Any, adding: Any) -> None:
    n = source.shape[0]
    edge[0] += weight * source[1]
    edge[1] += weight * source[n - 2]
    if adding:
        for j in range(1, n - 1):
            target[j] += weight * (source[j - 1] + source[j] + source[j + 1])
    else:
        for j in range(1, n - 1):
            target[j] = weight * (source[j - 1] + source[j] + source[j + 1])


@njit(**_COMPILED)
def jacobi_1d(steps: int, d_a: Any, d_b: Any) -> Any:
    """Gradients by `A` and `B`."""
    n = d_a.shape[0]
    a, b = d_a.copy(), d_b.copy()
    edges_a, edges_b = np.array([a[0], a[n - 1]]), np.array([b[0], b[n - 1]])
    a[0] = a[n - 1] = b[0] = b[n - 1] = 0.0
    for t in range(1, steps):
        _gather_1d(0.33333, a, b, edges_b, t == 1)
        _gather_1d(0.33333, b, a, edges_a, False)
    if steps > 1:
        b[:] = 0.0
    a[0], a[n - 1], b[0], b[n - 1] = edges_a[0], edges_a[1], edges_b[0], edges_b[1]
    return a, b


@njit(**_COMPILED)
def _gather_2d(source: Any, target: Any, edge: Any, adding: Any) -> None:
    n = source.shape[0]
    top, bottom = source[1], source[n - 2]
    for j in range(1, n - 1):
        edge[0, j] += 0.2 * top[j]
        edge[1, j] += 0.2 * bottom[j]
    for i in range(1, n - 1):
        north, here, south, out = source[i - 1], source[i], source[i + 1], target[i]
        edge[2, i] += 0.2 * here[1]
        edge[3, i] += 0.2 * here[n - 2]
        if adding:
            for j in range(1, n - 1):
                out[j] += 0.2 * (here[j] + here[j - 1] + here[j + 1] + south[j] + north[j])
        else:
            for j in range(1, n - 1):
                out[j] = 0.2 * (here[j] + here[j - 1] + here[j + 1] + south[j] + north[j])


@njit(**_COMPILED)
def _detach_edges(grid: Any) -> Any:
    n = grid.shape[0]
    edge = np.zeros((4, n))
    edge[0], edge[1] = grid[0], grid[n - 1]
    edge[2, 1 : n - 1], edge[3, 1 : n - 1] = grid[1 : n - 1, 0], grid[1 : n - 1, n - 1]
    grid[0], grid[n - 1], grid[:, 0], grid[:, n - 1] = 0.0, 0.0, 0.0, 0.0
    return edge


@njit(**_COMPILED)
def _attach_edges(grid: Any, edge: Any) -> None:
    n = grid.shape[0]
    grid[1 : n - 1, 0], grid[1 : n - 1, n - 1] = edge[2, 1 : n - 1], edge[3, 1 : n - 1]
    grid[0], grid[n - 1] = edge[0], edge[1]


@njit(**_COMPILED)
def jacobi_2d(steps: int, d_a: Any, d_b: Any) -> Any:
    """Gradients by `A` and `B`."""
    a, b = d_a.copy(), d_b.copy()
    edge_a, edge_b = _detach_edges(a), _detach_edges(b)
    for t in range(1, steps):
        _gather_2d(a, b, edge_b, t == 1)
        _gather_2d(b, a, edge_a, False)
    if steps > 1:
        b[:] = 0.0
    _attach_edges(a, edge_a)
    _attach_edges(b, edge_b)
    return a, b


@njit(**_COMPILED)
def _gather_3d(source: Any, target: Any, faces: Any, adding: Any) -> None:
    n = source.shape[0]
    for i in range(1, n - 1):
        for j in range(1, n - 1):
            here, out = source[i, j], target[i, j]
            up, down, north, south = source[i - 1, j], source[i + 1, j], source[i, j - 1], source[i, j + 1]
            faces[4, i, j] += 0.125 * here[1]
            faces[5, i, j] += 0.125 * here[n - 2]
            if adding:
                for k in range(1, n - 1):
                    around = up[k] + down[k] + north[k] + south[k] + here[k - 1] + here[k + 1]
                    out[k] += 0.25 * here[k] + 0.125 * around
            else:
                for k in range(1, n - 1):
                    around = up[k] + down[k] + north[k] + south[k] + here[k - 1] + here[k + 1]
                    out[k] = 0.25 * here[k] + 0.125 * around
        for k in range(1, n - 1):
            faces[2, i, k] += 0.125 * source[i, 1, k]
            faces[3, i, k] += 0.125 * source[i, n - 2, k]
    for j in range(1, n - 1):
        for k in range(1, n - 1):
            faces[0, j, k] += 0.125 * source[1, j, k]
            faces[1, j, k] += 0.125 * source[n - 2, j, k]


@njit(**_COMPILED)
def _clear_faces(grid: Any) -> None:
    n = grid.shape[0]
    grid[0], grid[n - 1] = 0.0, 0.0
    grid[:, 0], grid[:, n - 1] = 0.0, 0.0
    grid[:, :, 0], grid[:, :, n - 1] = 0.0, 0.0


@njit(**_COMPILED)
def _with_faces(inside: Any, given: Any, faces: Any) -> Any:
    """The cotangent as it came at the faces, plus what the steps gave them; that of the inside within."""
    n = given.shape[0]
    out = given.copy()
    out[1 : n - 1, 1 : n - 1, 1 : n - 1] = inside[1 : n - 1, 1 : n - 1, 1 : n - 1]
    out[0] += faces[0]
    out[n - 1] += faces[1]
    out[:, 0] += faces[2]
    out[:, n - 1] += faces[3]
    out[:, :, 0] += faces[4]
    out[:, :, n - 1] += faces[5]
    return out


@njit(**_COMPILED)
def heat_3d(steps: int, d_a: Any, d_b: Any) -> Any:
    """Gradients by `A` and `B`."""
    n = d_a.shape[0]
    a, b = d_a.copy(), d_b.copy()
    faces_a, faces_b = np.zeros((6, n, n)), np.zeros((6, n, n))
    _clear_faces(a)
    _clear_faces(b)
    for t in range(1, steps):
        _gather_3d(a, b, faces_b, t == 1)
        _gather_3d(b, a, faces_a, False)
    if steps > 1:
        b[:] = 0.0
    return _with_faces(a, d_a, faces_a), _with_faces(b, d_b, faces_b)


@njit(**_COMPILED)
def _fields_row(i: int, ex: Any, ey: Any, hz: Any) -> None:
    """Row i of the cotangents of both electric fields, from rows i - 1 and i of the magnetic one's."""
    nx, ny = hz.shape
    here, out = hz[i], ey[i]
    if i > 0:
        above = hz[i - 1]
        for j in range(ny - 1):
            out[j] -= 0.7 * above[j]
    if i < nx - 1:
        across = ex[i]
        across[0] += 0.7 * here[0]
        out[0] += 0.7 * here[0]
        for j in range(1, ny - 1):
            across[j] += 0.7 * (here[j] - here[j - 1])
            out[j] += 0.7 * here[j]
        across[ny - 1] -= 0.7 * here[ny - 2]


@njit(**_COMPILED)
def _magnetic_row(i: int, ex: Any, ey: Any, hz: Any) -> None:
    """Row i of the cotangent of the magnetic field."""
    nx, ny = hz.shape
    across, here, out = ex[i], ey[i], hz[i]
    out[0] += 0.5 * across[1]
    for j in range(1, ny - 1):
        out[j] += 0.5 * (across[j + 1] - across[j])
    out[ny - 1] -= 0.5 * across[ny - 1]
    if i > 0:
        for j in range(ny):
            out[j] -= 0.5 * here[j]
    if i < nx - 1:
        below = ey[i + 1]
        for j in range(ny):
            out[j] += 0.5 * below[j]


@njit(**_COMPILED)
def fdtd_2d(steps: int, d_ex: Any, d_ey: Any, d_hz: Any) -> Any:
    """Gradients by `ex`, `ey`, `hz` and `_fict_`: one sweep a step, the magnetic field a row behind."""
    nx, ny = d_hz.shape
    ex, ey, hz, fict = d_ex.copy(), d_ey.copy(), d_hz.copy(), np.zeros(steps)
    for back in range(steps):
        for i in range(nx):
            _fields_row(i, ex, ey, hz)
            if i > 0:
                _magnetic_row(i - 1, ex, ey, hz)
        _magnetic_row(nx - 1, ex, ey, hz)
        edge = ey[0]
        total = 0.0
        for j in range(ny):
            total += edge[j]
            edge[j] = 0.0
        fict[steps - 1 - back] = total
    return ex, ey, hz, fict


@njit(**_COMPILED)
def seidel_2d(steps: int, d_a: Any) -> Any:
    """Gradient by `A`: row by row from the last, `part` holding a ninth of each point's cotangent."""
    n = d_a.shape[0]
    a, part, sums = d_a.copy(), np.zeros((n, n)), np.zeros(n)
    for _ in range(steps - 1):
        for j in range(n):
            part[n - 1, j] = 0.0
        for back in range(n - 2):
            i = n - 2 - back
            here, below, row = part[i], part[i + 1], a[i]
            for j in range(1, n - 1):
                sums[j] = row[j] + (below[j - 1] + below[j] + below[j + 1])
            carried = 0.0
            for j in range(n - 2, 0, -1):
                carried = (sums[j] + carried) / 9.0
                here[j] = carried
            row[0] += here[1] + below[1]
            row[n - 1] += here[n - 2] + below[n - 2]
            for j in range(1, n - 1):
                row[j] = here[j] + here[j - 1]
            if i < n - 2:
                _spread(here, a[i + 1])
            else:
                _spread_edge(here, a[n - 1])
        _spread_edge(part[1], a[0])
        _finish_columns(a, part)
    return a


@njit(**_COMPILED)
def _spread(source: Any, target: Any) -> None:
    for j in range(1, source.shape[0] - 1):
        target[j] += source[j - 1] + source[j] + source[j + 1]


@njit(**_COMPILED)
def _spread_edge(source: Any, target: Any) -> None:
    n = source.shape[0]
    _spread(source, target)
    target[0] += source[1]
    target[n - 1] += source[n - 2]


@njit(**_COMPILED)
def _finish_columns(a: Any, part: Any) -> None:
    """What the first and the last column get from the row above."""
    n = a.shape[0]
    for i in range(2, n - 1):
        a[i, 0] += part[i - 1, 1]
        a[i, n - 1] += part[i - 1, n - 2]
