"""Random numbers as functions of a generator's state: the same state gives the same numbers, and the next state.

A state is an array of 64-bit words, so that programs carry, keep and repeat it like any other value. What is drawn has
no derivative: `normal(m, s)` is written `m + s * standard_normal()`, which has.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType

WORDS = {"PCG64": 6, "PCG64DXSM": 6}
"""The bit generators that are known, and how many words their states have."""

_WORD = np.dtype(np.uint64)
_LOW = (1 << 64) - 1


def state_of(generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The state of a generator as an array.

    Raises:
        UnsupportedError: its bit generator is not known.

    Example:
        >>> state_of(np.random.default_rng(0)).shape
        (6,)
    """
    state: Any = generator.bit_generator.state
    if state["bit_generator"] not in WORDS:
        raise UnsupportedError(
            f"a generator over {state['bit_generator']} was to be used in a program; use np.random.default_rng(seed), "
            f"or one over {' or '.join(WORDS)}"
        )
    inner = state["state"]
    words = [inner["state"] >> 64, inner["state"] & _LOW, inner["inc"] >> 64, inner["inc"] & _LOW]
    return np.array([*words, state["has_uint32"], state["uinteger"]], _WORD)


@lru_cache(4)
def _generator(kind: str) -> np.random.Generator:
    return np.random.Generator(getattr(np.random, kind)(0))


def generator_at(state: Array, kind: str) -> np.random.Generator:
    """A generator in a state: one of each kind is there, and set to it."""
    generator = _generator(kind)
    high, low, inc_high, inc_low, has_half, half = (int(word) for word in state)
    generator.bit_generator.state = {
        "bit_generator": kind,
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_half,
        "uinteger": half,
    }
    return generator


def _numbers(shape: tuple[Any, ...], dtype: Any, kind: str) -> tuple[ArrayType, ArrayType]:
    return ArrayType(np.dtype(dtype), tuple(shape)), ArrayType(_WORD, (WORDS[kind],))


def _size(shape: tuple[Any, ...]) -> Any:
    return shape or None


def _draw(state: Array, shape: tuple[int, ...], method: str, dtype: Any, kind: str) -> Any:
    generator = generator_at(state, kind)
    numbers = getattr(generator, method)(_size(shape), dtype=dtype)
    return numbers, state_of(generator)


random_numbers = Primitive(
    "random_numbers",
    _draw,
    ("state", "shape"),
    static=("method", "dtype", "kind"),
    outputs=("numbers", "after"),
    result=lambda state, shape, method, dtype, kind: _numbers(shape, dtype if shape else float, kind),
)
"""Numbers from a distribution without parameters: "random", "standard_normal", "standard_exponential"."""


def _draw_integers(
    state: Array, low: int, high: int, shape: tuple[int, ...], endpoint: bool, dtype: Any, kind: str
) -> Any:
    generator = generator_at(state, kind)
    numbers = generator.integers(low, high, _size(shape), dtype, endpoint)
    return numbers, state_of(generator)


random_integers = Primitive(
    "random_integers",
    _draw_integers,
    ("state", "low", "high", "shape"),
    static=("endpoint", "dtype", "kind"),
    outputs=("numbers", "after"),
    result=lambda state, low, high, shape, endpoint, dtype, kind: _numbers(shape, dtype, kind),
)


def _draw_permutation(state: Array, shape: tuple[int, ...], kind: str) -> Any:
    generator = generator_at(state, kind)
    return generator.permutation(shape[0]), state_of(generator)


random_permutation = Primitive(
    "random_permutation",
    _draw_permutation,
    ("state", "shape"),
    static=("kind",),
    outputs=("numbers", "after"),
    result=lambda state, shape, kind: _numbers(shape, np.int64, kind),
)
"""0, 1, 2, … in a random order; the shape says how many."""


def _draw_choice(state: Array, count: int, shape: tuple[int, ...], replace: bool, shuffle: bool, kind: str) -> Any:
    generator = generator_at(state, kind)
    numbers = generator.choice(int(count), _size(shape), replace, shuffle=shuffle)
    return np.asarray(numbers, np.int64)[()], state_of(generator)


random_choice = Primitive(
    "random_choice",
    _draw_choice,
    ("state", "count", "shape"),
    static=("replace", "shuffle", "kind"),
    outputs=("numbers", "after"),
    result=lambda state, count, shape, replace, shuffle, kind: _numbers(shape, np.int64, kind),
)
"""Some of 0, 1, 2, … below a count."""


def _draw_weighted(
    state: Array, count: int, weights: Array, shape: tuple[int, ...], replace: bool, shuffle: bool, kind: str
) -> Any:
    generator = generator_at(state, kind)
    numbers = generator.choice(int(count), _size(shape), replace, weights, shuffle=shuffle)
    return np.asarray(numbers, np.int64)[()], state_of(generator)


random_weighted_choice = Primitive(
    "random_weighted_choice",
    _draw_weighted,
    ("state", "count", "weights", "shape"),
    static=("replace", "shuffle", "kind"),
    outputs=("numbers", "after"),
    result=lambda state, count, weights, shape, replace, shuffle, kind: _numbers(shape, np.int64, kind),
)
"""Some of 0, 1, 2, … below a count, each with a probability."""

random_state = Primitive(
    "random_state",
    lambda seed: state_of(np.random.default_rng(int(seed))),
    ("seed",),
    result=lambda seed: ArrayType(_WORD, (WORDS["PCG64"],)),
)
"""The state of `numpy.random.default_rng(seed)`."""
