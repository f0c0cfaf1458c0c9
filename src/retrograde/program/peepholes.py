"""What single instructions can be replaced by: other operands, or a shorter instruction. No value changes its bits,
but that a sum with 0 may lose the sign of a zero where cotangents are carried back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrograde.program.contractions import MatrixProduct, matrix_product
from retrograde.program.extents import Extents, operand_key
from retrograde.program.kinds import as_tuple, is_integer, is_slice
from retrograde.program.model import Instruction, Variable, variables_in
from retrograde.program.types import ArrayType, same_sizes, type_of


@dataclass(frozen=True, slots=True)
class Replaced:
    """An instruction's result is this operand."""

    by: Any


@dataclass(frozen=True, slots=True)
class Made:
    """An operand that an instruction in front makes: `array[:, None]`."""

    primitive: str
    operands: tuple[Any, ...]
    static: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An instruction is to be one of another primitive, or on other operands, some of which are made in front."""

    primitive: str
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A version of an array is of no use, since the instruction writes over what it wrote: take the one before."""

    version: Variable
    by: Any


_ANY = object()
Outcome = Replaced | Rewritten | Overwritten | None


class Peephole:
    """Looks at one instruction and at those that made its operands.

    Args:
        maker_of: the instruction that sets a variable, if it is known.
        uses: how often each variable is used.
        apart: whether two indices certainly pick no element both of an array of a type, where the instruction is.
        extents: of the program.
        before_loop: what a carried array is before its loop, if that does not write where an index picks.
        spreads: make outer products multiplications of arrays with new axes, and contractions of arrays with many axes
            products of matrices.
    """

    def __init__(
        self,
        maker_of: Callable[[Variable], Instruction | None],
        uses: dict[Variable, int],
        apart: Callable[[Any, Any, Any], bool],
        extents: Extents,
        before_loop: Callable[[Variable, Any], Variable | None],
        spreads: bool,
    ) -> None:
        self._spreads = spreads
        self._before_loop = before_loop
        self._maker_of = maker_of
        self._extents = extents
        self._uses = uses
        self._apart = apart
        self._rules: dict[str, Callable[[Instruction], Outcome]] = {
            "add": self._add,
            "subtract": self._subtract,
            "multiply": self._multiply,
            "divide": self._divide,
            "negative": self._negative,
            "einsum": self._einsum,
            "getitem": self._getitem,
            "scatter": self._scatter,
            "size": self._size,
            "update": self._update,
            "add_at": self._add_at,
            "broadcast_to": self._shaped,
            "sum_to": self._shaped,
            "reshape": self._shaped,
            "astype": self._astype,
        }

    def outcome(self, instruction: Instruction) -> Outcome:
        """What to make of an instruction; None to leave it."""
        if instruction.primitive.name in _FOLDED and not any(True for _ in variables_in(instruction.operands)):
            return _folded(instruction)
        rule = self._rules.get(instruction.primitive.name)
        return None if rule is None else rule(instruction)

    def _made_by(self, operand: Any, name: str) -> Instruction | None:
        maker = self._maker_of(operand) if isinstance(operand, Variable) else None
        return maker if maker is not None and maker.primitive.name == name else None

    def _add(self, instruction: Instruction) -> Outcome:
        one, other = instruction.operands
        exact = not instruction.results[0].type.differentiable or _reverses(instruction)
        for part, rest in ((one, other), (other, one)):
            if exact and _is_number(part, 0) and _is_as(rest, instruction):
                return Replaced(rest)
        negated = self._made_by(other, "negative")
        if negated is not None:
            return Rewritten("subtract", (one, negated.operands[0]))
        return None

    def _subtract(self, instruction: Instruction) -> Outcome:
        one, other = instruction.operands
        if _is_number(other, 0) and not np.signbit(other) and _is_as(one, instruction):
            return Replaced(one)
        negated = self._made_by(other, "negative")
        return None if negated is None else Rewritten("add", (one, negated.operands[0]))

    def _multiply(self, instruction: Instruction) -> Outcome:
        one, other = instruction.operands
        for part, rest in ((one, other), (other, one)):
            if _is_number(part, 1) and _is_as(rest, instruction):
                return Replaced(rest)
        return None

    def _divide(self, instruction: Instruction) -> Outcome:
        one, other = instruction.operands
        return Replaced(one) if _is_number(other, 1) and _is_as(one, instruction) else None

    def _negative(self, instruction: Instruction) -> Outcome:
        negated = self._made_by(instruction.operands[0], "negative")
        return None if negated is None else Replaced(negated.operands[0])

    def _getitem(self, instruction: Instruction) -> Outcome:
        array, index = instruction.operands
        if not isinstance(array, Variable):
            return None
        if _picks_once(index):
            written = self._made_by(self._origin(array, index), "update")
            if written is not None and operand_key(written.operands[1]) == operand_key(index):
                value = _as_result(written.operands[2], instruction)
                if _is_as(value, instruction):
                    return Replaced(value)
        taken = self._made_by(array, "getitem")
        if taken is not None:
            together = _composed(taken.operands[1], index)
            if together is not None:
                return Rewritten("getitem", (taken.operands[0], together))
        return None

    def _einsum(self, instruction: Instruction) -> Outcome:
        """A number times an array, and products of elements, are multiplications."""
        subscripts: str = instruction.static["subscripts"]
        product = matrix_product(subscripts) if self._spreads else None
        if product is not None:
            return _as_matrices(instruction.operands, subscripts, product)
        inputs, output = subscripts.split("->")
        parts = inputs.split(",")
        if len(parts) != 2 or not set(output) <= set("".join(parts)) or len(set(output)) != len(output):
            return None
        if any("".join(letter for letter in output if letter in part) != part for part in parts):
            return None
        if "" not in parts and not self._spreads and parts != [output, output]:
            return None
        operands = zip(instruction.operands, parts, strict=True)
        return Rewritten("multiply", tuple(_spread(operand, letters, output) for operand, letters in operands))

    def _scatter(self, instruction: Instruction) -> Outcome:
        """What is scattered everywhere is turned around, or loses axes of size 1."""
        array, index, _ = instruction.operands
        parts = as_tuple(index)
        if not isinstance(array, Variable) or not all(part is None or _is_everything(part) for part in parts):
            return None
        kept = [0 if part is None else part for part in parts]
        while kept and is_slice(kept[-1]) and kept[-1].step is None:
            kept.pop()
        return Rewritten("getitem", (array, tuple(kept))) if kept else Replaced(array)

    def _update(self, instruction: Instruction) -> Outcome:
        array, index, value = instruction.operands
        key = operand_key(index)
        read = self._made_by(value, "getitem")
        if read is not None and operand_key(read.operands[1]) == key and _picks_once(index):
            origin = read.operands[0]
            if self._without_writes(array, index, origin) is origin:
                return Replaced(array)
        written = self._without_writes(array, index, None)
        before = self._made_by(written, "update") or self._made_by(written, "add_at")
        if before is not None and self._uses.get(written) == 1 and operand_key(before.operands[1]) == key:
            return Overwritten(written, before.operands[0])
        return None

    def _add_at(self, instruction: Instruction) -> Outcome:
        array, index, value = instruction.operands
        if _is_number(value, 0):
            return Replaced(array) if isinstance(array, Variable) else None
        if not _picks_once(index) or not _reverses(instruction) or not isinstance(value, Variable):
            return None
        before = self._made_by(self._without_writes(array, index, None), "update")
        if before is None or not _is_number(before.operands[2], 0) or not value.type.differentiable:
            return None
        if self._uses.get(before.results[0]) == 1 and operand_key(before.operands[1]) == operand_key(index):
            return Rewritten("update", (array, index, value))
        return None

    def _origin(self, array: Any, index: Any) -> Any:
        """The version of an array that last changed what an index picks, as far as it can be followed."""
        while isinstance(array, Variable):
            version = self._without_writes(array, index, _ANY)
            before = self._before_loop(version, index)
            if before is None:
                return version
            array = before
        return array

    def _without_writes(self, array: Any, index: Any, until: Any) -> Any:
        """An array before the writes to other places than an index picks, or a version before that is looked for.

        Where None is looked for, versions that others use as well are not passed.
        """
        while isinstance(array, Variable) and array is not until:
            maker = self._made_by(array, "add_at") or self._made_by(array, "update")
            if maker is None or (until is None and self._uses.get(array) != 1):
                break
            if not self._apart(index, maker.operands[1], array.type):
                break
            array = maker.operands[0]
        return array

    def _shaped(self, instruction: Instruction) -> Outcome:
        array, shape = instruction.operands
        if isinstance(array, Variable) and self._extents.has_shape(array, as_tuple(shape)):
            return Replaced(array)
        before = self._made_by(array, "reshape") if instruction.primitive.name == "reshape" else None
        return None if before is None else Rewritten("reshape", (before.operands[0], shape))

    def _size(self, instruction: Instruction) -> Outcome:
        """A size is what was asked for when the array was made, or that of the array before it was written."""
        array, axis = instruction.operands[0], instruction.static["axis"]
        written = self._made_by(array, "update") or self._made_by(array, "add_at")
        if written is not None:
            return Rewritten("size", (written.operands[0],)) if isinstance(written.operands[0], Variable) else None
        shaped = self._made_by(array, "reshape") or self._made_by(array, "broadcast_to")
        part = None if shaped is None else as_tuple(shaped.operands[1])[axis]
        if instruction.static["offset"] or part is None or (is_integer(part) and part < 0):
            return None
        return Replaced(part if isinstance(part, Variable) else np.int64(part))

    def _astype(self, instruction: Instruction) -> Outcome:
        array = instruction.operands[0]
        if isinstance(array, Variable) and isinstance(array.type, ArrayType) and _is_as(array, instruction):
            return Replaced(array)
        return None


_FOLDED = frozenset({"add", "subtract", "multiply", "divide", "negative", "floor_divide", "remainder"})


def _folded(instruction: Instruction) -> Outcome:
    """The number that arithmetic on numbers gives, unless it is to warn in every run."""
    kind = instruction.results[0].type
    if not isinstance(kind, ArrayType) or kind.rank:
        return None
    try:
        with np.errstate(all="raise"):
            number = instruction.primitive.evaluate(*instruction.operands)
    except (ArithmeticError, ValueError):
        return None
    return Replaced(kind.dtype.type(number))


def _reverses(instruction: Instruction) -> bool:
    return instruction.place is not None and instruction.place.reverses


def _is_number(operand: Any, number: int) -> bool:
    return not isinstance(operand, Variable) and np.ndim(operand) == 0 and bool(operand == number)


def _is_as(operand: Any, instruction: Instruction) -> bool:
    """Whether an operand certainly has the dtype and shape of a result."""
    kind = instruction.results[0].type
    if not isinstance(kind, ArrayType):
        return False
    if isinstance(operand, Variable):
        known = operand.type
        return isinstance(known, ArrayType) and known.dtype == kind.dtype and same_sizes(known, kind)
    return isinstance(operand, np.generic) and type_of(operand) == kind


def _spread(operand: Any, letters: str, output: str) -> Any:
    """An operand of a product with an axis of size 1 for each letter that it does not have."""
    index = tuple(slice(None) if letter in letters else None for letter in output)
    while index and index[0] is None:
        index = index[1:]
    return Made("getitem", (operand, index)) if None in index else operand


def _as_matrices(operands: tuple[Any, ...], subscripts: str, product: MatrixProduct) -> Rewritten:
    """Operands with groups of axes as one, the product of the matrices, and its axes apart again."""
    sizes: dict[str, Any] = {}
    for operand, letters in zip(operands, subscripts.split("->")[0].split(","), strict=True):
        for axis, letter in enumerate(letters):
            kind = operand.type if isinstance(operand, Variable) else type_of(operand)
            known = kind.sizes[axis] if isinstance(kind, ArrayType) else None
            if not isinstance(known, int):
                sizes[letter] = Made("size", (operand,), {"axis": axis, "offset": 0})
            elif known != 1 or letter not in sizes:
                sizes[letter] = known
    factors: list[Any] = []
    for operand, groups, turned in zip(operands, product.groups, product.turned, strict=True):
        apart = max(map(len, groups)) > 1
        matrix = Made("reshape", (operand, tuple(_length(group, sizes) for group in groups))) if apart else operand
        factors.append(Made("transpose", (matrix,), {"axes": (1, 0)}) if turned != product.swapped else matrix)
    ordered = tuple(factors[::-1] if product.swapped else factors)
    if all(len(group) == 1 for groups in product.groups for group in groups):
        return Rewritten("matmul", ordered)
    return Rewritten("reshape", (Made("matmul", ordered), tuple(sizes[letter] for letter in product.output)))


def _length(letters: str, sizes: dict[str, Any]) -> Any:
    length = sizes[letters[0]]
    for letter in letters[1:]:
        length = Made("multiply", (length, sizes[letter]))
    return length


def _is_everything(part: Any) -> bool:
    """Whether a part of an index is a slice of the whole axis, in either direction."""
    return is_slice(part) and part.start is None and part.stop is None and part.step in (None, -1)


def _as_result(value: Any, instruction: Instruction) -> Any:
    """A number in the dtype of a result that is one."""
    kind = instruction.results[0].type
    if isinstance(value, (int, float)) and isinstance(kind, ArrayType) and not kind.rank:
        return kind.dtype.type(value)
    return value


def _picks_once(index: Any) -> bool:
    return all(part is None or part is Ellipsis or is_slice(part) or _is_integer(part) for part in as_tuple(index))


def _is_integer(part: Any) -> bool:
    if isinstance(part, Variable):
        return isinstance(part.type, ArrayType) and not part.type.rank and part.type.dtype.kind in "iu"
    return is_integer(part)


def _composed(first: Any, second: Any) -> tuple[Any, ...] | None:
    """One index for an index of what an index picks; None where it takes more than putting them in a row."""
    before, behind = as_tuple(first), list(as_tuple(second))
    plain = all(_is_integer(part) or is_slice(part) for part in (*before, *behind))
    if not plain or any(is_slice(part) and part != slice(None) for part in before):
        return None
    together = [part if _is_integer(part) or not behind else behind.pop(0) for part in before]
    return (*together, *behind)
