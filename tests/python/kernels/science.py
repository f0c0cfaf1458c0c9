"""Kernels of the sciences: particles, sparse matrices, graphs, contour integrals, transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

SCIENCE = Family("science")


def go_fast(a):
    """A sum over the diagonal, element by element, added to all of a matrix."""
    trace = 0.0
    for i in range(a.shape[0]):
        trace += np.tanh(a[i, i])
    return a + trace


def go_fast_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return (random.standard_normal((N, N)),)


SCIENCE.add(
    go_fast,
    go_fast_arguments,
    kind="nest",
    wrt="a",
    tiny={"N": 4},
    S={"N": 2000},
    M={"N": 6000},
    paper={"N": 12500},
)


def acceleration(pos, mass, G, softening):
    """The acceleration of each body by the gravity of all others, softened at short distances."""
    x = pos[:, 0:1]
    y = pos[:, 1:2]
    z = pos[:, 2:3]
    dx = x.T - x
    dy = y.T - y
    dz = z.T - z
    inv_r3 = dx**2 + dy**2 + dz**2 + softening**2
    inv_r3[inv_r3 > 0] = inv_r3[inv_r3 > 0] ** (-1.5)
    ax = G * (dx * inv_r3) @ mass
    ay = G * (dy * inv_r3) @ mass
    az = G * (dz * inv_r3) @ mass
    return np.hstack((ax, ay, az))


def energies(pos, vel, mass, G):
    """The kinetic and the potential energy of the bodies."""
    kinetic = 0.5 * np.sum(np.sum(mass * vel**2))
    x = pos[:, 0:1]
    y = pos[:, 1:2]
    z = pos[:, 2:3]
    dx = x.T - x
    dy = y.T - y
    dz = z.T - z
    inv_r = np.sqrt(dx**2 + dy**2 + dz**2)
    inv_r[inv_r > 0] = 1.0 / inv_r[inv_r > 0]
    potential = G * np.sum(np.sum(np.triu(-(mass * mass.T) * inv_r, 1)))
    return kinetic, potential


def nbody(mass, pos, vel, N, Nt, dt, G, softening, KE, PE):
    """Bodies under their own gravity, by the leapfrog method; the energies after each step."""
    vel -= np.mean(mass * vel, axis=0) / np.mean(mass)
    acc = acceleration(pos, mass, G, softening)
    KE[0], PE[0] = energies(pos, vel, mass, G)
    for i in range(Nt):
        vel += acc * dt / 2.0
        pos += vel * dt
        acc = acceleration(pos, mass, G, softening)
        vel += acc * dt / 2.0
        KE[i + 1], PE[i + 1] = energies(pos, vel, mass, G)
    return KE, PE


def nbody_arguments(random: Random, N: int, tEnd: float, dt: float, softening: float, G: float) -> tuple[Any, ...]:
    mass = 20.0 * np.ones((N, 1)) / N
    pos, vel = random.random((N, 3)), random.random((N, 3))
    Nt = int(np.ceil(tEnd / dt))
    return mass, pos, vel, N, Nt, dt, G, softening, np.zeros(Nt + 1), np.zeros(Nt + 1)


SCIENCE.add(
    nbody,
    nbody_arguments,
    kind="elementwise",
    wrt="mass pos vel dt G softening KE PE",
    of="KE PE",
    tiny={"N": 3, "tEnd": 0.1, "dt": 0.05, "softening": 0.1, "G": 1.0},
    S={"N": 25, "tEnd": 2.0, "dt": 0.05, "softening": 0.1, "G": 1.0},
    M={"N": 50, "tEnd": 5.0, "dt": 0.02, "softening": 0.1, "G": 1.0},
    paper={"N": 100, "tEnd": 10.0, "dt": 0.01, "softening": 0.1, "G": 1.0},
    tolerance=1e-5,
)


def spmv(A_row, A_col, A_val, x):
    """A sparse matrix in compressed rows times a vector, gathered row by row."""
    y = np.empty(A_row.size - 1, A_val.dtype)
    for i in range(A_row.size - 1):
        cols = A_col[A_row[i] : A_row[i + 1]]
        vals = A_val[A_row[i] : A_row[i + 1]]
        y[i] = vals @ x[cols]
    return y


def spmv_arguments(random: Random, M: int, N: int, nnz: int) -> tuple[Any, ...]:
    rows = np.sort(random.integers(0, M, nnz))
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=M)))).astype(np.uint32)
    columns = random.integers(0, N, nnz).astype(np.uint32)
    return starts, columns, random.standard_normal(nnz), random.standard_normal(N)


SCIENCE.add(
    spmv,
    spmv_arguments,
    kind="nest",
    wrt="A_val x",
    tiny={"M": 5, "N": 4, "nnz": 9},
    S={"M": 4096, "N": 4096, "nnz": 8192},
    M={"M": 32768, "N": 32768, "nnz": 65536},
    paper={"M": 131072, "N": 131072, "nnz": 262144},
)


def contour_integral(NR, NM, slab_per_bc, Ham, int_pts, Y):
    """Integrals of the inverse of a matrix polynomial along a contour in the complex plane."""
    P0 = np.zeros((NR, NM), dtype=np.complex128)
    P1 = np.zeros((NR, NM), dtype=np.complex128)
    for z in int_pts:
        Tz = np.zeros((NR, NR), dtype=np.complex128)
        for n in range(slab_per_bc + 1):
            zz = np.power(z, slab_per_bc / 2 - n)
            Tz += zz * Ham[n]
        if NR == NM:
            X = np.linalg.inv(Tz)
        else:
            X = np.linalg.solve(Tz, Y)
        if abs(z) < 1.0:
            X = -X
        P0 += X
        P1 += z * X
    return P0, P1


def complex_normal(random: Random, *shape: int) -> Any:
    return random.standard_normal(shape) + 1j * random.standard_normal(shape)


def contour_integral_arguments(random: Random, NR: int, NM: int, slab_per_bc: int, num_int_pts: int) -> tuple[Any, ...]:
    Ham = complex_normal(random, slab_per_bc + 1, NR, NR) + 4.0 * np.eye(NR)
    return NR, NM, slab_per_bc, Ham, complex_normal(random, num_int_pts), complex_normal(random, NR, NM)


SCIENCE.add(
    contour_integral,
    contour_integral_arguments,
    kind="dense",
    wrt="Ham int_pts Y",
    tiny={"NR": 3, "NM": 4, "slab_per_bc": 2, "num_int_pts": 4},
    S={"NR": 50, "NM": 150, "slab_per_bc": 2, "num_int_pts": 32},
    M={"NR": 200, "NM": 400, "slab_per_bc": 2, "num_int_pts": 32},
    paper={"NR": 500, "NM": 1000, "slab_per_bc": 2, "num_int_pts": 32},
    tolerance=1e-5,
)


def stockham_fft(N, R, K, x, y):
    """The discrete Fourier transform of R**K numbers into y, by K passes of radix R without bit reversal."""
    j, i = np.mgrid[0:R, 0:R]
    dft = np.exp(-2.0j * np.pi * i * j / R)
    y[:] = x[:]
    for k in range(K):
        groups = R**k
        rest = R ** (K - k - 1)
        twiddles = np.exp(-2.0j * np.pi * np.arange(groups)[:, np.newaxis] * np.arange(R) / (groups * R))
        parts = np.reshape(y, (R, rest, groups))
        parts = np.transpose(parts, (1, 0, 2)) * twiddles.T
        y[:] = np.reshape(dft @ parts, N)
    return y


def stockham_fft_arguments(random: Random, R: int, K: int) -> tuple[Any, ...]:
    return R**K, R, K, complex_normal(random, R**K), np.zeros(R**K, dtype=np.complex128)


SCIENCE.add(
    stockham_fft,
    stockham_fft_arguments,
    kind="dense",
    wrt="x y",
    tiny={"R": 2, "K": 3},
    S={"R": 2, "K": 15},
    M={"R": 2, "K": 18},
    paper={"R": 4, "K": 10},
)


def floyd_warshall(path):
    """The shortest paths between all pairs of nodes of a graph, in place."""
    for k in range(path.shape[0]):
        path[:] = np.minimum(path[:], np.add.outer(path[:, k], path[k, :]))


def floyd_warshall_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return (random.uniform(0.1, 1.0, (N, N)) ** 3 * (1.0 - np.eye(N)),)


SCIENCE.add(
    floyd_warshall,
    floyd_warshall_arguments,
    kind="elementwise",
    wrt="path",
    of="path",
    tiny={"N": 5},
    S={"N": 200},
    M={"N": 400},
    paper={"N": 2800},
)


def scattering_self_energies(neigh_idx, dH, G, D, Sigma):
    """Self-energies of electrons that scatter at phonons: products of small complex matrices over neighbours."""
    for k in range(G.shape[0]):
        for E in range(G.shape[1]):
            for q in range(D.shape[0]):
                for w in range(D.shape[1]):
                    for i in range(D.shape[-2]):
                        for j in range(D.shape[-1]):
                            for a in range(neigh_idx.shape[0]):
                                for b in range(neigh_idx.shape[1]):
                                    if E - w >= 0:
                                        dHG = G[k, E - w, neigh_idx[a, b]] @ dH[a, b, i]
                                        dHD = dH[a, b, j] * D[q, w, a, b, i, j]
                                        Sigma[k, E, a] += dHG @ dHD


def scattering_arguments(
    random: Random, Nkz: int, NE: int, Nqz: int, Nw: int, N3D: int, NA: int, NB: int, Norb: int
) -> tuple[Any, ...]:
    return (
        random.integers(0, NA, (NA, NB)).astype(np.int32),
        complex_normal(random, NA, NB, N3D, Norb, Norb),
        complex_normal(random, Nkz, NE, NA, Norb, Norb),
        complex_normal(random, Nqz, Nw, NA, NB, N3D, N3D),
        np.zeros((Nkz, NE, NA, Norb, Norb), dtype=np.complex128),
    )


SCIENCE.add(
    scattering_self_energies,
    scattering_arguments,
    kind="nest",
    wrt="dH G D Sigma",
    of="Sigma",
    tiny={"Nkz": 1, "NE": 2, "Nqz": 1, "Nw": 2, "N3D": 2, "NA": 2, "NB": 2, "Norb": 2},
    S={"Nkz": 2, "NE": 4, "Nqz": 2, "Nw": 2, "N3D": 2, "NA": 6, "NB": 2, "Norb": 3},
    M={"Nkz": 3, "NE": 5, "Nqz": 3, "Nw": 2, "N3D": 2, "NA": 10, "NB": 3, "Norb": 4},
    paper={"Nkz": 4, "NE": 10, "Nqz": 4, "Nw": 3, "N3D": 3, "NA": 20, "NB": 4, "Norb": 4},
)
