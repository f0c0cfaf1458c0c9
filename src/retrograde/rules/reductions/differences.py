"""Differences of neighbours, and the derivatives and integrals of samples that are made of them."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.reductions.axes import along, axes_of
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.reshaping import broadcast_to
from retrograde.rules.shapes.sizes import known_values


@spells(np.diff)
def _diff(a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    if n < 0:
        raise ValueError(f"a difference of order {n} was asked for; orders begin at 0")
    a = as_array(a)
    axis = normalize_axis_index(axis, a.ndim)
    parts = [_slab(prepend, a, axis), [a], _slab(append, a, axis)]
    a = np.concatenate(tuple(part for some in parts for part in some), axis=axis) if any(parts[::2]) else a
    for _ in range(n):
        a = a[along(axis, slice(1, None))] - a[along(axis, slice(None, -1))]
    return a


def _slab(edge: Any, a: Array, axis: int) -> list[Array]:
    if edge is None:
        return []
    shape = tuple(1 if at == axis else extent for at, extent in enumerate(np.shape(a)))
    return [edge if np.ndim(edge) else broadcast_to(edge if hasattr(edge, "dtype") else np.asarray(edge), shape)]


@spells(np.ediff1d)
def _ediff1d(ary: Array, to_end: Any = None, to_begin: Any = None) -> Array:
    apart = np.diff(np.ravel(ary))
    parts = [part for part in (to_begin, apart, to_end) if part is not None]
    return np.concatenate(tuple(np.ravel(part) for part in parts)) if len(parts) > 1 else apart


@spells(np.trapezoid)
def _trapezoid(y: Array, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    y = as_array(y)
    axis = normalize_axis_index(axis, y.ndim)
    if x is None:
        width = dx
    elif np.ndim(x) == 1:
        width = np.reshape(np.diff(x), tuple(-1 if at == axis else 1 for at in range(y.ndim)))
    else:
        width = np.diff(x, axis=axis)
    heights = y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]
    return np.sum(width * heights / 2.0, axis=axis)


@spells(np.gradient)
def _gradient(f: Array, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = f if hasattr(f, "dtype") else np.asarray(f, float)
    axes = axes_of(f, axis)
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 != len(axes) and np.ndim(varargs[0])):
        raise TypeError(f"{len(varargs)} spacings were given for a gradient along {len(axes)} axes; give one for each")
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order={edge_order} was asked for; it is 1 or 2")
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    out = tuple(_along_axis(f, spacing, at, edge_order) for spacing, at in zip(spacings, axes, strict=True))
    return out[0] if len(out) == 1 else out


def _along_axis(f: Array, spacing: Any, axis: int, edge_order: int) -> Array:
    """Central differences inside and one-sided ones at the ends, exact for polynomials of degree 2 (1 at the ends)."""

    def at(start: int | None, stop: int | None) -> Array:
        return f[along(axis, slice(start, stop))]

    if np.ndim(spacing) == 0:
        inside = (at(2, None) - at(None, -2)) / (2.0 * spacing)
        steps = (spacing,) * 4
    else:
        widths = np.diff(spacing)
        shaped = np.reshape(widths, tuple(-1 if place == axis else 1 for place in range(f.ndim)))
        before, after = shaped[along(axis, slice(None, -1))], shaped[along(axis, slice(1, None))]
        inside = (
            -after / (before * (before + after)) * at(None, -2)
            + (after - before) / (before * after) * at(1, -1)
            + before / (after * (before + after)) * at(2, None)
        )
        steps = (widths[0], widths[1 if edge_order == 2 else 0], widths[-1], widths[-2 if edge_order == 2 else -1])
    if edge_order == 1:
        first, last = (at(1, 2) - at(0, 1)) / steps[0], (at(-1, None) - at(-2, -1)) / steps[2]
    else:
        first = _end(at(0, 1), at(1, 2), at(2, 3), steps[0], steps[1])
        last = -_end(at(-1, None), at(-2, -1), at(-3, -2), steps[2], steps[3])
    return np.concatenate((first, inside, last), axis=axis)


def _end(f0: Array, f1: Array, f2: Array, near: Any, far: Any) -> Array:
    """The derivative at f0 of the parabola through three samples, `near` and `far` being the distances between them."""
    both = near + far
    return -(near + both) / (near * both) * f0 + both / (near * far) * f1 - near / (far * both) * f2


@spells(np.unwrap)
def _unwrap(p: Array, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi) -> Array:
    """A whole number of periods is added to each value: constants."""
    values = known_values(p, "unwrap")
    return p + (np.unwrap(values, discont, axis, period=period) - values)
