"""Random programs of views and of writes in place: NumPy's numbers with the right derivative, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import retrograde as rg
from retrograde.errors import UnsupportedError

_MAKERS: dict[str, Callable[[Any], Any]] = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "flip": np.flip,
    "every other": lambda x: x[::2],
    "rest": lambda x: x[1:],
    "first": lambda x: x[0],
    "same": lambda x: x,
    "whole": lambda x: x[...],
    "ravel": np.ravel,
    "ravel F": lambda x: np.ravel(x, "F"),
    "flatten": lambda x: x.flatten(),
    "reshape": lambda x: x.reshape(x.shape[::-1]),
    "expand_dims": lambda x: np.expand_dims(x, -1),
    "squeeze": np.squeeze,
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "rollaxis": lambda x: np.rollaxis(x, -1),
    "atleast_2d": np.atleast_2d,
    "atleast_3d": np.atleast_3d,
    "rot90": np.rot90,
    "diagonal": np.diagonal,
    "split": lambda x: np.split(x, [1])[1],
    "unstack": lambda x: np.unstack(x)[-1],
    "array_split": lambda x: np.array_split(x, 2)[0],
    "real": np.real,
    "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "roll": lambda x: np.roll(x, 1),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, 1),
    "take": lambda x: np.take(x, [0, -1], axis=0),
    "take one": lambda x: np.take(x, 0, axis=0),
    "list": lambda x: x[[0, -1, 0]],
    "mask": lambda x: x[x > 0.1],
    "sort": np.sort,
    "tril": np.tril,
    "copy": lambda x: x.copy(),
    "sine": np.sin,
    "zeros_like": np.zeros_like,
    "concatenate": lambda x: np.concatenate((x, x)),
}


def _add(x: Any, v: Any) -> None:
    x += v


def _scale(x: Any, v: Any) -> None:
    x *= 0.5 * v


def _add_to_first(x: Any, v: Any) -> None:
    x[0] += v


def _scale_some(x: Any, v: Any) -> None:
    x[::2] *= v


def _add_by_list(x: Any, v: Any) -> None:
    x[[0, 0]] += v


def _add_to_a_view_of_a_view(x: Any, v: Any) -> None:
    x.T[0] += v


def _assign_back(x: Any, v: Any) -> None:
    part = x[0]
    part += v
    x[0] = part


def _assign_elsewhere(x: Any, v: Any) -> None:
    part = x[0]
    part += v
    x[-1] = part


_WRITERS: dict[str, Callable[[Any, Any], Any]] = {
    "add": _add,
    "scale": _scale,
    "add to first": _add_to_first,
    "scale some": _scale_some,
    "add by list": _add_by_list,
    "add to a view of a view": _add_to_a_view_of_a_view,
    "assign back": _assign_back,
    "assign elsewhere": _assign_elsewhere,
    "first": lambda x, v: x.__setitem__(0, v),
    "last": lambda x, v: x.__setitem__((..., -1), v),
    "all": lambda x, v: x.__setitem__(..., v),
    "mask": lambda x, v: x.__setitem__(x > 0.1, v),
    "list": lambda x, v: x.__setitem__([-1, 0], v),
    "sort": lambda x, v: x.sort(),
    "put": lambda x, v: np.put(x, [0, -1], v),
    "flat": lambda x, v: x.flat.__setitem__(0, v),
    "fill": lambda x, v: x.fill(v),
    "copyto": lambda x, v: np.copyto(x, v),
    "copyto where": lambda x, v: np.copyto(x, v, where=np.zeros(x.shape, bool)),
    "place": lambda x, v: np.place(x, np.ones(x.shape), v),
    "putmask": lambda x, v: np.putmask(x, np.ones(x.shape), v),
    "fill_diagonal": lambda x, v: np.fill_diagonal(x, v),
}

_PLACE = st.integers(0, 3)
_STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(_MAKERS)), _PLACE, _PLACE, st.just(True)),
    st.tuples(st.sampled_from(sorted(_WRITERS)), _PLACE, _PLACE, st.just(False)),
)


def _program(steps: list[tuple[str, int, int, bool]]) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        names = [x, x * 2.0, x.copy(), x + 1.0]
        for name, i, j, makes in steps:
            if makes:
                names[j] = _MAKERS[name](names[i])
            elif np.ndim(names[i]):  # NumPy writes into a copy of a number, and says nothing
                _WRITERS[name](names[i], np.sum(names[j]))
        return sum(np.sum(np.tanh(one)) for one in names)

    return run


_X = np.array([[0.31, -1.24, 0.73], [0.52, 1.17, -0.43], [-0.97, 0.23, 0.61]])
_DIRECTION = np.array([[0.4, 0.9, -1.3], [0.8, -0.2, 0.7], [1.1, -0.5, 0.3]])
_SEEN = {"right": 0, "refused": 0}


@settings(max_examples=600, deadline=None)
@given(st.lists(_STEPS, min_size=1, max_size=7))
def _right_or_refused(steps: list[tuple[str, int, int, bool]]) -> None:
    run, step = _program(steps), 1e-6 * _DIRECTION
    try:
        expected = run(_X.copy())
        difference = (run(_X + step) - run(_X - step)) / 2e-6
        coarser = (run(_X + 2 * step) - run(_X - 2 * step)) / 4e-6
    except (TypeError, ValueError, IndexError, AttributeError):  # what NumPy refuses is not ours to judge
        assume(False)
        return
    try:
        value, gradient = rg.value_and_grad(run, backend="tape")(_X.copy())
        _, tangent = rg.jvp(run, (_X.copy(),), (_DIRECTION,), backend="tape")
    except UnsupportedError:
        _SEEN["refused"] += 1
        return
    _SEEN["right"] += 1
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    # Some programs are steep: then differences tell by each other how good they are.
    blur = 10.0 * abs(difference - coarser)
    np.testing.assert_allclose(tangent, difference, rtol=1e-4, atol=1e-6 + blur)
    np.testing.assert_allclose(np.sum(gradient * _DIRECTION), tangent, rtol=1e-9, atol=1e-12)


def test_right_or_refused() -> None:
    _right_or_refused()
    assert _SEEN["right"] > 100
    assert _SEEN["refused"] > 20
