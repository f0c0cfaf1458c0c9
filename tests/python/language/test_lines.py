"""Short functions, one line each: views, indices, containers and NumPy's functions in the ways people mix them."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from language.corpus import Case, check_text, check_values, cplx, function_of, real

GIVEN = {
    "x": real(6),
    "y": real(6, seed=3),
    "a": real(4, 5),
    "z": cplx(6),
    "t": real(2, 3, 4),
    "kk": np.array([2, 0, 1, 2, 3, 1]),
}

BODIES = """
x[None, :] += 1.0; return x
y = x[:, None] * x[None]; y[..., 0] = x; return y
a[..., -1] *= 2.0; a[1, ...] = 0.5; return a
m = x > 0; a[:, 0][x[:4] > 0] = 9.0; return a
a[[0, 2], 1] += x[:2]; a[:, [0, 3]] *= 2.0; return a
a[np.ix_([0, 1], [2, 3])] = 1.5; return a
p, q, *rest = x; return p * q + len(rest) + rest[0]
return sum(x) + sum(v * v for v in x)
return max(x) * min(x)
x[2:4], x[0:2] = x[0:2], x[2:4].copy(); return x
del y; return x * 2
x = x.reshape(2, 3); x[0] += 1; return x
b = np.array(a); b[0] = 0; return a * b
b = a[:2]; b = b + 1; b[0] = 0.0; return a[0], b
z[1:] = z[:-1].conj(); z.imag[0] = 2.0; return abs(z) ** 2
return np.abs(z).sum() + (z * z.conj()).real.sum()
n = len(x) // 2; x[:n] += x[n:]; return x[:n].sum()
n = x.size; return x.reshape(2, n // 2).sum(axis=1)
t[:, 1, ::2] *= 0.5; return t.transpose(1, 0, 2)[0]
u = t.swapaxes(0, 2); u[0] = 1.0; return t
u = t.reshape(6, 4); u[::2] += 1.0; return t
i = np.where(x > 0)[0]; x[i] = np.sqrt(x[i]); return x
i, = np.nonzero(x > 0); return x[i].sum() * len(i)
k = np.argsort(x)[::-1]; return x[k[:3]]
counts = np.zeros(5, dtype=int); np.add.at(counts, kk, 1); return counts * 0.5 + x[:5]
h = np.bincount(kk, weights=x, minlength=5); return h
out = np.zeros(4); np.add.at(out, kk[:4], x[:4]); return out
return x if x.sum() > 100 else -x
return np.stack([x, y]).T @ np.ones(2)
s = 0.0; s += x @ y; s /= len(x); return s
e = np.eye(4)[kk % 4]; return e * x[:, None]
return np.linalg.solve(np.eye(4) + 0.1 * a @ a.T, x[:4])
c = np.cumsum(x)[::-1]; return np.diff(c, prepend=0.0)
w = np.exp(x - x.max()); w /= w.sum(); return w
return np.einsum("ij,kj->ik", a, a)
a -= a.mean(axis=0); a /= a.std(axis=0) + 1e-3; return a
return np.pad(x, 1)[1:-1] + np.pad(x, (2, 0))[:-2]
return float(x[0]) * int(3.7) + bool(x[1] > 0)
return x[-1:0:-1] + x[:-1]
return x[kk[0]] + x[kk[1]:kk[2] + 3].sum()
return (lambda q: q * q)(x) + [v for v in x][0]
b = [row.copy() for row in a]; b[0][0] = 5.0; return b[0] + a[0]
d = {i: a[i] for i in range(4)}; d[1] += 1.0; return a
d = {}; d["k"] = x; d["k"] *= 2.0; return x
f = x.flat; f[1] = 3.0; return x
return np.tensordot(a, a, axes=([1], [1]))
return np.round(x, 1) + np.floor(y) + np.sign(x) * x
x += 1; x -= y; x *= 2; x /= 3; x **= 2; return x
x //= 0.5; y %= 0.3; return x + y
b = x > 0; b |= y > 0; b &= ~(x > 1); return np.where(b, x, y)
kk[kk == 2] = 7; kk *= 2; return kk
return np.outer(x, y)[kk[:2]]
return np.max(np.abs(x)), np.argmax(np.abs(x)), x.argmin()
m = np.zeros((3, 3)); m[np.triu_indices(3)] = x; return m + m.T
m = np.diag(x); m[np.diag_indices(6)] += 1.0; return m
s = slice(1, 4); return x[s] * y[s]
idx = (slice(None), 2); a[idx] = 3.0; return a
return np.meshgrid(x, y)[0] * 2
return np.hypot(*x[:2]) + np.prod(x.shape)
return x.tolist()[0] * 2
return np.vdot(z, z).real + np.real(z) @ np.imag(z)
return np.fft.ifft(np.fft.fft(x) * 2).real
v = x.view(); v[0] = 2.0; return x
v = np.asarray(x); v[0] = 2.0; return x
v = np.asarray(x, dtype=float); v[0] = 2.0; return x
v = np.atleast_2d(x); v[0, 0] = 5.0; return x
v = np.ravel(a); v[0] = 5.0; return a
v = a.ravel(order="F"); return v * 2
v = np.expand_dims(x, 0); v += 1.0; return x
v = np.broadcast_to(x, (2, 6)); return v + 1
q, rr = np.linalg.qr(np.eye(3) + a[:3, :3]); return rr
q = x.copy(); q.sort(); return q[::-1]
total = np.float64(0); total += x[0]; return total
return np.sum([x[i] for i in range(3)]) + np.mean([1.0, 2.0])
return np.array([[x[0], 1], [y[0], 2]]) @ np.array([1.0, 2.0])
return np.concatenate([x[:2], [1.0, 2.0], y[2:]])
return np.append(x, 5.0) * 2
return np.full(3, x[0]) + np.full((2, 3), 2)
return np.zeros(3) if x[0] > 100 else np.ones(3) * x[:3]
return x.dot(y) + np.inner(x, y) + a.dot(a.T).trace()
assert len(x) == 6; return x
return np.power(np.abs(x), y)
return x.clip(min=0) + x.clip(-0.5, 0.5)
return (x.max() - x.min()) / np.ptp(x)
return np.searchsorted(np.sort(x), 0.0) * x
return np.all(x > -5) * x + (x > 0).sum()
return ~(x > 0) * y
return x[x > 0].mean() if (x > 0).any() else 0.0
return np.average(x, weights=np.abs(y))
return x.astype("float32").sum()
return np.isclose(x, y).sum() + np.allclose(x, x)
return np.nan_to_num(x / np.where(x > 0, x, 1.0))
return divmod(7, 2)[0] * x
return x.mean().item() * 2
return [x, (y, {"a": a})]
return None
return str(x.shape[0]) and x
return f"{len(x)}" == "6" and x.sum()
return x[np.array([True] * 6)]
return np.select([x < 0, x < 1], [x, x ** 2], default=3.0)
a[0], a[1] = a[1], a[0].copy(); return a
a[[0, 1]] = a[[1, 0]]; return a
return np.trapezoid(y, dx=0.1)
return -x ** 2 + +x - (-y)
return x[1:][::2][-1] * x[::-1][1]
return np.moveaxis(t, 0, -1)[0] + 1
return np.einsum("ijk->k", t)
return np.linalg.norm(a, axis=1) / np.linalg.norm(x)
return np.maximum.reduce([x, y, -x])
return np.add(x, y, out=x), x
return np.sqrt(x, where=x > 0, out=np.zeros(6))
return np.divide(x, y, out=np.zeros_like(x), where=y > 0)
return (1 + 2j) * x
return x > y
return any(v > 1 for v in x) and all(v < 5 for v in x)
return x[int(abs(y[0]) * 3) % 6]
""".strip().splitlines()

ROUNDED = ("einsum", "np.linalg")


def _case(body: str) -> Case:
    names = [name for name in GIVEN if re.search(rf"\b{name}\b", body)]
    source = f"def f({', '.join(names)}):\n    " + "\n    ".join(body.split("; ")) + "\n"
    exact = not any(name in body for name in ROUNDED)
    return Case(function_of(source, body), lambda: tuple(GIVEN[name].copy() for name in names), exact=exact)


@pytest.mark.parametrize("body", BODIES)
def test_values(body: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        check_values(_case(body))


@pytest.mark.parametrize("body", BODIES)
def test_text(body: str) -> None:
    case = _case(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        check_text(Case(case.function, case.arguments, gradient=False, exact=case.exact))
