"""Linear maps, embeddings and dropout."""

# What NumPy gives for arrays of any kind has no type to check.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.nn.arguments import as_array, as_floating
from retrograde.program.array_like import ArrayLike
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.rules.nn import dropout as _rules


def linear(x: Any, w: Any, b: Any = None) -> Array:
    """A linear map of the last axis: x @ w.T + b.

    However many axes the input has, the gradient of the weights is one matrix product.

    Args:
        x: (..., features in).
        w: (features out, features in).
        b: (features out,), or None.

    Returns:
        (..., features out).

    Example:
        >>> import numpy as np
        >>> linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 1.0]]))
        array([3., 2.])
    """
    x, w = as_array(x), as_array(w)
    rows = np.reshape(x, (-1, x.shape[-1])) if x.ndim > 2 else x
    out = rows @ w.T
    if b is not None:
        out = out + b
    return np.reshape(out, (*x.shape[:-1], w.shape[0])) if x.ndim > 2 else out


def embedding(indices: Any, weight: Any, padding_index: int | None = None) -> Array:
    """Rows of a table: the learnt vectors of words, or of anything that is counted.

    Args:
        indices: integers, of any shape.
        weight: the table, (entries, features).
        padding_index: an entry that is not learnt: its row gets no gradient.

    Returns:
        The rows, (shape of the indices, features).

    Raises:
        UsageError: the indices are no integers, or out of range.

    Example:
        >>> import numpy as np
        >>> embedding([1, 1], np.array([[1.0, 2.0], [3.0, 4.0]]))
        array([[3., 4.],
               [3., 4.]])
    """
    indices, weight = as_array(indices), as_array(weight)
    if indices.dtype.kind not in "iu":
        raise UsageError(f"an embedding of {indices.dtype} was asked for; indices are integers (`x.astype(int)`)")
    entries = weight.shape[0]
    if is_ndarray(indices) and isinstance(entries, int) and ((indices < 0) | (indices >= entries)).any():
        raise UsageError(
            f"indices from {int(indices.min())} to {int(indices.max())} were given for an embedding of {entries} "
            f"entries; they go from 0 to {entries - 1}"
        )
    rows = weight[indices]
    if padding_index is None:
        return rows
    fixed = PRIMITIVES["stop_gradient"](weight)[padding_index]
    return np.where((indices == padding_index)[..., None], fixed, rows)


def one_hot(labels: Any, classes: int, dtype: Any = np.float64) -> Array:
    """A 1 at each label, and 0 elsewhere; on a new last axis. A constant to every derivative.

    Raises:
        UsageError: the labels are no integers, or out of range.

    Example:
        >>> one_hot([2, 0], 3)
        array([[0., 0., 1.],
               [1., 0., 0.]])
    """
    labels = as_array(labels)
    if labels.dtype.kind not in "biu":
        raise UsageError(f"one_hot of {labels.dtype} was asked for; labels are integers (`x.astype(int)`)")
    if not isinstance(labels, ArrayLike) and ((labels < 0) | (labels >= classes)).any():
        raise UsageError(
            f"labels outside of 0 to {classes - 1} were given to one_hot; give `classes` as many as there are"
        )
    return np.astype(labels[..., None] == np.arange(classes), np.dtype(dtype))


def dropout(x: Any, rate: float, seed: Any, training: bool = True) -> Array:
    """Sets elements to 0 at random, and scales the others so that the mean stays (Srivastava et al. 2014).

    The mask is drawn from a seed, and drawn again for a derivative: it is kept nowhere, and what is computed twice
    has the same mask twice.

    Args:
        x: floating or complex.
        rate: how probable it is that an element is set to 0.
        seed: an int, or a NumPy generator, which then draws one; to be another one for each call.
        training: whether to do it; otherwise `x` is returned.

    Raises:
        UsageError: the rate is not between 0 and 1, or there is no seed.

    Example:
        >>> import numpy as np
        >>> x = np.ones(1000)
        >>> bool(np.array_equal(dropout(x, 0.5, seed=1), dropout(x, 0.5, seed=1)))
        True
        >>> sorted({float(value) for value in dropout(x, 0.5, np.random.default_rng(0))})
        [0.0, 2.0]
    """
    if not 0.0 <= rate <= 1.0:
        raise UsageError(f"a dropout rate of {rate!r} was given; it is a probability, from 0 to 1")
    x = as_floating(x)
    if not training or rate == 0.0:
        return x
    return _rules.dropout(x, drawn_seed(seed), rate=float(rate))


def drawn_seed(seed: Any) -> Any:
    """A seed as it is (an int, or a symbol of a program), or drawn from a generator."""
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    if isinstance(seed, (int, np.integer, ArrayLike)) and not isinstance(seed, bool):
        return seed
    raise UsageError(
        f"dropout got a {type(seed).__name__} for its seed; give an int, or a numpy.random.Generator that draws one "
        "for each call"
    )
