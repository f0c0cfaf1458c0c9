"""Numbers of Python and of NumPy: promotion, floors and remainders, conversions, complex numbers."""

# ruff: noqa: B007
# Written as people write.

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from language.corpus import Case, Corpus, check_gradients, check_text, check_values, real

corpus = Corpus()


@corpus(real(4).astype(np.float32), 3, 0.1, gradient=False)
def weak(x, n, a):
    y = x * n + a
    y = y / n - x.shape[0]
    z = np.maximum(x, a) ** 2
    for i in range(n):
        y = y + i * 0.5
        z[i] = i
    return y, z * np.float32(2.0), x.sum() * a, np.float64(a) * x


@corpus(7, 2, again=(-7, 3), gradient=False)
def whole(a, b):
    return a // b, a % b, a**b, a / b, -a // b, a % -b, divmod(a, b), abs(a), a << b, a & b | 1, a ^ b, ~a, min(a, b, 1)


@corpus(7.3, 2.25, 3, again=(-7.5, 0.5, 2))
def floating(a, b, n):
    return a // b + a % b, a**2 * b**n, round(a) * b, int(b) * a, float(n) / a, max(a, b), abs(-a) - min(b, n, a)


@corpus(1.3, 0.4, exact=False)
def with_math(a, b):
    return math.exp(-a) * math.pi + math.floor(b) + a * np.pi + math.sqrt(a) * math.sin(b) - math.hypot(a, b)


@corpus(0.3, 0.7, 4, exact=False)
def special_functions_of_math(a, b, n):
    total = math.erf(a) + math.erfc(b) * math.gamma(a + 1) - math.lgamma(b + 2)
    if math.isclose(a, b, abs_tol=0.1) or not math.isclose(a * 3, a + a + a):
        total = total * 7
    return total / math.factorial(n) + math.comb(n, 2) * b


@corpus(100.0, 0.3, np.array([90.0, 105.0]), exact=False)
def option_prices(spot, volatility, strikes):
    d = np.log(spot / strikes) / volatility + 0.5 * volatility
    prices = spot * norm.cdf(d) - strikes * norm.cdf(d - volatility)
    for k in range(2):
        prices = prices + norm.pdf(strikes[k], spot, scale=20.0) * norm.sf(d[k])
    return prices + norm.logcdf(-volatility) * norm.ppf(volatility, loc=spot) + norm.logpdf(volatility) * norm.ppf(0.3)


@corpus(real(4), 6, again=(real(4, seed=3), 2))
def flags_that_are_compared_by_identity(x, n):
    done, turns = False, 0
    while done is False:
        x = np.tanh(1.5 * x)
        turns += 1
        if turns >= n or x.sum() > 3:
            done = True
    return x if done is not False else x * 0


@corpus(real(3), 2.5)
def conversions(x, a):
    k = int(a)
    y = x.astype(complex).real.astype(float)
    s = float(x[0]) * k + x[1].item() * bool(k)
    return y * s + len(x) + np.int64(a) + np.float64(a)


@corpus(real(4) + 1j * real(4, seed=1), 0.5 + 0.25j)
def complex_numbers(z, c):
    w = z * z + c
    w[0] = 1j * w[1]
    w *= np.conj(z)
    s = abs(w[2]) + w.real[3] * w[1].imag
    return np.exp(1j * w.real) * s + np.abs(w) + z.imag


@corpus(real(4), 3)
def complex_loops(x, n):
    z = np.zeros(4, dtype=complex)
    for k in range(n):
        z = z * z + x * (0.1 + 0.2j)
    z.real = x
    return np.abs(z) ** 2 + z.imag


@corpus(np.arange(8), real(8))
def bookkeeping(k, x):
    left, right = 0, len(k) - 1
    while left < right:
        middle = (left + right) // 2
        if k[middle] < 5:
            left = middle + 1
        else:
            right = middle
    return x[left] * left + x[left - 1]


@corpus(real(5), 2)
def indices(x, k):
    i = 2 * k - 1
    return x[i] * x[-k] + x[k:].sum() + x[:-k] @ x[k:] + x[i % 3] * (i // 2)


@corpus(real(3), gradient=False)
def comparisons(x):
    return x > 0, np.isnan(x), x == x[0], not x[0] > 5, bool(x[1] < 5), 0 < x[0] < 1


@corpus(real(3), 2.0)
def numbers_replaced(x, a):
    b = a
    b += 1.0
    c = x[0]
    c *= 3.0
    s = x.sum()
    t = s
    s -= 4.0
    return a * b + c * x[0] + s * t


@corpus(real(2, 3))
def sizes(x):
    n, m = x.shape
    y = np.zeros((m, n + 1))
    y[:, 1:] = x.T / x.size
    y[:, 0] = np.arange(m) * x.ndim
    return y.reshape(n + 1, -1) * np.ones((n + 1, m)) + x.shape[-1]


@corpus(real(3).astype(np.float32), real(3), np.arange(3, dtype=np.int32), gradient=False)
def promotion(f, d, i):
    return f * d, f * i, i * 2, i / 2, i * 0.5, f + 1, f * np.float64(2.0), i + np.int8(1), f.sum(), i.sum(), i.mean()


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_values(case: Case) -> None:
    check_values(case)


@pytest.mark.parametrize("case", corpus.smooth, ids=repr)
def test_gradients(case: Case) -> None:
    check_gradients(case)


@pytest.mark.parametrize("case", corpus.cases, ids=repr)
def test_text(case: Case) -> None:
    check_text(case)
