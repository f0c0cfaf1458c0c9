"""Losses: how far predictions are from what is wanted."""

# What NumPy gives for arrays of any kind has no type to check.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.nn.arguments import Reduction, as_array, as_floating, reduced
from retrograde.program.kinds import is_ndarray
from retrograde.program.primitive import Array
from retrograde.rules.nn import activations
from retrograde.rules.special import entropies, log_sum_exp


def cross_entropy(
    logits: Any,
    targets: Any,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    axis: int | None = None,
) -> Array:
    """The cross entropy between the softmax of logits and classes or probabilities.

    It keeps one array of the size of the logits, and is precise where the prediction is nearly certain.

    Args:
        logits: floating, (classes,), (samples, classes) or (samples, classes, ...).
        targets: integers, the classes, of the shape of the logits without their axis of classes; or floating,
            probabilities of the shape of the logits.
        weight: for each class, what its losses are multiplied by.
        ignore_index: a target that does not count; of integer targets only.
        label_smoothing: how much of each target is spread over all classes evenly (Szegedy et al. 2016).
        reduction: "mean" (of integer targets: weighted, over those that count), "sum" or "none".
        axis: of the classes; the second, or the only one, if not given.

    Returns:
        A scalar, or the loss of each target.

    Raises:
        UsageError: shapes do not go together, a class is out of range, or an argument means nothing.

    Example:
        >>> import numpy as np
        >>> logits = np.array([[0.0, 0.0], [1000.0, 0.0]])
        >>> bool(cross_entropy(logits, np.array([1, 0])) == np.log(2.0) / 2.0)
        True
    """
    logits, targets = as_floating(logits), as_array(targets)
    if not logits.ndim:
        raise UsageError("the cross entropy of a logit without an axis was asked for; it takes an axis of classes")
    if not 0.0 <= label_smoothing <= 1.0:
        raise UsageError(f"label_smoothing={label_smoothing!r} was given; it is a fraction from 0 to 1")
    axis = normalize_axis_index(min(1, logits.ndim - 1) if axis is None else axis, logits.ndim)
    log_p = log_sum_exp.log_softmax(logits, axis=(axis,))
    weight = _of_each_class(weight, logits, axis)
    if targets.dtype.kind in "biu":
        return _of_classes(log_p, targets, weight, ignore_index, label_smoothing, reduction, axis)
    if targets.ndim != logits.ndim:
        raise UsageError(
            f"probabilities of shape {tuple(targets.shape)} were given for logits of shape {tuple(logits.shape)}; give "
            "them in one shape, or integer classes"
        )
    classes = logits.shape[axis]
    wanted = targets * (1.0 - label_smoothing) + label_smoothing / classes if label_smoothing else targets
    weighted = wanted * log_p if weight is None else wanted * log_p * weight
    return reduced(-np.sum(weighted, axis=axis), reduction)


def _of_each_class(weight: Any, logits: Array, axis: int) -> Any:
    """Weights of the classes, with as many axes behind them as the logits have."""
    if weight is None:
        return None
    weight = as_array(weight)
    if weight.ndim != 1 or not _may_agree(weight.shape, logits.shape[axis : axis + 1]):
        raise UsageError(
            f"a weight of shape {tuple(weight.shape)} was given for {logits.shape[axis]} classes; give one number for "
            "each"
        )
    return np.reshape(weight, (-1,) + (1,) * (logits.ndim - axis - 1))


def _of_classes(
    log_p: Array, targets: Array, weight: Any, ignored: int, smoothing: float, reduction: Reduction, axis: int
) -> Array:
    shape = tuple(log_p.shape)
    others = shape[:axis] + shape[axis + 1 :]
    if targets.ndim != len(others) or not _may_agree(targets.shape, others):
        raise UsageError(
            f"classes of shape {tuple(targets.shape)} were given for logits of shape {shape} with the classes on axis "
            f"{axis}; they have the shape {others}"
        )
    counted = targets != ignored
    _check_classes(targets, counted, shape[axis])
    classes = np.where(counted, targets, 0)
    weights = counted if weight is None else np.where(counted, np.ravel(weight)[classes], 0.0)
    picked = np.take_along_axis(log_p, np.expand_dims(classes, axis), axis)
    loss = np.where(counted, -np.reshape(picked, others), 0.0)
    if weight is not None:
        loss = loss * weights
    if smoothing:
        spread = np.sum(log_p if weight is None else log_p * weight, axis=axis)
        loss = (1.0 - smoothing) * loss - (smoothing / shape[axis]) * np.where(counted, spread, 0.0)
    return reduced(loss, reduction, np.sum(weights))


def _may_agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two shapes of one rank agree wherever both are known before the run."""
    pairs = zip(one, other, strict=True)
    return all(mine == theirs for mine, theirs in pairs if isinstance(mine, int) and isinstance(theirs, int))


def _check_classes(targets: Array, counted: Array, classes: Any) -> None:
    if not is_ndarray(targets) or not targets.size or not isinstance(classes, int):
        return
    wrong = targets[counted & ((targets < 0) | (targets >= classes))]
    if wrong.size:
        raise UsageError(
            f"class {int(wrong[0])} was given, and the logits have {classes} classes, from 0 on; targets that do not "
            "count are marked by ignore_index"
        )


def nll_loss(
    log_probabilities: Any, targets: Any, weight: Any = None, ignore_index: int = -100, reduction: Reduction = "mean"
) -> Array:
    """The negative logarithms of the probabilities of classes. Arguments are those of `cross_entropy`.

    Example:
        >>> import numpy as np
        >>> float(nll_loss(np.array([[-0.5, -2.0]]), np.array([0])))
        0.5
    """
    log_p, targets = as_floating(log_probabilities), as_array(targets)
    axis = min(1, log_p.ndim - 1)
    weight = _of_each_class(weight, log_p, axis)
    return _of_classes(log_p, targets, weight, ignore_index, 0.0, reduction, axis)


def binary_cross_entropy_with_logits(
    logits: Any, targets: Any, weight: Any = None, pos_weight: Any = None, reduction: Reduction = "mean"
) -> Array:
    """The cross entropy between `sigmoid` of logits and probabilities, precise however certain the prediction.

    Args:
        logits: floating.
        targets: probabilities, of the shape of the logits.
        weight: what losses are multiplied by; broadcast with them.
        pos_weight: what the part of each loss that comes from the target is multiplied by, to balance rare positives.
        reduction: "mean", "sum" or "none".

    Raises:
        UsageError: shapes differ.

    Example:
        >>> import numpy as np
        >>> binary_cross_entropy_with_logits(np.array([1000.0, -1000.0]), np.array([1.0, 1.0]), reduction="none")
        array([   0., 1000.])
    """
    x, z = _pair(logits, targets)
    if pos_weight is None:
        loss = activations.logistic_loss(x, z)
    else:
        loss = -(pos_weight * z * entropies.log_expit(x) + (1.0 - z) * entropies.log_expit(-x))
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy(probabilities: Any, targets: Any, weight: Any = None, reduction: Reduction = "mean") -> Array:
    """The cross entropy between two lots of probabilities, 0 where both are 0 or 1.

    From logits, `binary_cross_entropy_with_logits` is more precise. Arguments are those of it.

    Example:
        >>> import numpy as np
        >>> bool(binary_cross_entropy(np.array([0.5]), np.array([1.0])) == np.log(2.0))
        True
    """
    p, z = _pair(probabilities, targets)
    loss = -(entropies.xlogy(z, p) + entropies.xlog1py(1.0 - z, -p))
    return reduced(loss if weight is None else loss * weight, reduction)


def mse_loss(predictions: Any, targets: Any, reduction: Reduction = "mean") -> Array:
    """The squared differences between predictions and targets of one shape.

    Raises:
        UsageError: shapes differ.

    Example:
        >>> import numpy as np
        >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
        2.0
    """
    x, y = _pair(predictions, targets)
    difference = x - y
    return reduced(difference * difference, reduction)


def l1_loss(predictions: Any, targets: Any, reduction: Reduction = "mean") -> Array:
    """The absolute differences between predictions and targets of one shape; where they agree, the derivative is 0.

    Raises:
        UsageError: shapes differ.

    Example:
        >>> import numpy as np
        >>> float(l1_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
        1.0
    """
    x, y = _pair(predictions, targets)
    return reduced(np.abs(x - y), reduction)


def huber_loss(predictions: Any, targets: Any, delta: float = 1.0, reduction: Reduction = "mean") -> Array:
    """Half the squared difference up to `delta`, and straight on from there (Huber 1964).

    Raises:
        UsageError: shapes differ, or `delta` is not positive.

    Example:
        >>> import numpy as np
        >>> huber_loss(np.array([1.0, 4.0]), np.array([0.0, 0.0]), reduction="none")
        array([0.5, 3.5])
    """
    if not delta > 0.0:
        raise UsageError(f"delta={delta!r} was given; it is positive")
    x, y = _pair(predictions, targets)
    distance = np.abs(x - y)
    loss = np.where(distance < delta, 0.5 * distance * distance, delta * (distance - 0.5 * delta))
    return reduced(loss, reduction)


def _pair(one: Any, other: Any) -> tuple[Array, Array]:
    """Two arrays of one shape: broadcasting here is a mistake more often than not."""
    one, other = as_floating(one), as_floating(other)
    if one.ndim != other.ndim or not _may_agree(one.shape, other.shape):
        raise UsageError(
            f"predictions of shape {tuple(one.shape)} and targets of shape {tuple(other.shape)} were given; give both "
            "in one shape"
        )
    return one, other
