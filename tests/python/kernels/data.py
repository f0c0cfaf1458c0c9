"""Statistics, signals and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.registry import Family, Random

DATA = Family("data")


def correlation(M, float_n, data):
    """The correlations of the columns of data, which is standardized in place."""
    mean = np.mean(data, axis=0)
    stddev = np.std(data, axis=0)
    stddev[stddev <= 0.1] = 1.0
    data -= mean
    data /= np.sqrt(float_n) * stddev
    corr = np.eye(M, dtype=data.dtype)
    for i in range(M - 1):
        corr[i + 1 : M, i] = corr[i, i + 1 : M] = data[:, i] @ data[:, i + 1 : M]
    return corr


def columns(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return M, float(N), random.standard_normal((N, M)) * random.uniform(0.05, 2.0, M)


DATA.add(
    correlation,
    columns,
    kind="nest",
    wrt="float_n data",
    of="return data",
    tiny={"M": 4, "N": 6},
    S={"M": 500, "N": 600},
    M={"M": 1400, "N": 1800},
    paper={"M": 1200, "N": 1400},
)


def covariance(M, float_n, data):
    """The covariances of the columns of data, which is centred in place."""
    mean = np.mean(data, axis=0)
    data -= mean
    cov = np.zeros((M, M), dtype=data.dtype)
    for i in range(M):
        cov[i:M, i] = cov[i, i:M] = data[:, i] @ data[:, i:M] / (float_n - 1.0)
    return cov


DATA.add(
    covariance,
    columns,
    kind="nest",
    wrt="float_n data",
    of="return data",
    tiny={"M": 4, "N": 6},
    S={"M": 500, "N": 600},
    M={"M": 1400, "N": 1800},
    paper={"M": 1200, "N": 1400},
)


def deriche(alpha, imgIn):
    """Deriche's recursive edge filter: forward and backward along rows, then along columns."""
    k = (1.0 - np.exp(-alpha)) ** 2 / (1.0 + alpha * np.exp(-alpha) - np.exp(2.0 * alpha))
    a1 = a5 = k
    a2 = a6 = k * np.exp(-alpha) * (alpha - 1.0)
    a3 = a7 = k * np.exp(-alpha) * (alpha + 1.0)
    a4 = a8 = -k * np.exp(-2.0 * alpha)
    b1 = 2.0 ** (-alpha)
    b2 = -np.exp(-2.0 * alpha)
    c1 = c2 = 1
    y1 = np.empty_like(imgIn)
    y1[:, 0] = a1 * imgIn[:, 0]
    y1[:, 1] = a1 * imgIn[:, 1] + a2 * imgIn[:, 0] + b1 * y1[:, 0]
    for j in range(2, imgIn.shape[1]):
        y1[:, j] = a1 * imgIn[:, j] + a2 * imgIn[:, j - 1] + b1 * y1[:, j - 1] + b2 * y1[:, j - 2]
    y2 = np.empty_like(imgIn)
    y2[:, -1] = 0.0
    y2[:, -2] = a3 * imgIn[:, -1]
    for j in range(imgIn.shape[1] - 3, -1, -1):
        y2[:, j] = a3 * imgIn[:, j + 1] + a4 * imgIn[:, j + 2] + b1 * y2[:, j + 1] + b2 * y2[:, j + 2]
    imgOut = c1 * (y1 + y2)
    y1[0, :] = a5 * imgOut[0, :]
    y1[1, :] = a5 * imgOut[1, :] + a6 * imgOut[0, :] + b1 * y1[0, :]
    for i in range(2, imgIn.shape[0]):
        y1[i, :] = a5 * imgOut[i, :] + a6 * imgOut[i - 1, :] + b1 * y1[i - 1, :] + b2 * y1[i - 2, :]
    y2[-1, :] = 0.0
    y2[-2, :] = a7 * imgOut[-1, :]
    for i in range(imgIn.shape[0] - 3, -1, -1):
        y2[i, :] = a7 * imgOut[i + 1, :] + a8 * imgOut[i + 2, :] + b1 * y2[i + 1, :] + b2 * y2[i + 2, :]
    return c2 * (y1 + y2)


def deriche_arguments(random: Random, W: int, H: int) -> tuple[Any, ...]:
    return 0.25, random.random((W, H))


DATA.add(
    deriche,
    deriche_arguments,
    kind="nest",
    wrt="alpha imgIn",
    tiny={"W": 5, "H": 6},
    S={"W": 400, "H": 200},
    M={"W": 1500, "H": 1000},
    paper={"W": 7680, "H": 4320},
)


def doitgen(NR, NQ, NP, A, C4):
    """Multiresolution analysis: the last axis of an array of three, times a matrix."""
    A[:] = np.reshape(np.reshape(A, (NR, NQ, 1, NP)) @ C4, (NR, NQ, NP))


def doitgen_arguments(random: Random, NR: int, NQ: int, NP: int) -> tuple[Any, ...]:
    return NR, NQ, NP, random.standard_normal((NR, NQ, NP)), random.standard_normal((NP, NP))


DATA.add(
    doitgen,
    doitgen_arguments,
    kind="dense",
    wrt="A C4",
    of="A",
    tiny={"NR": 2, "NQ": 3, "NP": 4},
    S={"NR": 60, "NQ": 60, "NP": 128},
    M={"NR": 110, "NQ": 125, "NP": 256},
    paper={"NR": 220, "NQ": 250, "NP": 270},
)


def azimint_naive(data, radius, npt):
    """The mean of data in rings, by a mask for each ring."""
    rmax = radius.max()
    res = np.zeros(npt, dtype=data.dtype)
    for i in range(npt):
        r1 = rmax * i / npt
        r2 = rmax * (i + 1) / npt
        mask = np.logical_and((r1 <= radius), (radius < r2))
        values = data[mask]
        res[i] = values.mean()
    return res


def azimint_arguments(random: Random, N: int, npt: int) -> tuple[Any, ...]:
    return random.random(N), np.concatenate((np.linspace(0.02, 1.0, npt * 2), random.random(N - npt * 2))), npt


DATA.add(
    azimint_naive,
    azimint_arguments,
    kind="elementwise",
    wrt="data radius",
    tiny={"N": 20, "npt": 3},
    S={"N": 400000, "npt": 1000},
    M={"N": 4000000, "npt": 1000},
    paper={"N": 1000000, "npt": 1000},
)


def azimint_hist(data, radius, npt):
    """The mean of data in rings, by two histograms."""
    counts = np.histogram(radius, npt)[0]
    totals = np.histogram(radius, npt, weights=data)[0]
    return totals / counts


DATA.add(
    azimint_hist,
    azimint_arguments,
    kind="elementwise",
    wrt="data radius",
    tiny={"N": 20, "npt": 3},
    S={"N": 400000, "npt": 1000},
    M={"N": 4000000, "npt": 1000},
    paper={"N": 1000000, "npt": 1000},
)


def histogram_sum(values, weights, bins):
    """Weights summed by the bin that their value falls into, element by element."""
    lowest, highest = np.min(values), np.max(values)
    result = np.zeros(bins)
    for i in range(values.shape[0]):
        place = int((values[i] - lowest) / (highest - lowest) * bins)
        if place == bins:
            place = bins - 1
        result[place] += weights[i] * values[i]
    return result


def histogram_sum_arguments(random: Random, N: int, bins: int) -> tuple[Any, ...]:
    return random.permutation(N) + 0.4 * random.random(N), random.random(N), bins


DATA.add(
    histogram_sum,
    histogram_sum_arguments,
    kind="nest",
    wrt="values weights",
    tiny={"N": 12, "bins": 4},
    S={"N": 20000, "bins": 100},
    M={"N": 200000, "bins": 100},
)


def compute(array_1, array_2, a, b, c):
    """An array between two bounds, and another, in a linear combination."""
    return np.clip(array_1, 2, 10) * a + array_2 * b + c


def compute_arguments(random: Random, M: int, N: int) -> tuple[Any, ...]:
    return random.uniform(0, 12, (M, N)), random.uniform(0, 12, (M, N)), 4.0, 3.0, 9.0


DATA.add(
    compute,
    compute_arguments,
    kind="elementwise",
    wrt="array_1 array_2 a b c",
    tiny={"M": 3, "N": 4},
    S={"M": 2000, "N": 2000},
    M={"M": 5000, "N": 5000},
    paper={"M": 12500, "N": 12500},
)


def arc_distance(theta_1, phi_1, theta_2, phi_2):
    """Distances of pairs of points on a sphere."""
    temp = np.sin((theta_2 - theta_1) / 2) ** 2 + np.cos(theta_1) * np.cos(theta_2) * np.sin((phi_2 - phi_1) / 2) ** 2
    return 2 * (np.arctan2(np.sqrt(temp), np.sqrt(1 - temp)))


def arc_distance_arguments(random: Random, N: int) -> tuple[Any, ...]:
    return tuple(random.random(N) for _ in range(4))


DATA.add(
    arc_distance,
    arc_distance_arguments,
    kind="elementwise",
    wrt="theta_1 phi_1 theta_2 phi_2",
    tiny={"N": 5},
    S={"N": 100000},
    M={"N": 1000000},
    paper={"N": 10000000},
)
