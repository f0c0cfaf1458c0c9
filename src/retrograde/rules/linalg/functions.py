"""Functions of matrices, as SciPy has them: exponential, logarithm, square root, and the equation of Sylvester.

The derivative of a function of matrices can be had from the function itself: along d it is the upper right block of
f([[a, d], [0, a]]) (Mathias 1996, "A chain rule for matrix functions and applications"). Its transpose is the same at
the conjugate transpose of `a`.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType, broadcast_extents
from retrograde.rules.linalg.batches import over_batch
from retrograde.rules.linalg.matrices import adjoint, float_dtype


def _blocks(diagonal: Array, corner: Array) -> Array:
    """The matrices [[diagonal, corner], [0, diagonal]]."""
    upper = np.concatenate([diagonal, corner], axis=-1)
    lower = np.concatenate([np.zeros_like(diagonal), diagonal], axis=-1)
    return np.concatenate([upper, lower], axis=-2)


def _corner(x: Array, size: Any) -> Array:
    return x[..., :size, size:]


def _through_blocks(function: Callable[[Array], Array], a: Array, d: Array) -> Array:
    return _corner(function(_blocks(a, d)), a.shape[-1])


def _like(*operands: ArrayType) -> ArrayType:
    batch = broadcast_extents(*(operand.sizes[:-2] for operand in operands))
    return ArrayType(float_dtype(*operands), (*batch, *operands[-1].sizes[-2:]))


def _expm(a: Array) -> Array:
    from scipy.linalg import expm

    return expm(a)


expm = Primitive(
    "expm",
    _expm,
    ("a",),
    result=_like,
    reverse={"a": lambda g, a: expm_along(adjoint(a), g)},
    forward={"a": lambda d, a: expm_along(a, d)},
)


def _expm_along(a: Array, d: Array) -> Array:
    from scipy.linalg import expm_frechet

    dtype = np.result_type(a, d)
    if dtype.char not in "dD":
        return _through_blocks(_expm, a.astype(dtype, copy=False), d.astype(dtype, copy=False))
    return over_batch(lambda one, other: expm_frechet(one, other, compute_expm=False), a, d)


def _expm_along_both(a: Array, d: Array, e: Array) -> Array:
    """The derivative of `expm_along(a, d)` by `a`, along `e`."""
    return _corner(expm_along(_blocks(a, e), _blocks(d, np.zeros_like(d))), a.shape[-1])


expm_along = Primitive(
    "expm_along",
    _expm_along,
    ("a", "d"),
    result=_like,
    reverse={
        "a": lambda g, a, d: _expm_along_both(adjoint(a), adjoint(d), g),
        "d": lambda g, a: expm_along(adjoint(a), g),
    },
    forward={"a": lambda e, a, d: _expm_along_both(a, d, e)},
    linear=("d",),
)
"""The derivative of `expm` at `a` along `d` (Al-Mohy and Higham 2009, "Computing the Fréchet derivative of the matrix
exponential")."""


def _of_one_dtype(name: str, a: Array, result: Array) -> Array:
    if a.dtype.kind != "c" and np.iscomplexobj(result):
        if np.abs(result.imag).max() > 1e3 * np.finfo(result.dtype).eps * np.abs(result).max():
            raise UsageError(
                f"{name} of real matrices with eigenvalues that are not positive is complex; convert them first "
                "(`a.astype(complex)`)"
            )
        result = result.real
    return result.astype(np.result_type(a, np.float32), copy=False)


def _logm(a: Array) -> Array:
    from scipy.linalg import logm

    return _of_one_dtype("logm", a, over_batch(logm, a))


logm = Primitive(
    "logm",
    _logm,
    ("a",),
    result=_like,
    reverse={"a": lambda g, a: _through_blocks(logm, adjoint(a), g)},
    forward={"a": lambda d, a: _through_blocks(logm, a, d)},
)


def _sqrtm(a: Array) -> Array:
    from scipy.linalg import sqrtm

    return _of_one_dtype("sqrtm", a, over_batch(sqrtm, a))


sqrtm = Primitive(
    "sqrtm",
    _sqrtm,
    ("a",),
    result=_like,
    reverse={"a": lambda g, out: solve_sylvester(adjoint(out), adjoint(out), g)},
    forward={"a": lambda d, out: solve_sylvester(out, out, d)},
)


def _solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    from scipy.linalg import solve_sylvester

    return over_batch(solve_sylvester, a, b, q)


solve_sylvester = Primitive(
    "solve_sylvester",
    _solve_sylvester,
    ("a", "b", "q"),
    result=_like,
    reverse={
        "a": lambda g, a, b, out: -np.matmul(solve_sylvester(adjoint(a), adjoint(b), g), adjoint(out)),
        "b": lambda g, a, b, out: -np.matmul(adjoint(out), solve_sylvester(adjoint(a), adjoint(b), g)),
        "q": lambda g, a, b: solve_sylvester(adjoint(a), adjoint(b), g),
    },
    forward={
        "a": lambda d, a, b, out: -solve_sylvester(a, b, np.matmul(d, out)),
        "b": lambda d, a, b, out: -solve_sylvester(a, b, np.matmul(out, d)),
    },
    linear=("q",),
)
"""The matrix x with `a @ x + x @ b = q`."""
