"""numpy.einsum: any number of operands, brought down to diagonals, sums and contractions of two."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.contraction.matmul import as_array, einsum, letters

_Labels = tuple[Any, ...]
_Operand = tuple[Any, str]
_UNKNOWN_SIZE = 64


@spells(np.einsum)
def _einsum(*arguments: Any, optimize: Any = "auto", dtype: Any = None) -> Array:
    if len(arguments) == 3 and isinstance(arguments[0], str) and dtype is None:
        _, x, y = arguments
        shapes = np.shape(x), np.shape(y)
        # The shape of a symbol has symbols, which are nothing to remember.
        pair = None if any(isinstance(part, ArrayLike) for part in chain(*shapes)) else _pair(arguments[0], *shapes)
        if pair is not None:
            return einsum(as_array(x), as_array(y), subscripts=pair)
    arrays, inputs, output = _parsed(arguments)
    if dtype is not None:
        arrays = [array.astype(dtype) for array in arrays]
    names, out = _named(*_without_ellipsis(arrays, inputs, output))
    operands = [_with_diagonals(array, name) for array, name in zip(arrays, names, strict=True)]
    operands = _with_sums(_without_stretching(operands), out)
    for group in _path(operands, out, optimize):
        picked = [operands[at] for at in group]
        operands = [operand for at, operand in enumerate(operands) if at not in group]
        while len(picked) > 1:
            rest = [name for _, name in (*operands, *picked[2:])]
            picked = [_contracted(picked[0], picked[1], out, rest), *picked[2:]]
        operands += picked
    ((result, name),) = operands
    return result if len(arrays) > 1 else np.transpose(result, [name.index(label) for label in out])


@lru_cache(4096)
def _pair(subscripts: str, *shapes: tuple[Any, ...]) -> str | None:
    """The contraction that an einsum of two arrays of these shapes is, if it takes nothing else."""
    inputs, output = _split(subscripts)
    if len(inputs) != 2:
        return None
    arrays = [np.broadcast_to(0.0, shape) for shape in shapes]
    names, out = _named(*_without_ellipsis(arrays, inputs, output))
    operands = list(zip(arrays, names, strict=True))
    counted = Counter("".join([*names, out]))
    alone = any(number == 1 for number in counted.values()) or any(len(set(name)) < len(name) for name in names)
    if alone or [name for _, name in _without_stretching(operands)] != names:
        return None
    return f"{names[0]},{names[1]}->{out}"


def _parsed(operands: tuple[Any, ...]) -> tuple[list[Any], list[_Labels], _Labels | None]:
    """The arrays, the labels of each, and those of the result if they are given, from either form of call."""
    if not operands or (not isinstance(operands[0], str) and len(operands) < 2):
        raise UsageError("einsum was called without operands; give subscripts and arrays")
    if isinstance(operands[0], str):
        inputs, output = _split(operands[0])
        arrays = operands[1:]
    else:
        count = len(operands) // 2
        arrays, inputs = operands[: 2 * count : 2], [tuple(labels) for labels in operands[1 : 2 * count : 2]]
        output = tuple(operands[-1]) if len(operands) % 2 else None
    if len(arrays) != len(inputs):
        raise UsageError(f"einsum {operands[0]!r} has {len(inputs)} terms, and {len(arrays)} arrays were given")
    return [as_array(array) for array in arrays], inputs, output


@lru_cache(4096)
def _split(subscripts: str) -> tuple[list[_Labels], _Labels | None]:
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    return [_term(term, subscripts) for term in left.split(",")], _term(right, subscripts) if arrow else None


def _term(text: str, subscripts: str) -> _Labels:
    before, dots, after = text.partition("...")
    if not all(label.isalpha() for label in before + after):
        raise UsageError(
            f"einsum cannot read {text!r} in {subscripts!r}; a term has letters, and `...` once, and `->` is "
            "before the last term only"
        )
    return (*before, *([Ellipsis] if dots else []), *after)


def _without_ellipsis(
    arrays: list[Any], inputs: list[_Labels], output: _Labels | None
) -> tuple[list[_Labels], _Labels]:
    """Labels for the axes that `...` stands for, counted from the right."""
    widths: list[int] = []
    for array, labels in zip(arrays, inputs, strict=True):
        named = sum(label is not Ellipsis for label in labels)
        width = array.ndim - named
        if width < 0 or (width and Ellipsis not in labels):
            raise UsageError(
                f"einsum was given {named} labels for an array with {array.ndim} axes; name each axis, or write `...` "
                "for the others"
            )
        widths.append(width)
    widest = max(widths)
    if output is None:
        counted = Counter(label for labels in inputs for label in labels if label is not Ellipsis)
        output = (Ellipsis, *sorted(label for label, number in counted.items() if number == 1))
    elif widest and Ellipsis not in output:
        raise UsageError("einsum was given `...` for some axes and none in the result; write `...` behind `->`, too")
    terms = [_expanded(labels, width) for labels, width in zip(inputs, widths, strict=True)]
    out = _expanded(output, widest)
    known = {label for term in terms for label in term}
    if len(set(out)) < len(out) or not known.issuperset(out):
        raise UsageError(
            f"einsum was asked for a result with the labels {list(out)}; each is there once, and in an operand, too"
        )
    return terms, out


def _expanded(labels: _Labels, width: int) -> _Labels:
    if Ellipsis not in labels:
        return labels
    at = labels.index(Ellipsis)
    return (*labels[:at], *((Ellipsis, place) for place in reversed(range(width))), *labels[at + 1 :])


def _named(terms: list[_Labels], out: _Labels) -> tuple[list[str], str]:
    """The same with a letter for each label."""
    found = dict.fromkeys(label for term in terms for label in term)
    names = dict(zip(found, letters(len(found)), strict=True))
    return ["".join(names[label] for label in term) for term in terms], "".join(names[label] for label in out)


def _with_diagonals(array: Any, term: str) -> _Operand:
    """An operand with one axis for each label: a label that it has twice takes the diagonal."""
    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            extents = array.shape[first], array.shape[second]
            if all(map(_is_known, extents)) and extents[0] != extents[1]:
                raise UsageError(
                    f"einsum was asked for the diagonal of axes of sizes {extents[0]} and {extents[1]}; axes that have "
                    "one label in one operand are of one size"
                )
            array = np.diagonal(array, axis1=first, axis2=second)
            term = "".join(name for at, name in enumerate(term) if at not in (first, second)) + label
    return array, term


def _is_known(extent: Any) -> bool:
    return not isinstance(extent, ArrayLike)


def _without_stretching(operands: list[_Operand]) -> list[_Operand]:
    """Without the axes of size 1 that others of the same label would be broadcast against."""
    known = [
        (label, extent)
        for array, name in operands
        for label, extent in zip(name, array.shape, strict=True)
        if _is_known(extent)
    ]
    wide = {label for label, extent in known if extent != 1}
    narrow = {label for label, extent in known if extent == 1} & wide
    return [_squeezed(operand, narrow) for operand in operands] if narrow else operands


def _squeezed(operand: _Operand, narrow: set[str]) -> _Operand:
    array, name = operand
    dropped = [
        label in narrow and _is_known(extent) and extent == 1 for label, extent in zip(name, array.shape, strict=True)
    ]
    array = array[tuple(0 if drop else slice(None) for drop in dropped)] if any(dropped) else array
    return array, "".join(label for label, drop in zip(name, dropped, strict=True) if not drop)


def _with_sums(operands: list[_Operand], out: str) -> list[_Operand]:
    """With the axes summed over that only one operand has."""
    counted = Counter("".join([*(name for _, name in operands), out]))
    return [_summed(operand, "".join(label for label in operand[1] if counted[label] == 1)) for operand in operands]


def _summed(operand: _Operand, labels: str) -> _Operand:
    array, name = operand
    if not labels:
        return operand
    return np.sum(array, axis=tuple(map(name.index, labels))), "".join(label for label in name if label not in labels)


def _path(operands: list[_Operand], out: str, optimize: Any) -> Sequence[Sequence[int]]:
    """Which operands are contracted together, step by step; the result of a step goes to the end."""
    if len(operands) < 3:
        return [tuple(range(len(operands)))]
    if isinstance(optimize, (list, tuple)):
        steps: list[Any] = list(optimize)  # pyright: ignore[reportUnknownArgumentType]
        if steps[0] == "einsum_path":
            return steps[1:]
        optimize = steps[0] if isinstance(steps[0], str) else steps
    if isinstance(optimize, list):
        return optimize  # pyright: ignore[reportUnknownVariableType]
    subscripts = f"{','.join(name for _, name in operands)}->{out}"
    known = {
        label: int(extent)
        for array, name in operands
        for label, extent in zip(name, array.shape, strict=True)
        if _is_known(extent)
    }
    shapes = tuple(tuple(known.get(label, _UNKNOWN_SIZE) for label in name) for _, name in operands)
    return _found_path(subscripts, shapes, optimize if isinstance(optimize, str) else "auto")


@lru_cache(1024)
def _found_path(subscripts: str, shapes: tuple[tuple[int, ...], ...], strategy: str) -> Sequence[Sequence[int]]:
    from opt_einsum import contract_path

    kind: Any = strategy
    path: Any = contract_path(subscripts, *shapes, shapes=True, optimize=kind)[0]
    return path


def _contracted(one: _Operand, other: _Operand, out: str, rest: Sequence[str]) -> _Operand:
    """Two operands as one: with the labels that the result or another operand has."""
    (x, x_term), (y, y_term) = one, other
    if not rest:
        term = out
    else:
        kept = [label for label in dict.fromkeys(x_term + y_term) if label in out or any(label in t for t in rest)]
        term = "".join(sorted(kept, key=lambda label: not (label in x_term and label in y_term)))
    return einsum(x, y, subscripts=f"{x_term},{y_term}->{term}"), term
