"""The adjoint of the flow in a cavity, by hand: velocities are kept for each step, pressures computed again.

Sums over the grid run in a row of accumulators, which vectorizes without reordering any sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_COMPILED: Any = {"error_model": "numpy", "cache": True}


@njit(**_COMPILED)
def _source(b: Any, u: Any, v: Any, rho: Any, dt: Any, dx: Any, dy: Any) -> None:
    ny, nx = u.shape
    rate, across, down = 1.0 / dt, 1.0 / (2.0 * dx), 1.0 / (2.0 * dy)
    for i in range(1, ny - 1):
        out, u_row, v_row = b[i], u[i], v[i]
        u_north, u_south, v_north, v_south = u[i - 1], u[i + 1], v[i - 1], v[i + 1]
        for j in range(1, nx - 1):
            ux, vx = across * (u_row[j + 1] - u_row[j - 1]), across * (v_row[j + 1] - v_row[j - 1])
            uy, vy = down * (u_south[j] - u_north[j]), down * (v_south[j] - v_north[j])
            out[j] = rho * (rate * (ux + vy) - ux * ux - 2.0 * uy * vx - vy * vy)


@njit(**_COMPILED)
def _relax(old: Any, new: Any, b: Any, cx: Any, cy: Any, cb: Any) -> None:
    ny, nx = old.shape
    for i in range(1, ny - 1):
        out, here, north, south, b_row = new[i], old[i], old[i - 1], old[i + 1], b[i]
        for j in range(1, nx - 1):
            out[j] = cx * (here[j + 1] + here[j - 1]) + cy * (south[j] + north[j]) - cb * b_row[j]
        out[nx - 1] = out[nx - 2]
        out[0] = out[1]
    first, second, last = new[0], new[1], new[ny - 1]
    for j in range(nx):
        first[j] = second[j]
        last[j] = 0.0


@njit(**_COMPILED)
def _advance(un: Any, vn: Any, p: Any, u: Any, v: Any, rho: Any, nu: Any, dt: Any, dx: Any, dy: Any) -> None:
    ny, nx = u.shape
    a, c, px, py = dt / dx, dt / dy, dt / (2.0 * rho * dx), dt / (2.0 * rho * dy)
    kx, ky = nu * dt / (dx * dx), nu * dt / (dy * dy)
    for i in range(1, ny - 1):
        u_out, v_out, x, y, pressure = u[i], v[i], un[i], vn[i], p[i]
        x_north, x_south, y_north, y_south = un[i - 1], un[i + 1], vn[i - 1], vn[i + 1]
        p_north, p_south = p[i - 1], p[i + 1]
        for j in range(1, nx - 1):
            u_out[j] = (
                x[j]
                - a * x[j] * (x[j] - x[j - 1])
                - c * y[j] * (x[j] - x_north[j])
                - px * (pressure[j + 1] - pressure[j - 1])
                + kx * (x[j + 1] - 2.0 * x[j] + x[j - 1])
                + ky * (x_south[j] - 2.0 * x[j] + x_north[j])
            )
            v_out[j] = (
                y[j]
                - a * x[j] * (y[j] - y[j - 1])
                - c * y[j] * (y[j] - y_north[j])
                - py * (p_south[j] - p_north[j])
                + kx * (y[j + 1] - 2.0 * y[j] + y[j - 1])
                + ky * (y_south[j] - 2.0 * y[j] + y_north[j])
            )
    u[0], u[:, 0], u[:, nx - 1] = 0.0, 0.0, 0.0
    u[ny - 1] = 1.0
    v[0], v[ny - 1], v[:, 0], v[:, nx - 1] = 0.0, 0.0, 0.0, 0.0


@njit(**_COMPILED)
def _advance_back(
    gu: Any, gv: Any, un: Any, vn: Any, p: Any, du: Any, dv: Any, dp: Any, sums: Any, parts: Any, factors: Any
) -> None:
    """From the cotangents of the new velocities to those of the old ones, of the pressure, and of the factors."""
    ny, nx = un.shape
    a, c, px, py, kx, ky = factors
    for i in range(1, ny - 1):
        g, h, x, y, pressure = gu[i], gv[i], un[i], vn[i], p[i]
        x_north, x_south, y_north, y_south = un[i - 1], un[i + 1], vn[i - 1], vn[i + 1]
        p_north, p_south = p[i - 1], p[i + 1]
        u_west, u_up, u_centre, v_centre, v_west, v_up = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
        by_a, by_c, by_px, by_py, by_kx, by_ky = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
        for j in range(1, nx - 1):
            west, north = x[j] - x[j - 1], x[j] - x_north[j]
            v_gap_west, v_gap_north = y[j] - y[j - 1], y[j] - y_north[j]
            u_west[j] = (a * x[j] + kx) * g[j]
            u_up[j] = (c * y[j] + ky) * g[j]
            v_west[j] = (a * x[j] + kx) * h[j]
            v_up[j] = (c * y[j] + ky) * h[j]
            common = 1.0 - a * x[j] - c * y[j] - 2.0 * (kx + ky)
            u_centre[j] = (common - a * west) * g[j] - a * v_gap_west * h[j]
            v_centre[j] = (common - c * v_gap_north) * h[j] - c * north * g[j]
            by_a[j] -= x[j] * (g[j] * west + h[j] * v_gap_west)
            by_c[j] -= y[j] * (g[j] * north + h[j] * v_gap_north)
        for j in range(1, nx - 1):
            by_px[j] -= g[j] * (pressure[j + 1] - pressure[j - 1])
            by_py[j] -= h[j] * (p_south[j] - p_north[j])
            by_kx[j] += g[j] * (x[j + 1] - 2.0 * x[j] + x[j - 1]) + h[j] * (y[j + 1] - 2.0 * y[j] + y[j - 1])
            by_ky[j] += g[j] * (x_south[j] - 2.0 * x[j] + x_north[j]) + h[j] * (y_south[j] - 2.0 * y[j] + y_north[j])
        _scatter_row(du, g, u_centre, u_west, u_up, kx, ky, i)
        _scatter_row(dv, h, v_centre, v_west, v_up, kx, ky, i)
        p_here, p_above, p_below = dp[i], dp[i - 1], dp[i + 1]
        p_here[0] += px * g[1]
        p_here[nx - 1] -= px * g[nx - 2]
        for j in range(1, nx - 1):
            p_here[j] += px * (g[j + 1] - g[j - 1])
            p_above[j] += py * h[j]
            p_below[j] -= py * h[j]


@njit(**_COMPILED)
def _scatter_row(target: Any, g: Any, centre: Any, west: Any, up: Any, kx: Any, ky: Any, i: int) -> None:
    nx = g.shape[0]
    here, above, below = target[i], target[i - 1], target[i + 1]
    here[0] += west[1]
    here[nx - 1] += kx * g[nx - 2]
    for j in range(1, nx - 1):
        here[j] += centre[j] + west[j + 1] + kx * g[j - 1]
        above[j] += up[j]
        below[j] += ky * g[j]


@njit(**_COMPILED)
def _fold(d: Any) -> None:
    """Cotangents of a pressure's edges, which copy their neighbours, move inside; what is left there is 0."""
    ny, nx = d.shape
    d[ny - 1] = 0.0
    for i in range(ny - 1):
        d[i, 1] += d[i, 0]
        d[i, 0] = 0.0
    for j in range(nx):
        d[1, j] += d[0, j]
        d[0, j] = 0.0
    for i in range(1, ny - 1):
        d[i, nx - 2] += d[i, nx - 1]
        d[i, nx - 1] = 0.0


@njit(**_COMPILED)
def _relax_back(g: Any, out: Any, old: Any, b: Any, db: Any, sums: Any, cx: Any, cy: Any, cb: Any) -> None:
    """From the folded cotangent of a pressure to that of the one before, of the source, and of the factors."""
    ny, nx = g.shape
    by_cx, by_cy, by_cb = sums[6], sums[7], sums[8]
    for j in range(nx):
        out[0, j] = cy * g[1, j]
        out[ny - 1, j] = cy * g[ny - 2, j]
    for i in range(1, ny - 1):
        row, target, north, south = g[i], out[i], g[i - 1], g[i + 1]
        here, above, below, source, share = old[i], old[i - 1], old[i + 1], b[i], db[i]
        target[0] = cx * row[1]
        target[nx - 1] = cx * row[nx - 2]
        for j in range(1, nx - 1):
            target[j] = cx * (row[j - 1] + row[j + 1]) + cy * (north[j] + south[j])
            share[j] -= cb * row[j]
            by_cx[j] += row[j] * (here[j + 1] + here[j - 1])
            by_cy[j] += row[j] * (below[j] + above[j])
            by_cb[j] -= row[j] * source[j]


@njit(**_COMPILED)
def _source_back(
    db: Any, b: Any, u: Any, v: Any, du: Any, dv: Any, sums: Any, parts: Any, rho: Any, dt: Any, dx: Any, dy: Any
) -> None:
    """From the cotangent of the source to those of the velocities, and of the factors."""
    ny, nx = u.shape
    rate, across, down = 1.0 / dt, 1.0 / (2.0 * dx), 1.0 / (2.0 * dy)
    by_rho, by_rate, by_across, by_down = sums[9], sums[10], sums[11], sums[12]
    for i in range(1, ny - 1):
        share, source, u_row, v_row = db[i], b[i], u[i], v[i]
        u_north, u_south, v_north, v_south = u[i - 1], u[i + 1], v[i - 1], v[i + 1]
        g_ux, g_vx, g_uy, g_vy = parts[0], parts[1], parts[2], parts[3]
        for j in range(1, nx - 1):
            wide_u, wide_v = u_row[j + 1] - u_row[j - 1], v_row[j + 1] - v_row[j - 1]
            tall_u, tall_v = u_south[j] - u_north[j], v_south[j] - v_north[j]
            t = rho * share[j]
            d_ux, d_vy = t * (rate - 2.0 * across * wide_u), t * (rate - 2.0 * down * tall_v)
            d_uy, d_vx = -2.0 * across * t * wide_v, -2.0 * down * t * tall_u
            by_rho[j] += share[j] * source[j]
            by_rate[j] += t * (across * wide_u + down * tall_v)
            by_across[j] += d_ux * wide_u + d_vx * wide_v
            by_down[j] += d_uy * tall_u + d_vy * tall_v
            g_ux[j], g_vx[j], g_uy[j], g_vy[j] = across * d_ux, across * d_vx, down * d_uy, down * d_vy
        _add_differences(du, g_ux, g_uy, i)
        _add_differences(dv, g_vx, g_vy, i)


@njit(**_COMPILED)
def _add_differences(target: Any, wide: Any, tall: Any, i: int) -> None:
    nx = wide.shape[0]
    here, above, below = target[i], target[i - 1], target[i + 1]
    here[0] -= wide[1]
    here[nx - 1] += wide[nx - 2]
    for j in range(1, nx - 1):
        here[j] += wide[j - 1] - wide[j + 1]
        above[j] -= tall[j]
        below[j] += tall[j]


@njit(**_COMPILED)
def _clear_edges(d: Any) -> None:
    ny, nx = d.shape
    d[0], d[ny - 1] = 0.0, 0.0
    d[:, 0], d[:, nx - 1] = 0.0, 0.0


@njit(**_COMPILED)
def _sweep(
    nt: int, nit: int, u: Any, v: Any, dt: Any, dx: Any, dy: Any, p: Any, rho: Any, nu: Any, du: Any, dv: Any, dp: Any
) -> Any:
    ny, nx = u.shape
    spread = 2.0 * (dx * dx + dy * dy)
    cx, cy, cb = dy * dy / spread, dx * dx / spread, dx * dx * dy * dy / spread
    us, vs, ps = np.empty((nt + 1, ny, nx)), np.empty((nt + 1, ny, nx)), np.empty((nt + 1, ny, nx))
    us[0], vs[0], ps[0] = u, v, p
    b, work = np.zeros((ny, nx)), np.zeros((nit + 1, ny, nx))
    for n in range(nt):
        _source(b, us[n], vs[n], rho, dt, dx, dy)
        work[0] = ps[n]
        for q in range(nit):
            _relax(work[q], work[q + 1], b, cx, cy, cb)
        ps[n + 1] = work[nit]
        _advance(us[n], vs[n], work[nit], us[n + 1], vs[n + 1], rho, nu, dt, dx, dy)
    a, c = dt / dx, dt / dy
    factors = (a, c, dt / (2.0 * rho * dx), dt / (2.0 * rho * dy), nu * dt / (dx * dx), nu * dt / (dy * dy))
    gu, gv, g = du.copy(), dv.copy(), dp.copy()
    new_u, new_v, other, db = np.empty((ny, nx)), np.empty((ny, nx)), np.zeros((ny, nx)), np.empty((ny, nx))
    sums, parts = np.zeros((13, nx)), np.zeros((6, nx))
    for back in range(nt):
        n = nt - 1 - back
        _source(b, us[n], vs[n], rho, dt, dx, dy)
        work[0] = ps[n]
        for q in range(nit):
            _relax(work[q], work[q + 1], b, cx, cy, cb)
        _clear_edges(gu)
        _clear_edges(gv)
        new_u[:], new_v[:], db[:] = 0.0, 0.0, 0.0
        _advance_back(gu, gv, us[n], vs[n], work[nit], new_u, new_v, g, sums, parts, factors)
        for q in range(nit - 1, -1, -1):
            _fold(g)
            _relax_back(g, other, work[q], b, db, sums, cx, cy, cb)
            g, other = other, g
        _source_back(db, b, us[n], vs[n], new_u, new_v, sums, parts, rho, dt, dx, dy)
        gu, new_u = new_u, gu
        gv, new_v = new_v, gv
    return gu, gv, g, sums


def cavity_flow(given: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
    """Gradients by `u`, `v`, `dt`, `dx`, `dy`, `p`, `rho` and `nu`."""
    _, _, nt, nit, u, v, dt, dx, dy, p, rho, nu = given
    gu, gv, gp, sums = _sweep(nt, nit, u, v, dt, dx, dy, p, rho, nu, *cotangents)
    a, c, px, py, kx, ky, cx, cy, cb, by_source, rate, across, down = (float(total) for total in sums.sum(axis=1))
    spread = 2.0 * (dx**2 + dy**2)
    d_spread = -(cx * dy**2 + cy * dx**2 + cb * dx**2 * dy**2) / spread**2
    d_dt = a / dx + c / dy + px / (2 * rho * dx) + py / (2 * rho * dy) + nu * (kx / dx**2 + ky / dy**2) - rate / dt**2
    d_dx = -a * dt / dx**2 - px * dt / (2 * rho * dx**2) - 2 * nu * kx * dt / dx**3 - across / (2 * dx**2)
    d_dx += (cy * 2 * dx + cb * 2 * dx * dy**2) / spread + 4 * dx * d_spread
    d_dy = -c * dt / dy**2 - py * dt / (2 * rho * dy**2) - 2 * nu * ky * dt / dy**3 - down / (2 * dy**2)
    d_dy += (cx * 2 * dy + cb * 2 * dy * dx**2) / spread + 4 * dy * d_spread
    d_rho = by_source / rho - px * dt / (2 * rho**2 * dx) - py * dt / (2 * rho**2 * dy)
    d_nu = kx * dt / dx**2 + ky * dt / dy**2
    return gu, gv, d_dt, d_dx, d_dy, gp, d_rho, d_nu
