"""Normalization: features with mean 0 and variance 1, over a batch, a sample, or groups of channels."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.errors import UsageError
from retrograde.nn.arguments import as_floating, per_channel
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.rules.nn import normalization

Statistics: TypeAlias = tuple[Any, Any]


def batch_norm(
    x: Any,
    statistics: Statistics | None = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> tuple[Array, Statistics]:
    """Normalizes each channel over the samples and all axes of a sample (Ioffe and Szegedy 2015).

    Nothing is changed in place: the updated statistics are returned, to be passed to the next call.

    Args:
        x: (samples, channels, ...).
        statistics: running mean and variance of the channels; (0, 1) if not given.
        weight: for each channel, what its result is multiplied by.
        bias: for each channel, what is added.
        training: whether to normalize by mean and variance of these samples, and update the statistics; otherwise by
            the statistics.
        momentum: how much of the new statistics comes from these samples.
        epsilon: added to the variance.

    Returns:
        The result, of the shape of `x`, and the statistics: plain arrays, the variance with n - 1 in the denominator.

    Raises:
        UsageError: there are no statistics to normalize by, or no axis of channels.

    Example:
        >>> import numpy as np
        >>> out, (mean, variance) = batch_norm(np.array([[1.0, 4.0], [3.0, 4.0]]), epsilon=0.0001)
        >>> np.round(out, 2), mean
        (array([[-1.,  0.],
               [ 1.,  0.]]), array([0.2, 0.4]))
    """
    x = _with_axes(x, 2, "batch_norm")
    if not training:
        if statistics is None:
            raise UsageError("batch_norm was asked for with training=False and no statistics; pass (mean, variance)")
        mean, variance = (per_channel(part, x.ndim) for part in statistics)
        return _scaled((x - mean) / np.sqrt(variance + epsilon), weight, bias), statistics
    axes = (0, *range(2, x.ndim))
    out, mean, square = normalization.normalize(x, axis=axes, epsilon=float(epsilon), centered=True)
    count: Any = 1
    for axis in axes:
        count = count * x.shape[axis]
    mean, square = (np.reshape(PRIMITIVES["stop_gradient"](part), (-1,)) for part in (mean, square))
    before = (0.0, 1.0) if statistics is None else statistics
    new = (mean, square * (count / (count - 1.0) if not isinstance(count, int) or count > 1 else np.nan))
    updated = tuple((1.0 - momentum) * old + momentum * now for old, now in zip(before, new, strict=True))
    return _scaled(out, weight, bias), (updated[0], updated[1])


def layer_norm(x: Any, weight: Any = None, bias: Any = None, axis: Any = -1, epsilon: float = 1e-5) -> Array:
    """Normalizes each sample over its features (Ba, Kiros and Hinton 2016). It keeps its result, and no other array.

    Args:
        x: floating.
        weight: what the result is multiplied by; broadcast with it.
        bias: what is added; broadcast with it.
        axis: of the features: one, or a tuple.
        epsilon: added to the variance.

    Example:
        >>> import numpy as np
        >>> np.round(layer_norm(np.array([[1.0, 3.0], [6.0, 2.0]])), 2)
        array([[-1.,  1.],
               [ 1., -1.]])
    """
    x = as_floating(x)
    axes = normalize_axis_tuple(axis, x.ndim)
    return _affine(normalization.normalize(x, axis=axes, epsilon=float(epsilon), centered=True)[0], weight, bias)


def rms_norm(x: Any, weight: Any = None, axis: Any = -1, epsilon: float = 1e-6) -> Array:
    """Divides each sample by the root of the mean square of its features (Zhang and Sennrich 2019).

    Args:
        x: floating.
        weight: what the result is multiplied by; broadcast with it.
        axis: of the features: one, or a tuple.
        epsilon: added to the mean square.

    Example:
        >>> import numpy as np
        >>> np.round(rms_norm(np.array([1.0, 7.0])), 2)
        array([0.2, 1.4])
    """
    x = as_floating(x)
    axes = normalize_axis_tuple(axis, x.ndim)
    return _affine(normalization.normalize(x, axis=axes, epsilon=float(epsilon), centered=False)[0], weight, None)


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, epsilon: float = 1e-5) -> Array:
    """Normalizes each sample over each of several groups of its channels (Wu and He 2018).

    Args:
        x: (samples, channels, ...).
        groups: into how many the channels are split.
        weight: for each channel, what its result is multiplied by.
        bias: for each channel, what is added.
        epsilon: added to the variance.

    Raises:
        UsageError: the channels cannot be split into so many groups, or there is no axis of them.

    Example:
        >>> import numpy as np
        >>> np.round(group_norm(np.array([[1.0, 3.0, 6.0, 2.0]]), 2), 2)
        array([[-1.,  1.,  1., -1.]])
    """
    x = _with_axes(x, 2, "group_norm")
    channels = x.shape[1]
    if isinstance(channels, int) and (groups < 1 or channels % groups):
        raise UsageError(f"{channels} channels were to be split into {groups} groups; take a divisor of {channels}")
    parts = np.reshape(x, (x.shape[0], groups, channels // groups, *x.shape[2:]))
    axes = tuple(range(2, parts.ndim))
    out, _, _ = normalization.normalize(parts, axis=axes, epsilon=float(epsilon), centered=True)
    return _scaled(np.reshape(out, x.shape), weight, bias)


def instance_norm(x: Any, weight: Any = None, bias: Any = None, epsilon: float = 1e-5) -> Array:
    """Normalizes each channel of each sample by itself (Ulyanov, Vedaldi and Lempitsky 2016).

    Arguments are those of `group_norm`, with as many groups as channels.

    Raises:
        UsageError: there is no axis besides samples and channels.

    Example:
        >>> import numpy as np
        >>> np.round(instance_norm(np.array([[[1.0, 3.0], [6.0, 2.0]]])), 2)
        array([[[-1.,  1.],
                [ 1., -1.]]])
    """
    x = _with_axes(x, 3, "instance_norm")
    axes = tuple(range(2, x.ndim))
    out, _, _ = normalization.normalize(x, axis=axes, epsilon=float(epsilon), centered=True)
    return _scaled(out, weight, bias)


def _with_axes(x: Any, least: int, name: str) -> Array:
    x = as_floating(x)
    if x.ndim < least:
        raise UsageError(
            f"{name} of an array with {x.ndim} axes was asked for; it takes {least} or more: samples, channels, ..."
        )
    return x


def _scaled(out: Array, weight: Any, bias: Any) -> Array:
    """With a weight and a bias for each channel."""
    weight, bias = (None if part is None else per_channel(part, out.ndim) for part in (weight, bias))
    return _affine(out, weight, bias)


def _affine(out: Array, weight: Any, bias: Any) -> Array:
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias
