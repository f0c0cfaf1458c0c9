"""Attention (Vaswani et al. 2017)."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from retrograde.autodiff import checkpoint
from retrograde.errors import UsageError
from retrograde.nn.arguments import as_array, as_floating, known
from retrograde.nn.layers import drawn_seed, linear
from retrograde.nn.layers import dropout as drop
from retrograde.program.primitive import Array
from retrograde.rules.special import log_sum_exp


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    dropout: float = 0.0,
    seed: Any = None,
    block: int | None = None,
) -> Array:
    """Means of values, weighted by how well their keys go with a query.

    It keeps the weights, one for each query and key, and no scores. With `block` it keeps none of them either: those of
    so many queries at once are computed, and computed again for the derivative, so that long sequences take memory in
    proportion to their length.

    Args:
        query: (..., queries, features).
        key: (..., keys, features).
        value: (..., keys, features of values).
        mask: which keys a query sees, broadcast with (..., queries, keys): booleans, True where it does, or numbers
            that are added to the scores. A query that sees none has NaN for its result.
        causal: whether a query sees only keys that stand no later than it.
        scale: what scores are multiplied by; 1 / sqrt(features), if not given.
        dropout: the rate at which weights are set to 0, while training.
        seed: of dropout: an int or a NumPy generator.
        block: how many queries are worked on at once; all of them, if not given.

    Returns:
        (..., queries, features of values).

    Raises:
        UsageError: arguments have too few axes, or shapes that do not go together.

    Example:
        >>> import numpy as np
        >>> scaled_dot_product_attention(np.zeros((1, 4)), np.ones((2, 4)), np.array([[1.0], [3.0]]))
        array([[2.]])
    """
    q, k, v = as_floating(query), as_floating(key), as_floating(value)
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise UsageError(
            f"attention of arrays with {q.ndim}, {k.ndim} and {v.ndim} axes was asked for; each has positions and "
            "features last"
        )
    if scale is None:
        scale = 1.0 / sqrt(known(q.shape[-1:], "attention without a scale")[0])
    q = q * q.dtype.type(scale)
    seed = drawn_seed(seed) if dropout else 0
    if block is None:
        visible = np.tri(*known((q.shape[-2], k.shape[-2]), "causal attention"), dtype=bool) if causal else None
        return _attend(q, k, v, mask, visible, dropout, seed)
    if block < 1:
        raise UsageError(f"block={block!r} was given; it is a number of queries, 1 or more")
    count = known((q.shape[-2],), "attention by blocks")[0]
    parts: list[Array] = []
    for start in range(0, count, block):
        rows = slice(start, min(count, start + block))
        seen = slice(None, rows.stop if causal else None)
        visible = np.tri(rows.stop - start, min(rows.stop, k.shape[-2]), start, dtype=bool) if causal else None
        inner = None if mask is None else _mask_of(mask, rows, seen)
        arrays = (q[..., rows, :], k[..., seen, :], v[..., seen, :], inner, visible)
        parts.append(checkpoint(_attend)(*arrays, dropout, seed + start))
    return np.concatenate(parts, axis=-2)


def _attend(q: Array, k: Array, v: Array, mask: Any, visible: Any, dropout: float, seed: Any) -> Array:
    scores = q @ np.transpose(k, (*range(k.ndim - 2), k.ndim - 1, k.ndim - 2))
    if visible is not None:
        scores = np.where(visible, scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if _is_boolean(mask) else scores + mask
    weights = log_sum_exp.softmax(scores, axis=(scores.ndim - 1,))
    if dropout:
        weights = drop(weights, dropout, seed)
    return weights @ v


def _mask_of(mask: Any, rows: slice, seen: slice) -> Any:
    """The part of a mask that is for some queries and keys; of an axis that is broadcast, the whole."""
    mask = as_array(mask)
    if mask.ndim > 1 and mask.shape[-2] != 1:
        mask = mask[..., rows, :]
    return mask[..., seen] if mask.ndim and mask.shape[-1] != 1 else mask


def _is_boolean(mask: Any) -> bool:
    return as_array(mask).dtype.kind == "b"


def multi_head_attention(
    query: Any,
    key: Any,
    value: Any,
    in_weight: Any,
    out_weight: Any,
    heads: int,
    in_bias: Any = None,
    out_bias: Any = None,
    mask: Any = None,
    causal: bool = False,
    dropout: float = 0.0,
    seed: Any = None,
    block: int | None = None,
) -> Array:
    """Attention in several subspaces at once: queries, keys and values are mapped, split into heads, and put together.

    Args:
        query: (..., queries, features).
        key: (..., keys, features).
        value: (..., keys, features).
        in_weight: (3 · features, features): the maps of queries, keys and values, one under the other.
        out_weight: (features, features): the map of the result.
        heads: into how many the features are split.
        in_bias: (3 · features,), or None.
        out_bias: (features,), or None.
        mask, causal, dropout, seed, block: as in `scaled_dot_product_attention`; the mask is broadcast with
            (..., heads, queries, keys).

    Returns:
        (..., queries, features).

    Raises:
        UsageError: the features cannot be split into so many heads, or the weights have another shape.

    Example:
        >>> import numpy as np
        >>> x = np.ones((5, 4))
        >>> multi_head_attention(x, x, x, np.ones((12, 4)), np.eye(4), heads=2).shape
        (5, 4)
    """
    features = known(as_floating(query).shape[-1:], "multi_head_attention")[0]
    if heads < 1 or features % heads:
        raise UsageError(f"{features} features were to be split into {heads} heads; take a divisor of {features}")
    if tuple(np.shape(in_weight)) != (3 * features, features):
        raise UsageError(
            f"multi_head_attention of {features} features got an in_weight of shape {tuple(np.shape(in_weight))}; it "
            f"has the shape {(3 * features, features)}"
        )
    parts: list[Array] = []
    for at, x in enumerate((query, key, value)):
        rows = slice(at * features, (at + 1) * features)
        mapped = linear(as_floating(x), in_weight[rows], None if in_bias is None else in_bias[rows])
        parts.append(_split(mapped, heads, features // heads))
    out = scaled_dot_product_attention(*parts, mask=mask, causal=causal, dropout=dropout, seed=seed, block=block)
    order = (*range(out.ndim - 3), out.ndim - 2, out.ndim - 3, out.ndim - 1)
    merged = np.transpose(out, order)
    return linear(np.reshape(merged, (*merged.shape[:-2], features)), out_weight, out_bias)


def _split(x: Array, heads: int, features: int) -> Array:
    """(..., positions, heads · features) as (..., heads, positions, features)."""
    parts = np.reshape(x, (*x.shape[:-1], heads, features))
    return np.transpose(parts, (*range(parts.ndim - 3), parts.ndim - 2, parts.ndim - 3, parts.ndim - 1))
