"""Flows of fluids: the Navier-Stokes equations in two dimensions, by finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

FLOWS = Family("flows")


def build_up_b(b, rho, dt, u, v, dx, dy):
    """The right-hand side of the pressure equation, from the velocities."""
    b[1:-1, 1:-1] = rho * (
        1 / dt * ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx) + (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy))
        - ((u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx)) ** 2
        - 2 * ((u[2:, 1:-1] - u[:-2, 1:-1]) / (2 * dy) * (v[1:-1, 2:] - v[1:-1, :-2]) / (2 * dx))
        - ((v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy)) ** 2
    )


def pressure_poisson(nit, p, dx, dy, b):
    """Jacobi iterations for the pressure, which is 0 at the lid and level across the walls."""
    pn = np.empty_like(p)
    for q in range(nit):
        pn[:] = p.copy()
        p[1:-1, 1:-1] = ((pn[1:-1, 2:] + pn[1:-1, :-2]) * dy**2 + (pn[2:, 1:-1] + pn[:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 1:-1]
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[:, 0] = p[:, 1]
        p[-1, :] = 0


def cavity_flow(nx, ny, nt, nit, u, v, dt, dx, dy, p, rho, nu):
    """The flow of a fluid in a box under a lid that moves: Navier-Stokes in two dimensions, step by step."""
    un = np.empty_like(u)
    vn = np.empty_like(v)
    b = np.zeros((ny, nx))
    for n in range(nt):
        un[:] = u.copy()
        vn[:] = v.copy()
        build_up_b(b, rho, dt, u, v, dx, dy)
        pressure_poisson(nit, p, dx, dy, b)
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (un[1:-1, 1:-1] - un[1:-1, :-2])
            - vn[1:-1, 1:-1] * dt / dy * (un[1:-1, 1:-1] - un[:-2, 1:-1])
            - dt / (2 * rho * dx) * (p[1:-1, 2:] - p[1:-1, :-2])
            + nu
            * (
                dt / dx**2 * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, :-2])
                + dt / dy**2 * (un[2:, 1:-1] - 2 * un[1:-1, 1:-1] + un[:-2, 1:-1])
            )
        )
        v[1:-1, 1:-1] = (
            vn[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (vn[1:-1, 1:-1] - vn[1:-1, :-2])
            - vn[1:-1, 1:-1] * dt / dy * (vn[1:-1, 1:-1] - vn[:-2, 1:-1])
            - dt / (2 * rho * dy) * (p[2:, 1:-1] - p[:-2, 1:-1])
            + nu
            * (
                dt / dx**2 * (vn[1:-1, 2:] - 2 * vn[1:-1, 1:-1] + vn[1:-1, :-2])
                + dt / dy**2 * (vn[2:, 1:-1] - 2 * vn[1:-1, 1:-1] + vn[:-2, 1:-1])
            )
        )
        u[0, :] = 0
        u[:, 0] = 0
        u[:, -1] = 0
        u[-1, :] = 1
        v[0, :] = 0
        v[-1, :] = 0
        v[:, 0] = 0
        v[:, -1] = 0


def cavity_flow_arguments(
    random: Random, ny: int, nx: int, nt: int, nit: int, rho: float, nu: float
) -> tuple[Any, ...]:
    u, v, p = (0.1 * random.standard_normal((ny, nx)) for _ in range(3))
    return nx, ny, nt, nit, u, v, 0.1 / ((nx - 1) * (ny - 1)), 2 / (nx - 1), 2 / (ny - 1), p, rho, nu


FLOWS.add(
    cavity_flow,
    cavity_flow_arguments,
    kind="stencil",
    wrt="u v dt dx dy p rho nu",
    of="u v p",
    tiny={"ny": 6, "nx": 7, "nt": 2, "nit": 2, "rho": 1.0, "nu": 0.1},
    S={"ny": 61, "nx": 61, "nt": 25, "nit": 5, "rho": 1.0, "nu": 0.1},
    M={"ny": 121, "nx": 121, "nt": 50, "nit": 10, "rho": 1.0, "nu": 0.1},
    paper={"ny": 101, "nx": 101, "nt": 700, "nit": 50, "rho": 1.0, "nu": 0.1},
)


def periodic_build_up_b(rho, dt, dx, dy, u, v):
    """The right-hand side of the pressure equation, with two edges that meet."""
    b = np.zeros_like(u)
    b[1:-1, 1:-1] = rho * (
        1 / dt * ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx) + (v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy))
        - ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx)) ** 2
        - 2 * ((u[2:, 1:-1] - u[0:-2, 1:-1]) / (2 * dy) * (v[1:-1, 2:] - v[1:-1, 0:-2]) / (2 * dx))
        - ((v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy)) ** 2
    )
    b[1:-1, -1] = rho * (
        1 / dt * ((u[1:-1, 0] - u[1:-1, -2]) / (2 * dx) + (v[2:, -1] - v[0:-2, -1]) / (2 * dy))
        - ((u[1:-1, 0] - u[1:-1, -2]) / (2 * dx)) ** 2
        - 2 * ((u[2:, -1] - u[0:-2, -1]) / (2 * dy) * (v[1:-1, 0] - v[1:-1, -2]) / (2 * dx))
        - ((v[2:, -1] - v[0:-2, -1]) / (2 * dy)) ** 2
    )
    b[1:-1, 0] = rho * (
        1 / dt * ((u[1:-1, 1] - u[1:-1, -1]) / (2 * dx) + (v[2:, 0] - v[0:-2, 0]) / (2 * dy))
        - ((u[1:-1, 1] - u[1:-1, -1]) / (2 * dx)) ** 2
        - 2 * ((u[2:, 0] - u[0:-2, 0]) / (2 * dy) * (v[1:-1, 1] - v[1:-1, -1]) / (2 * dx))
        - ((v[2:, 0] - v[0:-2, 0]) / (2 * dy)) ** 2
    )
    return b


def periodic_pressure_poisson(nit, p, dx, dy, b):
    """Jacobi iterations for the pressure, with two edges that meet and level across the walls."""
    pn = np.empty_like(p)
    for q in range(nit):
        pn[:] = p.copy()
        p[1:-1, 1:-1] = ((pn[1:-1, 2:] + pn[1:-1, 0:-2]) * dy**2 + (pn[2:, 1:-1] + pn[0:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 1:-1]
        p[1:-1, -1] = ((pn[1:-1, 0] + pn[1:-1, -2]) * dy**2 + (pn[2:, -1] + pn[0:-2, -1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, -1]
        p[1:-1, 0] = ((pn[1:-1, 1] + pn[1:-1, -1]) * dy**2 + (pn[2:, 0] + pn[0:-2, 0]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 0]
        p[-1, :] = p[-2, :]
        p[0, :] = p[1, :]


def advance(un, vn, wn, centre, east, west, north, south, dt, dx, dy):
    """Advection and diffusion of one component `wn` at some columns, explicitly."""
    here = wn[1:-1, centre]
    return (
        here
        - un[1:-1, centre] * dt / dx * (here - wn[1:-1, west])
        - vn[1:-1, centre] * dt / dy * (here - wn[north, centre])
        + 0.1
        * (
            dt / dx**2 * (wn[1:-1, east] - 2 * here + wn[1:-1, west])
            + dt / dy**2 * (wn[south, centre] - 2 * here + wn[north, centre])
        )
    )


def channel_flow(nit, u, v, dt, dx, dy, p, rho, F):
    """The flow between two walls that a force drives, until the velocities hardly change; the number of steps."""
    udiff = 1.0
    stepcount = 0
    up, down = slice(0, -2), slice(2, None)
    inner = (slice(1, -1), slice(2, None), slice(0, -2))
    while udiff > 0.001:
        un = u.copy()
        vn = v.copy()
        b = periodic_build_up_b(rho, dt, dx, dy, u, v)
        periodic_pressure_poisson(nit, p, dx, dy, b)
        for centre, east, west in (inner, (-1, 0, -2), (0, 1, -1)):
            slope = p[1:-1, east] - p[1:-1, west]
            u[1:-1, centre] = (
                advance(un, vn, un, centre, east, west, up, down, dt, dx, dy) - dt / (2 * rho * dx) * slope + F * dt
            )
            slope = p[2:, centre] - p[0:-2, centre]
            v[1:-1, centre] = (
                advance(un, vn, vn, centre, east, west, up, down, dt, dx, dy) - dt / (2 * rho * dy) * slope
            )
        u[0, :] = 0
        u[-1, :] = 0
        v[0, :] = 0
        v[-1, :] = 0
        udiff = (np.sum(u) - np.sum(un)) / np.sum(u)
        stepcount += 1
    return stepcount


def channel_flow_arguments(random: Random, ny: int, nx: int, nit: int, dt: float = 0.0) -> tuple[Any, ...]:
    disturbance = 0.01 if dt else 0.0
    u, v, p = (disturbance * random.random((ny, nx)) for _ in range(3))
    return nit, u, v, dt or 0.1 / ((nx - 1) * (ny - 1)), 2 / (nx - 1), 2 / (ny - 1), 1.0 + p, 1.0, 1.0


FLOWS.add(
    channel_flow,
    channel_flow_arguments,
    kind="stencil",
    wrt="u v dt dx dy p rho F",
    of="u v p",
    tiny={"ny": 5, "nx": 6, "nit": 2, "dt": 0.3},
    S={"ny": 61, "nx": 61, "nit": 5},
    M={"ny": 121, "nx": 121, "nit": 10},
    paper={"ny": 101, "nx": 101, "nit": 50},
    tolerance=1e-4,
)
