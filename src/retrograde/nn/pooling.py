"""Pooling: one number for each window."""

from __future__ import annotations

from typing import Any

from retrograde.errors import UsageError
from retrograde.nn.arguments import Ints, Padding, as_array, for_each_axis, pads_of
from retrograde.program.primitive import Array
from retrograde.rules.nn import pooling
from retrograde.rules.nn.windows import Windows


def max_pool1d(
    x: Any, window: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1, ceil: bool = False
) -> Array:
    """The largest element of each window over the last axis.

    Where several are largest, the first has the derivative. What is kept is a byte for each window, not the input.

    Args:
        x: real, (..., length).
        window: how many elements it has; an int, or one for each axis.
        stride: from one window to the next; as large as the window, if not given.
        padding: around the input, of no account to the maximum: an int, ints or pairs (before, behind) for the axes,
            "valid" or "same".
        dilation: from one element of a window to the next.
        ceil: whether a last window may reach over the end.

    Returns:
        (..., number of windows), of the dtype of `x`.

    Raises:
        UsageError: an argument means nothing, or a window lies in the padding alone.

    Example:
        >>> import numpy as np
        >>> max_pool1d(np.array([1.0, 3.0, 2.0, 0.0]), 2)
        array([3., 2.])
    """
    return _max_pool(1, x, window, stride, padding, dilation, ceil)


def max_pool2d(
    x: Any, window: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1, ceil: bool = False
) -> Array:
    """The largest element of each window over the last two axes. Arguments are those of `max_pool1d`.

    Example:
        >>> import numpy as np
        >>> max_pool2d(np.arange(16.0).reshape(4, 4), 2)
        array([[ 5.,  7.],
               [13., 15.]])
    """
    return _max_pool(2, x, window, stride, padding, dilation, ceil)


def max_pool3d(
    x: Any, window: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1, ceil: bool = False
) -> Array:
    """The largest element of each window over the last three axes. Arguments are those of `max_pool1d`.

    Example:
        >>> import numpy as np
        >>> max_pool3d(np.arange(8.0).reshape(2, 2, 2), 2)
        array([[[7.]]])
    """
    return _max_pool(3, x, window, stride, padding, dilation, ceil)


def avg_pool1d(
    x: Any,
    window: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window over the last axis.

    Args:
        x: floating or complex, (..., length).
        window: how many elements it has; an int, or one for each axis.
        stride: from one window to the next; as large as the window, if not given.
        padding: zeros around the input: an int, ints or pairs (before, behind) for the axes, "valid" or "same".
        ceil: whether a last window may reach over the end.
        count_include_pad: whether padding counts as elements. What is beyond it never does.

    Returns:
        (..., number of windows), of the dtype of `x`.

    Raises:
        UsageError: an argument means nothing, or a window lies in the padding alone.

    Example:
        >>> import numpy as np
        >>> avg_pool1d(np.array([1.0, 3.0, 2.0, 0.0]), 2)
        array([2., 1.])
    """
    return _avg_pool(1, x, window, stride, padding, ceil, count_include_pad)


def avg_pool2d(
    x: Any,
    window: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window over the last two axes. Arguments are those of `avg_pool1d`.

    Example:
        >>> import numpy as np
        >>> avg_pool2d(np.arange(4.0).reshape(2, 2), 2)
        array([[1.5]])
    """
    return _avg_pool(2, x, window, stride, padding, ceil, count_include_pad)


def avg_pool3d(
    x: Any,
    window: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window over the last three axes. Arguments are those of `avg_pool1d`.

    Example:
        >>> import numpy as np
        >>> avg_pool3d(np.arange(8.0).reshape(2, 2, 2), 2)
        array([[[3.5]]])
    """
    return _avg_pool(3, x, window, stride, padding, ceil, count_include_pad)


def _max_pool(
    axes: int, x: Any, window: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil: bool
) -> Array:
    x = as_array(x)
    if x.dtype.kind == "c":
        raise UsageError("max pooling of complex numbers was asked for, which have no order; pool np.abs of them")
    return pooling.max_pool(x, windows=_windows(axes, x, window, stride, padding, dilation, ceil))[0]


def _avg_pool(
    axes: int, x: Any, window: Ints, stride: Ints | None, padding: Padding, ceil: bool, count_padding: bool
) -> Array:
    x = as_array(x)
    if x.dtype.kind in "biu":
        raise UsageError(f"means of {x.dtype} were to be pooled; convert to a floating type (`x.astype(float)`)")
    windows = _windows(axes, x, window, stride, padding, 1, ceil)
    return pooling.avg_pool(x, windows=windows, count_padding=bool(count_padding))


def _windows(
    axes: int, x: Array, window: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil: bool
) -> Windows:
    if x.ndim < axes:
        raise UsageError(f"pooling over {axes} axes was asked for of an array of {x.ndim}; give one of {axes} or more")
    kernel = for_each_axis(window, axes, "window")
    strides = kernel if stride is None else for_each_axis(stride, axes, "stride")
    steps = for_each_axis(dilation, axes, "dilation")
    pads = pads_of(padding, kernel, strides, steps)
    for size, step, sides in zip(kernel, steps, pads, strict=True):
        if max(sides) > (size - 1) * step:
            raise UsageError(
                f"padding={padding!r} was given with window={window!r}: some windows would lie in the padding alone; "
                "pad by less than a window reaches"
            )
    return Windows(kernel, strides, pads, steps, bool(ceil))
