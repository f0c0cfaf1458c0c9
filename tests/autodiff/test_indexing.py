"""Reading, writing and adding at indices of every kind, in every dtype; and in programs, where an index is a symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.program import PRIMITIVES, ProgramBuilder, Size
from retrograde.program.array_like import ArrayLike
from retrograde.rules.indexing import items as indexing

_RANDOM = np.random.default_rng(2)


def _wide_index(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Indices by integer arrays between slices; large enough to add at places counted through memory."""

    def index(places: list[Any]) -> tuple[Any, ...]:
        return tuple(
            slice(None, None, step) if kind == 0 else int(seed % 2) if kind == 1 else _places(seed, extent)
            for extent, (kind, step, seed) in zip(shape, places, strict=False)
        )

    part = st.tuples(st.integers(0, 2), st.sampled_from([1, 2, -1]), st.integers(0, 100))
    return st.lists(part, min_size=1, max_size=len(shape)).map(index)


def _places(seed: int, extent: int) -> Any:
    return np.random.default_rng(seed).integers(-extent, extent, (1, 40) if seed % 3 else (30, 1))


@settings(max_examples=150, deadline=None)
@given(_wide_index((12, 9, 20)))
def test_what_is_added_at_an_index_is_what_numpy_adds(index: Any) -> None:
    x = np.zeros((12, 9, 20))
    v = np.arange(x[index].size, dtype=float).reshape(x[index].shape)
    expected = x.copy()
    np.add.at(expected, index, v)
    np.testing.assert_array_equal(PRIMITIVES["scatter"](v, index, x.shape), expected)
    np.testing.assert_array_equal(PRIMITIVES["add_at"](x + 1.0, index, v), expected + 1.0)


def test_the_fast_way_is_taken() -> None:
    assert indexing._places((3, 4), (slice(None), np.array([1, -1]))).tolist() == [[1, 3], [5, 7], [9, 11]]
    assert indexing._places((3, 4), (np.array([1]), None)) is None
    assert indexing._places((3, 4, 2), (np.array([1]), slice(None), np.array([1]))) is None


@settings(max_examples=150, deadline=None)
@given(of_numpy.basic_indices((3, 4, 2), allow_newaxis=True) | of_numpy.integer_array_indices((3, 4, 2)))
def test_reading_and_writing_by_any_index(index: Any) -> None:
    x, direction = _RANDOM.standard_normal((2, 3, 4, 2))

    def f(x: Any) -> Any:
        y = x * 1.0
        part = x[index] * 2.0
        y[index] = part * part
        return np.sum(np.sin(y)) + np.sum(part * x[index])

    above, below = f(x + 1e-6 * direction), f(x - 1e-6 * direction)
    gradient = rg.grad(f)(x)
    _, tangent = rg.jvp(f, (x,), (direction,))
    np.testing.assert_allclose(tangent, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.sum(gradient * direction), tangent, rtol=1e-10, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(of_numpy.basic_indices((3, 4, 2), allow_newaxis=True) | of_numpy.integer_array_indices((3, 4, 2)))
def test_the_type_of_an_indexed_symbol(index: Any) -> None:
    x = _RANDOM.standard_normal((3, 4, 2))
    for sizes in ((3, 4, 2), (None, 4, None)):
        builder = ProgramBuilder("f")
        program = builder.finish(out=builder.input("x", "float64", sizes)[index])
        known = program.block.results[0].type.sizes
        (found,) = program(x)
        assert len(known) == found.ndim
        assert all(size in (None, extent) for size, extent in zip(known, found.shape, strict=True))


def test_index_arrays_and_masks_as_inputs_of_a_program() -> None:
    builder = ProgramBuilder("f")
    x, places = builder.input("x", "float64", ("n", "m")), builder.input("places", "int64", (None,))
    mask = builder.input("mask", "bool", ("n",))
    y = x.copy()
    y[mask] *= 3.0
    y[places, 0] = 2.0 * x[places, 1]
    chosen = np.take_along_axis(y, np.argsort(x, axis=0), axis=0) + np.sort(x, axis=0)
    program = builder.finish(out=np.sum(np.sin(chosen[mask])) + np.sum(x[x > 0.0]))

    def f(x: Any) -> Any:
        y = x.copy()
        y[np.array([True, False, True])] *= 3.0
        y[[0, 2, 0], 0] = 2.0 * x[[0, 2, 0], 1]
        chosen = np.take_along_axis(y, np.argsort(x, axis=0), axis=0) + np.sort(x, axis=0)
        return np.sum(np.sin(chosen[np.array([True, False, True])])) + np.sum(x[x > 0.0])

    values = _RANDOM.standard_normal((3, 2))
    arguments = (values, np.array([0, 2, 0]), np.array([True, False, True]))
    (total,) = program(*arguments)
    (gradient,) = reverse(program, ["x"], ["out"], keep_outputs=False)(*arguments, 1.0)
    np.testing.assert_allclose(total, f(values), rtol=1e-14)
    np.testing.assert_allclose(gradient, rg.grad(f)(values), rtol=1e-13)


def test_a_constant_is_looked_up_by_a_symbol() -> None:
    builder = ProgramBuilder("f")
    place, x = builder.input("place", "int64"), builder.input("x", "float64")
    program = builder.finish(out=x * indexing.getitem(np.array([2.0, 5.0, 7.0]), place))
    assert reverse(program, ["x"], ["out"])(2, 3.0, 1.0) == (21.0, 7.0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "complex64", "complex128"])
def test_dtypes_are_kept(dtype: str) -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[[0, 1, 1]] = x[[2, 2, 0]]
        parts = (x[[0, 0]], np.sort(x), np.pad(x, 1), np.roll(y, 1), np.tile(x, 2), np.repeat(y, 2), np.diag(x)[0])
        return np.sum(np.real(np.concatenate(parts)))

    x = np.array([1.5, 0.5, -1.0]).astype(dtype)
    gradient = rg.grad(f)(x)
    assert gradient.dtype == x.dtype
    np.testing.assert_array_equal(gradient, [2.0 * (f(x + step) - f(x - step)) for step in np.eye(3, dtype=dtype) / 4])


def test_bfloat16() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.array([1.0, 2.0, 0.5], ml_dtypes.bfloat16)
    gradient = rg.grad(lambda x: np.sum(x[[0, 0, 2]] * np.concatenate((x[1:], x[:1]))))(x)
    assert gradient.dtype == x.dtype
    np.testing.assert_array_equal(gradient.astype(float), [3.0, 1.0, 2.0])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_arrays_without_elements(shape: tuple[int, ...]) -> None:
    def f(x: Any) -> Any:
        parts = [np.sort(x), np.flip(x), np.roll(x, 1, 0), np.repeat(x, 2, 0), np.tile(x, 2), np.concatenate((x, x))]
        parts += [x[x > 0.0], x[[]], np.pad(x, 1), np.stack((x, x)), np.tril(np.atleast_2d(x)), x[..., None]]
        return sum(np.sum(part) for part in [*parts, *np.array_split(x, 2)])

    assert rg.grad(f, backend="tape")(np.zeros(shape)).shape == shape
    assert rg.jvp(f, (np.zeros(shape),), (np.zeros(shape),), backend="tape") == (0.0, 0.0)


def test_arrays_like_a_tracked_one_of_a_type_without_derivative_are_plain() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones(3))
        for mask in (np.zeros_like(x, dtype=bool), np.full_like(x, 1, dtype=int), np.ones_like(x, dtype=bool, shape=2)):
            assert type(mask) is np.ndarray
            mask[0] = 0
        assert isinstance(np.empty_like(x, shape=(2, 2)), ArrayLike)


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_what_a_program_knows_of_a_diagonal(offset: int) -> None:
    for sizes, known in (
        ((3, 4), np.diagonal(np.ones((3, 4)), offset).size),
        (("n", "n"), Size("n")),
        ((None, 4), None),
    ):
        x = ProgramBuilder("f").input("x", "float64", sizes)
        expected = known if isinstance(known, int) or not offset else None
        assert np.diagonal(x, offset).extents == (expected,)


def test_what_a_program_knows_of_windows() -> None:
    x = ProgramBuilder("f").input("x", "float64", ("n", 4, None))
    assert np.lib.stride_tricks.sliding_window_view(x, (3, 2, 2)).extents == (Size("n", -2), 3, None, 3, 2, 2)


def test_a_list_that_changes_later_is_no_matter() -> None:
    def f(x: Any) -> Any:
        order = [2, 0]
        y = x[order]
        z = np.zeros_like(x)
        z[order] = x[:2]
        order[:] = [1, 1]
        return y[0] + 10.0 * y[1] + 100.0 * z[0]

    np.testing.assert_array_equal(rg.grad(f)(np.ones(3)), [10.0, 100.0, 1.0])


def test_many_views_that_are_kept_cost_no_more_than_few() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones((4000, 2)))
        rows = list(x)
        total = np.sum(sum(rows[:10]))
        assert len(x._views) == 4000
        del rows
        _ = [x[at] for at in range(200)]
        assert len(x._views) < 4200
    assert tape.gradient(total, x)[:11, 0].tolist() == [1.0] * 10 + [0.0]
