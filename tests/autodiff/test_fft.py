"""Fourier transforms: NumPy's values, derivatives of first and second order, programs, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UsageError
from retrograde.program import ProgramBuilder

_RANDOM = np.random.default_rng(12)
_COMPLEX = [np.fft.fft, np.fft.ifft, np.fft.irfft, np.fft.hfft]
_REAL = [np.fft.rfft, np.fft.ihfft]
_NORMS = [None, "backward", "ortho", "forward"]


def _real(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape)


def _cplx(*shape: int) -> Any:
    return _real(*shape) + 1j * _real(*shape)


@pytest.mark.parametrize("norm", _NORMS)
@pytest.mark.parametrize("transform", [*_COMPLEX, *_REAL])
def test_norms(transform: Any, norm: Any) -> None:
    of = _real if transform in _REAL else _cplx
    agrees(lambda x: transform(x, norm=norm), of(2, 4))
    agrees(lambda x: transform(x, axis=0, norm=norm), of(5, 2))


@pytest.mark.parametrize("size", [1, 3, 6, 7])
@pytest.mark.parametrize("transform", [*_COMPLEX, *_REAL])
def test_sizes(transform: Any, size: int) -> None:
    of = _real if transform in _REAL else _cplx
    agrees(lambda x: transform(x, size), of(2, 5), programs=False)
    agrees(lambda x: transform(x, size, 0), _real(4, 2), programs=False, order=1)


@pytest.mark.parametrize("function", ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm": "ortho"},
        {"axes": (2, 0)},
        {"s": (3, 5), "axes": (0, 1), "norm": "forward"},
        {"s": (-1, 5), "axes": (0, 1)},
    ],
)
def test_several_axes(function: str, options: dict[str, Any]) -> None:
    of = _real if function.startswith("r") else _cplx
    agrees(lambda x: getattr(np.fft, function)(x, **options), of(2, 4, 3), programs="s" not in options)


@pytest.mark.parametrize("function", [np.fft.fftn, np.fft.rfftn])
def test_an_axis_may_be_transformed_twice(function: Any) -> None:
    agrees(lambda x: function(x, axes=(0, 0, 1)), _real(3, 4))


@pytest.mark.parametrize("function", [np.fft.fftshift, np.fft.ifftshift])
def test_shifts(function: Any) -> None:
    agrees(function, _real(3, 4))
    agrees(lambda x: function(x, 1), _cplx(2, 5))
    agrees(lambda x: function(x, axes=(0,)), _real(5))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
def test_dtypes(dtype: Any) -> None:
    x = _real(2, 5).astype(dtype)
    with rg.GradientTape() as tape:
        tracked = tape.watch(x)
        spectrum = np.fft.fft(tracked)
        loss = np.sum(np.real(spectrum * np.conjugate(spectrum)))
    assert spectrum.dtype == np.fft.fft(x).dtype
    gradient = tape.gradient(loss, tracked)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, 10.0 * x, rtol=1e-2 if dtype == np.float16 else 1e-5)  # Parseval


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.fft.fft(x, norm="unitary"), 'it is "backward", "ortho" or "forward"'),
        (lambda x: np.fft.fft(x, 0), "it takes 1 or more"),
        (lambda x: np.fft.rfft(x), "it transforms real ones"),
        (lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), "give one for each"),
    ],
)
def test_what_is_wrong_is_said(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(_cplx(4, 4))
        with pytest.raises(UsageError, match=message):
            function(x)


def test_a_program_has_to_know_what_is_cut_or_padded() -> None:
    builder = ProgramBuilder("f")
    x = builder.input("x", "float64", ("n",))
    with pytest.raises(UsageError, match="where only the run knows the size"):
        np.fft.fft(x, 8)
