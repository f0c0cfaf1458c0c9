"""Which names stand for numbers for certain: of an array without axes, `x += 1` would write the array."""

from __future__ import annotations

from retrograde.program.kinds import as_tuple
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Bind, Entry, Expression, Name, Procedure
from retrograde.python.lowering.places import walk
from retrograde.python.text.spellings import REDUCTIONS, numpy_name

_NUMBERS = frozenset({"size", *REDUCTIONS})


def numbers_of(procedure: Procedure) -> frozenset[Name]:
    """The names that stand for numbers wherever they are set; no parameters, for which anything may be given."""
    values: dict[Name, list[Expression]] = {}
    for action in walk(procedure.actions):
        if isinstance(action, Bind):
            for target in action.targets:
                values.setdefault(target, []).append(action.value if len(action.targets) == 1 else None)
    found = {name for name in values if _is_scalar(name) and name not in procedure.parameters}
    while lost := {name for name in found if not all(_is_number(value, found) for value in values[name])}:
        found -= lost
    return frozenset(found)


def _is_scalar(name: Name) -> bool:
    return isinstance(name.type, ArrayType) and not name.type.rank and name.type.dtype.kind in "ifc"


def _is_number(value: Expression, numbers: set[Name]) -> bool:
    if isinstance(value, Name):
        return value in numbers
    if isinstance(value, Entry):
        return False
    if not isinstance(value, Apply):
        return value is not None and not getattr(value, "shape", ())
    if value.primitive.name == "getitem":
        index = value.operands[1]
        return all(part is not Ellipsis for part in as_tuple(index))
    # A ufunc makes numbers of arrays without axes.
    return value.primitive.name in _NUMBERS or (
        value.primitive.elementwise and numpy_name(value.primitive) not in _NOT_UFUNCS
    )


_NOT_UFUNCS = frozenset({None, "np.where", "np.real", "np.imag", "np.sinc", "np.i0"})
