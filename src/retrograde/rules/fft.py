"""Discrete Fourier transforms: numpy.fft, every norm, odd and even sizes.

Four primitives do them all: complex transforms over any axes (`fftn`, `ifftn`) and real ones over one axis (`rfft`,
`irfft`). The transpose of a transform is the opposite one with the opposite norm. That of `rfft` has to say twice what
the half spectrum holds once.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.indexing.items import scatter

_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _spectrum_dtype(x: ArrayType) -> np.dtype[Any]:
    return np.fft.fft(np.zeros(1, x.dtype)).dtype


def _complex(along_one: Callable[..., Any], transform: Callable[..., Any], opposite: str) -> Primitive:
    def evaluate(x: Array, axes: tuple[int, ...], norm: str) -> Array:
        return along_one(x, None, axes[0], norm) if len(axes) == 1 else transform(x, axes=axes, norm=norm)

    return Primitive(
        transform.__name__,
        evaluate,
        ("x",),
        static=("axes", "norm"),
        result=lambda x, axes, norm: ArrayType(_spectrum_dtype(x), x.sizes),
        reverse={"x": lambda g, axes, norm: _TRANSFORMS[opposite](g, axes=axes, norm=_OPPOSITE[norm])},
        linear=("x",),
    )


fftn = _complex(np.fft.fft, np.fft.fftn, "ifftn")

ifftn = _complex(np.fft.ifft, np.fft.ifftn, "fftn")

_TRANSFORMS = {"fftn": fftn, "ifftn": ifftn}


def _weighted(x: Array, length: int, axis: int, halved: bool) -> Array:
    out = np.array(x)
    # All frequencies but zero, and half the sampling rate if the length is even.
    out[(*(slice(None),) * axis, slice(1, (length + 1) // 2))] *= 0.5 if halved else 2.0
    return out


weighted_spectrum = Primitive(
    "weighted_spectrum",
    _weighted,
    ("x", "length"),
    static=("axis", "halved"),
    result=lambda x, length, axis, halved: x,
    reverse={"x": lambda g, length, axis, halved: weighted_spectrum(g, length, axis=axis, halved=halved)},
    linear=("x",),
)
"""The half spectrum of a real signal of a length, times 2 (or 0.5) where the whole spectrum has a frequency twice."""


def _half(length: Any) -> Extent:
    return length // 2 + 1 if isinstance(length, int) else None


def _replaced(sizes: tuple[Extent, ...], axis: int, extent: Extent) -> tuple[Extent, ...]:
    return (*sizes[:axis], extent, *sizes[axis + 1 :])


rfft = Primitive(
    "rfft",
    lambda x, axis, norm: np.fft.rfft(x, axis=axis, norm=norm),
    ("x",),
    static=("axis", "norm"),
    result=lambda x, axis, norm: ArrayType(_spectrum_dtype(x), _replaced(x.sizes, axis, _half(x.sizes[axis]))),
    reverse={
        "x": lambda g, x_shape, axis, norm: irfft(
            weighted_spectrum(g, x_shape[axis], axis=axis, halved=True),
            x_shape[axis],
            axis=axis,
            norm=_OPPOSITE[norm],
        )
    },
    linear=("x",),
)

irfft = Primitive(
    "irfft",
    lambda x, length, axis, norm: np.fft.irfft(x, length, axis=axis, norm=norm),
    ("x", "length"),
    static=("axis", "norm"),
    result=lambda x, length, axis, norm: ArrayType(
        np.real(np.zeros((), _spectrum_dtype(x))).dtype,
        _replaced(x.sizes, axis, length if isinstance(length, int) else None),
    ),
    reverse={
        "x": lambda g, length, axis, norm: weighted_spectrum(
            rfft(g, axis=axis, norm=_OPPOSITE[norm]), length, axis=axis, halved=False
        )
    },
    linear=("x",),
)
"""The real signal of a length whose half spectrum is `x`, which has just the frequencies that the length has."""


def _norm(norm: Any) -> str:
    if norm not in (None, *_OPPOSITE):
        raise UsageError(f'norm={norm!r} was asked for; it is "backward", "ortho" or "forward"')
    return norm or "backward"


def _resized(x: Array, axis: int, length: Any) -> Array:
    """Cut off, or followed by zeros."""
    if length is None:
        return x
    found = x.shape[axis]
    if not isinstance(length, ArrayLike) and length < 1:
        raise UsageError(f"a Fourier transform of {length} points was asked for; it takes 1 or more")
    if isinstance(length, ArrayLike) or isinstance(found, ArrayLike):
        raise UsageError(
            "a Fourier transform with n or s was asked for where only the run knows the size; leave them out, or cut "
            "and pad the array first"
        )
    before = (slice(None),) * axis
    if length < found:
        return x[(*before, slice(0, length))]
    if length > found:
        return scatter(x, (*before, slice(0, found)), _replaced(x.shape, axis, int(length)))
    return x


def _sizes_and_axes(a: Array, s: Any, axes: Any) -> tuple[Sequence[Any], list[int]]:
    """As NumPy reads `s` and `axes`; None is a size that stays."""
    if axes is None:
        axes = range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim)
    axes = [normalize_axis_index(axis, a.ndim) for axis in axes]
    sizes: list[Any] = [None] * len(axes) if s is None else [None if size == -1 else size for size in s]
    if len(sizes) != len(axes):
        raise UsageError(f"a Fourier transform with {len(sizes)} sizes in s and {len(axes)} axes; give one for each")
    return sizes, axes


def _over_axes(primitive: Primitive, a: Array, s: Any, axes: Any, norm: Any) -> Array:
    sizes, axes = _sizes_and_axes(a, s, axes)
    norm = _norm(norm)
    if len(set(axes)) < len(axes):
        for size, axis in zip(reversed(sizes), reversed(axes), strict=True):
            a = primitive(_resized(a, axis, size), axes=(axis,), norm=norm)
        return a
    for size, axis in zip(sizes, axes, strict=True):
        a = _resized(a, axis, size)
    return primitive(a, axes=tuple(axes), norm=norm)


def _along_one(primitive: Primitive, a: Array, n: Any, axis: int, norm: Any) -> Array:
    axis = normalize_axis_index(axis, a.ndim)
    return primitive(_resized(a, axis, n), axes=(axis,), norm=_norm(norm))


@spells(np.fft.fft)
def _fft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    return _along_one(fftn, a, n, axis, norm)


@spells(np.fft.ifft)
def _ifft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    return _along_one(ifftn, a, n, axis, norm)


@spells(np.fft.fftn)
def _fftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None) -> Array:
    return _over_axes(fftn, a, s, axes, norm)


@spells(np.fft.ifftn)
def _ifftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None) -> Array:
    return _over_axes(ifftn, a, s, axes, norm)


@spells(np.fft.fft2)
def _fft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Array:
    return _over_axes(fftn, a, s, axes, norm)


@spells(np.fft.ifft2)
def _ifft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Array:
    return _over_axes(ifftn, a, s, axes, norm)


@spells(np.fft.rfft)
def _rfft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    if a.dtype.kind == "c":
        raise UsageError("rfft of a complex array; it transforms real ones, np.fft.fft complex ones")
    axis = normalize_axis_index(axis, a.ndim)
    return rfft(_resized(a, axis, n), axis=axis, norm=_norm(norm))


@spells(np.fft.irfft)
def _irfft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    axis = normalize_axis_index(axis, a.ndim)
    length = 2 * (a.shape[axis] - 1) if n is None else n
    if n is not None:
        a = _resized(a, axis, n // 2 + 1)
    return irfft(a, length, axis=axis, norm=_norm(norm))


@spells(np.fft.hfft)
def _hfft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    return _irfft(conj(a), n, axis, _OPPOSITE[_norm(norm)])


@spells(np.fft.ihfft)
def _ihfft(a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
    return conj(_rfft(a, n, axis, _OPPOSITE[_norm(norm)]))


@spells(np.fft.rfftn)
def _rfftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None) -> Array:
    sizes, axes = _sizes_and_axes(a, s, axes)
    a = _rfft(a, sizes[-1], axes[-1], norm)
    return _over_axes(fftn, a, [-1 if size is None else size for size in sizes[:-1]], axes[:-1], norm)


@spells(np.fft.irfftn)
def _irfftn(a: Array, s: Any = None, axes: Any = None, norm: Any = None) -> Array:
    sizes, axes = _sizes_and_axes(a, s, axes)
    a = _over_axes(ifftn, a, [-1 if size is None else size for size in sizes[:-1]], axes[:-1], norm)
    return _irfft(a, sizes[-1], axes[-1], norm)


@spells(np.fft.rfft2)
def _rfft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Array:
    return _rfftn(a, s, axes, norm)


@spells(np.fft.irfft2)
def _irfft2(a: Array, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Array:
    return _irfftn(a, s, axes, norm)


@spells(np.fft.fftshift)
def _fftshift(x: Array, axes: Any = None) -> Array:
    return _shifted(x, axes, lambda size: size // 2)


@spells(np.fft.ifftshift)
def _ifftshift(x: Array, axes: Any = None) -> Array:
    return _shifted(x, axes, lambda size: -(size // 2))


def _shifted(x: Array, axes: Any, shift: Callable[[Any], Any]) -> Array:
    places = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else tuple(axes)
    return np.roll(x, tuple(shift(x.shape[axis]) for axis in places), places)
