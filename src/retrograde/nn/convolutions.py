"""Convolutions, and their transposes."""

from __future__ import annotations

from typing import Any

from retrograde.errors import UsageError
from retrograde.nn.arguments import Ints, Padding, as_array, for_each_axis, known, pads_of, per_channel
from retrograde.program.primitive import Array
from retrograde.rules.nn import convolution


def conv1d(
    x: Any, w: Any, b: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1
) -> Array:
    """Convolution over one axis: the sum of products with a kernel that slides over the input.

    Args:
        x: (samples, channels, length), or without the samples.
        w: kernels, (channels out, channels in / groups, length).
        b: added to each channel out.
        stride: from one place of the kernel to the next; an int, or one for each axis.
        padding: zeros around the input: an int, ints or pairs (before, behind) for the axes, "valid" for none, or
            "same" for a result as large as the input.
        dilation: from one element of the kernel to the next.
        groups: how many parts the channels are split into, each with kernels of its own.

    Returns:
        (samples, channels out, length out). The kernel is not flipped, as is usual in networks.

    Raises:
        UsageError: shapes do not go together, or an argument means nothing.

    Example:
        >>> import numpy as np
        >>> conv1d(np.array([[1.0, 2.0, 4.0]]), np.array([[[-1.0, 1.0]]]))
        array([[1., 2.]])
    """
    return _convolve(1, x, w, b, stride, padding, dilation, groups)


def conv2d(
    x: Any, w: Any, b: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1
) -> Array:
    """Convolution over two axes. Arguments are those of `conv1d`, with two axes in place of one.

    Example:
        >>> import numpy as np
        >>> conv2d(np.ones((1, 1, 4, 4)), np.ones((2, 1, 3, 3)), padding="same").shape
        (1, 2, 4, 4)
    """
    return _convolve(2, x, w, b, stride, padding, dilation, groups)


def conv3d(
    x: Any, w: Any, b: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1
) -> Array:
    """Convolution over three axes. Arguments are those of `conv1d`, with three axes in place of one.

    Example:
        >>> import numpy as np
        >>> conv3d(np.ones((1, 1, 4, 4, 4)), np.ones((2, 1, 2, 2, 2)), stride=2).shape
        (1, 2, 2, 2, 2)
    """
    return _convolve(3, x, w, b, stride, padding, dilation, groups)


def conv_transpose1d(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Array:
    """The transpose of `conv1d` with the same kernels: it makes longer what that makes shorter.

    Args:
        x: (samples, channels, length), or without the samples.
        w: kernels, (channels, channels out / groups, length).
        b: added to each channel out.
        stride, padding, dilation, groups: of the convolution that this is the transpose of.
        output_padding: how much longer the result is than the shortest that the convolution makes this of.

    Returns:
        (samples, channels out, length out).

    Raises:
        UsageError: shapes do not go together, or an argument means nothing.

    Example:
        >>> import numpy as np
        >>> conv_transpose1d(np.array([[1.0, 2.0]]), np.array([[[1.0, 1.0]]]), stride=2)
        array([[1., 1., 2., 2.]])
    """
    return _transposed(1, x, w, b, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Array:
    """The transpose of `conv2d` with the same kernels. Arguments are those of `conv_transpose1d`, with two axes.

    Example:
        >>> import numpy as np
        >>> conv_transpose2d(np.ones((1, 2, 3, 3)), np.ones((2, 1, 2, 2)), stride=2).shape
        (1, 1, 6, 6)
    """
    return _transposed(2, x, w, b, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Array:
    """The transpose of `conv3d` with the same kernels. Arguments are those of `conv_transpose1d`, with three axes.

    Example:
        >>> import numpy as np
        >>> conv_transpose3d(np.ones((1, 1, 2, 2, 2)), np.ones((1, 1, 2, 2, 2))).shape
        (1, 1, 3, 3, 3)
    """
    return _transposed(3, x, w, b, stride, padding, output_padding, groups, dilation)


def _convolve(axes: int, x: Any, w: Any, b: Any, stride: Ints, padding: Padding, dilation: Ints, groups: int) -> Array:
    x, w, alone = _operands(axes, x, w)
    out = convolution.convolution(x, w, **_sliding(axes, w, stride, padding, dilation, groups))
    return _finish(out, b, alone)


def _transposed(
    axes: int, x: Any, w: Any, b: Any, stride: Ints, padding: Padding, longer: Ints, groups: int, dilation: Ints
) -> Array:
    x, w, alone = _operands(axes, x, w)
    sliding = _sliding(axes, w, stride, padding, dilation, groups)
    extra = for_each_axis(longer, axes, "output_padding", 0)
    if any(more >= step for more, step in zip(extra, sliding["strides"], strict=True)):
        raise UsageError(
            f"output_padding={longer!r} was given with stride={stride!r}; it is less than the step, since the "
            "convolution would make more of what is longer"
        )
    if x.shape[1] != w.shape[0]:
        raise UsageError(
            f"a transposed convolution of {x.shape[1]} channels with kernels of shape {tuple(w.shape)} was asked for; "
            "the kernels have the channels of the input first"
        )
    kernel = w.shape[2:]
    extents = tuple(
        (count - 1) * step - before - behind + inner * (size - 1) + more + 1
        for count, step, (before, behind), inner, size, more in zip(
            x.shape[2:], sliding["strides"], sliding["padding"], sliding["dilation"], kernel, extra, strict=True
        )
    )
    out = convolution.convolution_to_inputs(x, w, (x.shape[0], w.shape[1] * groups, *extents), **sliding)
    return _finish(out, b, alone)


def _operands(axes: int, x: Any, w: Any) -> tuple[Array, Array, bool]:
    x, w = as_array(x), as_array(w)
    if w.ndim != axes + 2 or x.ndim not in (axes + 1, axes + 2):
        raise UsageError(
            f"a convolution over {axes} axes was asked for of an input of {x.ndim} axes with kernels of {w.ndim}; the "
            f"input has {axes + 2} (samples, channels, ...) or {axes + 1}, the kernels {axes + 2} (channels out, "
            "channels in, ...)"
        )
    alone = x.ndim == axes + 1
    return x[None] if alone else x, w, alone


def _sliding(axes: int, w: Array, stride: Ints, padding: Padding, dilation: Ints, groups: int) -> dict[str, Any]:
    strides = for_each_axis(stride, axes, "stride")
    steps = for_each_axis(dilation, axes, "dilation")
    kernel = known(w.shape[2:], 'padding="same"') if padding == "same" else (1,) * axes
    return {
        "strides": strides,
        "padding": pads_of(padding, kernel, strides, steps),
        "dilation": steps,
        "groups": for_each_axis(groups, 1, "groups")[0],
    }


def _finish(out: Array, b: Any, alone: bool) -> Array:
    if b is not None:
        out = out + per_channel(b, out.ndim)
    return out[0] if alone else out
