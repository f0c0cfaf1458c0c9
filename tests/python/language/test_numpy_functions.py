"""NumPy's functions, one by one: read with sizes that only the run knows where that is possible."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from language.corpus import Case, Read, check_gradients, function_of

_random = np.random.default_rng(0)
_S = _random.normal(size=(4, 4))

GIVEN: dict[str, Any] = {
    "V": _random.normal(size=6),
    "W": _random.normal(size=6),
    "A": _random.normal(size=(4, 5)),
    "B": _random.normal(size=(5, 3)),
    "S": _S,
    "P": _S @ _S.T + 4 * np.eye(4),
    "I": np.array([3, 0, 2, 2]),
    "T": _random.normal(size=(2, 3, 4)),
    "Z": _random.normal(size=6) + 1j * _random.normal(size=6),
    "M": np.array([True, False, True, True, False, False]),
    "F": _random.normal(size=6).astype(np.float32),
    "K": np.array([0, 2, 1, 0, 2, 1]),
    "s": 1.5,
    "n": 3,
}

EXPRESSIONS = """
V*True+W*False
np.indices((n,4))
np.indices(A.shape,sparse=True)[1]*V[0]
np.r_[V,s,0.0]
np.r_[0:n,V]
np.r_[0:1:5j]*s
np.r_[A,A]
np.c_[V,W]
np.c_[A,A[:,0]]
np.fromiter((v*2 for v in V),dtype=float)
np.fromiter(V,float,n)
np.iscomplexobj(Z)*V
np.isrealobj(Z)*V
np.interp(V,np.arange(6.0),W)
np.interp(s,V.cumsum(),W)
np.where(V>0,V,W)
np.where(V>0)[0]
np.nonzero(V>0)
np.flatnonzero(V>0)
np.argwhere(V>0)
np.clip(V,-0.5,0.5)
np.clip(F,-s,s)
V.clip(0,None)
np.maximum(V,s)
np.minimum.reduce(A,axis=1)
np.add.reduce(A,axis=0)
np.add.accumulate(V)
np.maximum.accumulate(V)
np.multiply.outer(V,W)
np.insert(V,2,9.0)
np.delete(V,2)
np.delete(A,[0,1],axis=1)
np.append(V,W)
np.append(V,s)
np.resize(V,9)
np.pad(V,2)
np.pad(V,(1,2),mode="edge")
np.pad(A,((1,1),(2,0)),mode="reflect")
np.pad(A,1,mode="wrap")
np.unique(K)
np.unique(K,return_counts=True)[1]
np.unique(K,return_inverse=True)[1]
np.bincount(K)
np.bincount(K,minlength=5)
np.bincount(K,weights=V)
np.histogram(V,bins=4,range=(-2,2))[0]
np.histogram(V,bins=np.linspace(-2,2,5),weights=W)[0]
np.digitize(V,np.array([-1.0,0.0,1.0]))
np.searchsorted(np.sort(V),W)
np.isin(K,[0,1])
np.isclose(V,W)
np.allclose(V,W)
np.array_equal(V,W)
np.squeeze(V[None])
V[None].squeeze()
np.squeeze(V[:,None],axis=1)
np.diag_indices(3)
np.diag(V)
np.diag(S)
np.diag(S,1)
np.diagonal(S)
np.tril(S)
np.triu(S,1)
S[np.tril_indices(4)]
S[np.triu_indices(4,1)]
S[np.tril_indices_from(S)]
np.tri(4)
np.trace(S)
np.gradient(V)
np.gradient(V,0.5)
np.gradient(A,axis=0)
np.diff(V)
np.diff(A,n=2,axis=1)
np.ediff1d(V)
np.interp(W,np.sort(V),V)
np.convolve(V,W)
np.convolve(V,W[:3],"valid")
np.convolve(V,W[:3],mode="same")
np.correlate(V,W[:3])
np.roll(V,2)
np.roll(A,(1,2),axis=(0,1))
np.roll(V,n)
np.flip(V)
np.flipud(A)
np.rot90(A)
np.lexsort((K,V))
np.sort(V)
np.sort(A,axis=0)
np.argsort(V)
V.argsort()
np.argmax(V)
A.argmin(axis=1)
np.argmax(A)
np.median(V)
np.median(A,axis=1)
np.percentile(V,30)
np.quantile(A,0.3,axis=0)
np.vander(V,3)
np.vander(V)
np.einsum("ij,jk->ik",A,B)
np.einsum("ij->i",A)
np.einsum("ii",S)
np.einsum("ij,ij",A,A)
np.tensordot(A,B,axes=1)
np.tensordot(T,S,axes=([2],[0]))
np.kron(V,W)
np.outer(V,W)
np.inner(V,W)
np.dot(A,B)
np.vdot(V,W)
np.matmul(A,B)
np.cross(V[:3],W[:3])
np.meshgrid(V,W)
np.meshgrid(V,W,indexing="ij")[0]
np.mgrid[0:3,0:2]
np.indices((2,3))
np.ix_([0,1],[1,2])
A[np.ix_([0,1],[1,2])]
np.apply_along_axis(np.sum,0,A)
np.piecewise(V,[V<0,V>=0],[-1.0,1.0])
np.trapezoid(V)
np.trapezoid(V,W)
np.trapezoid(V,dx=0.1)
np.polyval([1.0,2.0,3.0],V)
np.polyfit(V,W,2)
np.cumsum(V)
np.cumsum(A,axis=1)
np.cumprod(V)
A.cumsum()
np.prod(V)
np.sum(V,where=M,initial=0.0)
np.sum(A,axis=(0,1))
np.sum(A,axis=1,keepdims=True)
A.sum(1)
A.mean(axis=0)
A.std(axis=0)
A.var(ddof=1)
np.std(V)
np.max(A,axis=0)
A.max()
np.amax(A)
np.ptp(V)
np.any(V>0)
np.all(A>0,axis=0)
(V>0).any()
np.count_nonzero(V>0)
np.count_nonzero(A>0,axis=0)
np.average(V,weights=np.abs(W))
np.cov(A)
np.corrcoef(A)
np.linalg.norm(V)
np.linalg.norm(A,axis=1)
np.linalg.norm(A,ord=1)
np.linalg.norm(V,np.inf)
np.linalg.inv(P)
np.linalg.solve(P,V[:4])
np.linalg.det(P)
np.linalg.slogdet(P)[1]
np.linalg.cholesky(P)
np.linalg.eigh(P)[0]
np.linalg.eigvalsh(P)
np.linalg.qr(S)[1]
np.linalg.svd(A,full_matrices=False)[1]
np.linalg.svd(A,compute_uv=False)
np.linalg.lstsq(A.T,V[:5],rcond=None)[0]
np.linalg.pinv(A)
np.linalg.matrix_power(S,3)
np.linalg.multi_dot([A,B,B.T])
np.linalg.matrix_rank(S)
np.linalg.cond(P)
np.fft.fft(V)
np.fft.ifft(Z)
np.fft.rfft(V)
np.fft.irfft(np.fft.rfft(V))
np.fft.irfft(np.fft.rfft(V),n=6)
np.fft.fft2(A)
np.fft.fftfreq(8,0.1)
np.fft.fftshift(V)
np.fft.rfftfreq(8)
np.concatenate([V,W])
np.concatenate((A,A),axis=1)
np.stack([V,W],axis=1)
np.vstack([V,W])
np.hstack([V,W])
np.hstack([A,A])
np.dstack([A,A])
np.column_stack([V,W])
np.block([[S,S],[S,S]])
np.split(V,3)
np.split(V,[2,4])[1]
np.array_split(V,4)
np.hsplit(A[:,:4],2)
np.vsplit(A,2)
np.tile(V,2)
np.tile(A,(2,1))
np.repeat(V,2)
np.repeat(A,2,axis=0)
np.repeat(V,K)
np.expand_dims(V,0)
np.moveaxis(T,0,2)
np.swapaxes(T,0,1)
T.transpose(2,0,1)
np.transpose(T,(1,0,2))
T.reshape(6,4)
T.reshape(2,-1)
T.reshape((-1,))
np.ravel(A)
A.ravel(order="F")
np.broadcast_to(V,(3,6))
np.broadcast_arrays(V,A[:1,:1])[1]
np.atleast_2d(V)
np.atleast_1d(s)
np.take(V,I)
np.take(A,[0,2],axis=1)
V.take(I)
np.take_along_axis(A,np.argsort(A,axis=1),axis=1)
np.choose(K,[V,W,V*2])
np.select([V<0,V>1],[V,W],0.0)
np.compress(V>0,V)
np.extract(V>0,V)
np.real(Z)
Z.imag
np.abs(Z)
np.angle(Z)
np.conj(Z)
Z.conj()
np.exp(1j*V)
np.iscomplexobj(Z)
np.hypot(V,W)
np.arctan2(V,W)
np.power(np.abs(V),1.5)
V**2
V**3
V**-1
2**V
V**0.5
np.sign(V)
np.floor(V)
np.ceil(V)
np.round(V,1)
V.round(2)
np.rint(V)
np.trunc(V)
np.fmod(V,W)
np.mod(V,W)
np.divmod(V,W)
np.modf(V)
np.frexp(V)
np.ldexp(V,2)
np.heaviside(V,0.5)
np.sinc(V)
np.exp(V)
np.expm1(V)
np.log1p(np.abs(V))
np.log2(np.abs(V))
np.sqrt(np.abs(V))
np.cbrt(V)
np.square(V)
np.reciprocal(V)
np.deg2rad(V)
np.tanh(V)
np.arcsin(np.tanh(V))
np.sinh(V)
np.i0(V)
np.logaddexp(V,W)
np.isnan(V)
np.isfinite(V)
np.nan_to_num(V)
np.nansum(V)
np.nanmean(V)
np.logical_and(V>0,W>0)
np.logical_not(M)
~M
M&(W>0)
M|M
M^M
K<<1
K>>1
K//2
K%2
K&1
-K
K.astype(float)
V.astype(np.float32)
V.astype(int)
np.array([V[0],W[1]])
np.array([[V[0],1.0],[2,s]])
np.array([V,W])
np.asarray(V)
np.zeros_like(A)
np.ones(len(V))
np.full((2,n),s)
np.full_like(V,s)
np.eye(n)
np.identity(4)
np.arange(n)
np.arange(0,n,0.5)
np.arange(n)[::-1]
np.linspace(0,s,5)
np.linspace(0,1,n)
np.logspace(0,1,4)
np.geomspace(1,8,4)
np.empty((2,2))*0
np.copy(V)
V.copy()
V.size
A.shape
A.T.shape
V.nbytes
V.itemsize
A.flat[7]
A.T
A.flatten()
A.diagonal()
A.trace()
A.dot(B)
A.item(0,1)
V.item(2)
A.swapaxes(0,1)
V.repeat(2)
V.prod()
V.nonzero()
V.searchsorted(s)
np.triu(A)
np.apply_over_axes(np.sum,A,[0])
np.fromfunction(lambda i,j: i+j,(2,3))
np.nanmax(V)
np.partition(V,2)
np.sort_complex(Z)
np.roots(np.array([1.0,-3.0,2.0]))
np.lib.stride_tricks.sliding_window_view(V,3)
np.rollaxis(T,2)
np.result_type(V,F)
np.promote_types(np.float32,np.float64)
np.ndim(V)
np.size(A,1)
np.isscalar(s)
np.copysign(V,W)
np.float_power(np.abs(V),2)
np.left_shift(K,1)
np.gcd(K,2)
np.rad2deg(V)
np.fabs(V)
np.positive(V)
np.logical_xor(M,M)
np.cross(A[:,:3],A[:,:3])
np.triu_indices(3)
np.mask_indices(3,np.triu)
np.fliplr(A)
np.nanargmax(V)
np.linalg.tensorinv(np.eye(4).reshape(2,2,2,2))
np.ravel_multi_index((K,K),(3,3))
np.unravel_index(K,(3,3))
np.float32(s) * F
np.int64(s) + K
np.ones(len(V))
np.fft.fftfreq(len(V), 0.1)
np.issubdtype(V.dtype, np.floating)
np.finfo(V.dtype).eps * V
""".strip().splitlines()

CLOSE = (
    "np.einsum", "np.corrcoef", "np.linalg", "np.cov", "np.polyfit", "np.interp", "np.convolve", "np.correlate",
    "np.quantile", "np.percentile",
)  # fmt: skip
"""What is made of other operations here: equal up to rounding."""


def _case(expression: str) -> Case:
    names = [name for name in GIVEN if _uses(expression, name)]
    source = f"def f({', '.join(names)}):\n    return {expression}\n"
    function = function_of(source, expression)
    exact = not any(name in expression for name in CLOSE)
    return Case(function, lambda: tuple(GIVEN[name] for name in names), exact=exact)


def _uses(expression: str, name: str) -> bool:
    import re

    return re.search(rf"(?<![\w.\"]){name}(?![\w=\"])", expression) is not None


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values(expression: str) -> None:
    case = _case(expression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        Read(case).agrees(case.arguments())


def _is_differentiable(expression: str) -> bool:
    case = _case(expression)
    given = case.arguments()
    if "32" in expression or _uses(expression, "F") or not any(np.asarray(x).dtype.kind in "fc" for x in given):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = case.function(*given)
    return isinstance(result, (np.ndarray, np.floating, np.complexfloating)) and result.dtype.kind in "fc"


@pytest.mark.parametrize("expression", list(filter(_is_differentiable, EXPRESSIONS)))
def test_gradients(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        check_gradients(_case(expression))
