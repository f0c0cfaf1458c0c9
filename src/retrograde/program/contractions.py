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
        turned: for each operand whether its matrix is transposed, as a factor in the order of the operands.
        swapped: whether the second operand is the first factor; then both are transposed once more.
        output: the letters of the result's axes.
    """

    groups: tuple[tuple[_Letters, ...], tuple[_Letters, ...]]
    turned: tuple[bool, bool]
    swapped: bool
    output: _Letters


def matrix_product(subscripts: str) -> MatrixProduct | None:
    """A contraction as a product of two matrices, if that takes no more than reshaping and transposing them.

    Example:
        >>> matrix_product("abcd,de->abce").groups
        (('abc', 'd'), ('d', 'e'))
        >>> matrix_product("abcd,abce->de").turned
        (True, False)
        >>> matrix_product("bc,ab->ac").swapped
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
    if not summed or not left or not right or output not in (left + right, right + left):
        return None
    if one not in (left + summed, summed + left) or other not in (summed + right, right + summed):
        return None
    first = (left, summed) if one == left + summed else (summed, left)
    second = (summed, right) if other == summed + right else (right, summed)
    return MatrixProduct((first, second), (first[0] == summed, second[0] == right), output != left + right, output)


def _in_order(letters: _Letters, chosen: Callable[[str], bool]) -> _Letters:
    return "".join(filter(chosen, letters))
