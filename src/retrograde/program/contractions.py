"""Contractions of arrays with many axes as products of two matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_Letters = str


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """How a contraction of two arrays becomes a product of matrices.

    Attributes:
        groups: for each operand the letters that become one axis, in the order in which they stand.
        subscripts: of the product of the matrices.
        output: the letters of the result's axes.
    """

    groups: tuple[tuple[_Letters, ...], tuple[_Letters, ...]]
    subscripts: str
    output: _Letters


def matrix_product(subscripts: str) -> MatrixProduct | None:
    """A contraction as a product of two matrices, if that takes reshaping only; None if it does not, or is one already.

    Example:
        >>> matrix_product("abcd,de->abce").subscripts
        'xz,zy->xy'
        >>> matrix_product("abcd,abce->de").subscripts
        'zx,zy->xy'
        >>> matrix_product("ab,bc->ac") is None  # It is one.
        True
        >>> matrix_product("abc,acd->abd") is None  # There are many of them.
        True
    """
    inputs, output = subscripts.split("->")
    parts = inputs.split(",")
    if len(parts) != 2 or any(len(set(part)) < len(part) for part in (*parts, output)):
        return None
    one, other = parts
    summed = _in_order(one, lambda letter: letter in other and letter not in output)
    left, right = (_in_order(part, lambda letter: letter in output) for part in parts)
    if not summed or not left or not right or max(map(len, (summed, left, right))) < 2:
        return None
    known = {one: (left, summed), other: (right, summed)}
    made = {left + right: "xy", right + left: "yx"}.get(output)
    if made is None or any(part not in ("".join(pair), "".join(pair[::-1])) for part, pair in known.items()):
        return None
    names = {left: "x", right: "y", summed: "z"}
    groups = tuple(pair if part == "".join(pair) else pair[::-1] for part, pair in known.items())
    inside = ",".join("".join(names[group] for group in pair) for pair in groups)
    return MatrixProduct((groups[0], groups[1]), f"{inside}->{made}", output)


def _in_order(letters: _Letters, chosen: Callable[[str], bool]) -> _Letters:
    return "".join(filter(chosen, letters))
