"""Activations. Each works element by element, in the dtype of its operand."""

# What NumPy gives for arrays of any kind has no type to check.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.nn.arguments import as_floating
from retrograde.program.primitive import Array
from retrograde.rules.nn import activations


def relu(x: Any) -> Array:
    """x where it is positive, else 0; at 0 the derivative is 0. It keeps its result alone.

    Example:
        >>> import numpy as np
        >>> relu(np.array([-1.0, 2.0]))
        array([0., 2.])
    """
    return activations.relu(as_floating(x))


def relu6(x: Any) -> Array:
    """x between 0 and 6, and what is outside cut off.

    Example:
        >>> import numpy as np
        >>> relu6(np.array([-1.0, 2.0, 8.0]))
        array([0., 2., 6.])
    """
    return hardtanh(x, 0.0, 6.0)


def leaky_relu(x: Any, slope: float = 0.01) -> Array:
    """x where it is positive, else a small multiple of it; at 0 the derivative is the slope.

    Example:
        >>> import numpy as np
        >>> leaky_relu(np.array([-1.0, 2.0]))
        array([-0.01,  2.  ])
    """
    x = as_floating(x)
    return np.where(x > 0.0, x, slope * x)


def prelu(x: Any, slope: Any) -> Array:
    """`leaky_relu` with a slope that is learnt: an array that is broadcast with x.

    Example:
        >>> import numpy as np
        >>> prelu(np.array([-1.0, 2.0]), 0.5)
        array([-0.5,  2. ])
    """
    x = as_floating(x)
    return np.where(x > 0.0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Array:
    """x where it is positive, else alpha·(exp(x) - 1) (Clevert, Unterthiner and Hochreiter 2015).

    Example:
        >>> import numpy as np
        >>> elu(np.array([0.0, 2.0]))
        array([0., 2.])
    """
    return activations.elu(as_floating(x), alpha=float(alpha))


def selu(x: Any) -> Array:
    """`elu` scaled so that networks normalize themselves (Klambauer et al. 2017).

    Example:
        >>> import numpy as np
        >>> selu(np.array([0.0]))
        array([0.])
    """
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def celu(x: Any, alpha: float = 1.0) -> Array:
    """x where it is positive, else alpha·(exp(x / alpha) - 1), smooth at 0 (Barron 2017).

    Example:
        >>> import numpy as np
        >>> celu(np.array([0.0, 2.0]), 0.5)
        array([0., 2.])
    """
    return alpha * elu(as_floating(x) / alpha)


def gelu(x: Any, approximate: bool = False) -> Array:
    """x times the normal distribution at x (Hendrycks and Gimpel 2016); approximated with tanh, if asked for.

    Example:
        >>> import numpy as np
        >>> gelu(np.array([0.0, 10.0]))
        array([ 0., 10.])
    """
    function = activations.gelu_tanh if approximate else activations.gelu
    return function(as_floating(x))


def silu(x: Any) -> Array:
    """x times the logistic function of x; also called swish.

    Example:
        >>> import numpy as np
        >>> silu(np.array([0.0, 100.0]))
        array([  0., 100.])
    """
    return activations.silu(as_floating(x))


def swish(x: Any) -> Array:
    """Another name of `silu`.

    Example:
        >>> import numpy as np
        >>> swish(np.array([0.0]))
        array([0.])
    """
    return silu(x)


def mish(x: Any) -> Array:
    """x times tanh of the softplus of x (Misra 2019).

    Example:
        >>> import numpy as np
        >>> mish(np.array([0.0, 100.0]))
        array([  0., 100.])
    """
    return activations.mish(as_floating(x))


def softplus(x: Any, beta: float = 1.0) -> Array:
    """log(1 + exp(beta·x)) / beta, without overflow: a smooth `relu`.

    Example:
        >>> import numpy as np
        >>> softplus(np.array([1000.0]))
        array([1000.])
    """
    return activations.softplus(as_floating(x) * beta) / beta if beta != 1.0 else activations.softplus(as_floating(x))


def softsign(x: Any) -> Array:
    """`x / (1 + abs(x))`.

    Example:
        >>> import numpy as np
        >>> softsign(np.array([-1.0, 3.0]))
        array([-0.5 ,  0.75])
    """
    x = as_floating(x)
    return x / (1.0 + np.abs(x))


def hardtanh(x: Any, lowest: float = -1.0, highest: float = 1.0) -> Array:
    """x between two bounds, and what is outside cut off; at the bounds the derivative is 0.

    Example:
        >>> import numpy as np
        >>> hardtanh(np.array([-2.0, 0.5]))
        array([-1. ,  0.5])
    """
    x = as_floating(x)
    return np.where(x > lowest, np.where(x < highest, x, highest), lowest)


def hard_sigmoid(x: Any) -> Array:
    """The logistic function approximated by a straight line between -3 and 3.

    Example:
        >>> import numpy as np
        >>> hard_sigmoid(np.array([-3.0, 0.0]))
        array([0. , 0.5])
    """
    return hardtanh(as_floating(x) + 3.0, 0.0, 6.0) * (1.0 / 6.0)


def hard_swish(x: Any) -> Array:
    """x times `hard_sigmoid` of x (Howard et al. 2019).

    Example:
        >>> import numpy as np
        >>> hard_swish(np.array([-4.0, 0.0, 4.0]))
        array([-0.,  0.,  4.])
    """
    x = as_floating(x)
    return x * hard_sigmoid(x)


def sigmoid(x: Any) -> Array:
    """The logistic function 1 / (1 + exp(-x)). It keeps its result alone.

    Example:
        >>> import numpy as np
        >>> sigmoid(np.array([0.0]))
        array([0.5])
    """
    return activations.sigmoid(as_floating(x))


def log_sigmoid(x: Any) -> Array:
    """The logarithm of `sigmoid`, precise where that is nearly 0 or 1.

    Example:
        >>> import numpy as np
        >>> log_sigmoid(np.array([-800.0]))
        array([-800.])
    """
    return activations.log_sigmoid(as_floating(x))


def tanh(x: Any) -> Array:
    """The hyperbolic tangent: `numpy.tanh`.

    Example:
        >>> import numpy as np
        >>> tanh(np.array([0.0]))
        array([0.])
    """
    return np.tanh(as_floating(x))


def glu(x: Any, axis: int = -1) -> Array:
    """The first half of an axis, times `sigmoid` of the second: a gate that is learnt (Dauphin et al. 2017).

    Raises:
        UsageError: the axis has an odd number of elements.

    Example:
        >>> import numpy as np
        >>> glu(np.array([2.0, 0.0]))
        array([1.])
    """
    x = as_floating(x)
    axis = normalize_axis_index(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(size, int) and size % 2:
        raise UsageError(f"glu of an axis of {size} elements was asked for; it takes an even number of them")
    before = (slice(None),) * axis
    return x[(*before, slice(None, size // 2))] * sigmoid(x[(*before, slice(size // 2, None))])
