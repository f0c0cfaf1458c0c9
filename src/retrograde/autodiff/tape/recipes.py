"""What recording an operation takes, worked out once for each primitive and each choice of tracked operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from retrograde.autodiff.cotangents import Scattered
from retrograde.autodiff.tape.kept import borrowed
from retrograde.program.dispatch import Intercepting
from retrograde.program.ownership import ALONE, getrefcount, is_writable
from retrograde.program.primitive import Primitive, Rule

Kept: TypeAlias = tuple[Any, ...]


class Recipe:
    """How to record one operation, and to pull a cotangent back through it.

    Attributes:
        keep: from operands, result and static parameters to the residuals: what the rules name, each once, and no more.
        pulls: for each tracked operand, in order, what makes its cotangent from that of the result (in a list, whose
            only item it is) and the residuals; None where the primitive has no derivative.
        last: of the pull that may overwrite the cotangent, its place among them in the order of operands: it goes last.
        reads: the names of the residuals, in order.
        places: of each residual that is an operand, its position; of one that is the result, -1; None of another.
    """

    __slots__ = ("keep", "last", "places", "pulls", "reads")

    def __init__(self, primitive: Primitive, tracked: tuple[int, ...]) -> None:
        names = primitive.names(max(tracked) + 1)
        rules = [primitive.reverse.get(names[position]) for position in tracked]
        self.reads = tuple(dict.fromkeys(name for rule in rules if rule for name in rule.reads if name != "at"))
        self.places = tuple(_place(primitive, name) for name in self.reads)
        plain = tuple(at for at, place in enumerate(self.places) if place not in (None, -1, *tracked))
        self.keep = _keeper(primitive, self.reads, plain)
        self.last = next((at for at, rule in enumerate(rules) if rule and rule.overwriting), None)
        pulls = [
            rule and _puller(primitive, rule, self.reads, position, may_overwrite=at == self.last)
            for at, (rule, position) in enumerate(zip(rules, tracked, strict=True))
        ]
        if self.last is not None:
            pulls.append(pulls.pop(self.last))
        self.pulls = tuple(pulls)


def recipe_of(primitive: Primitive, mask: int) -> Recipe | None:
    """The recipe for the tracked operands that the bits of the mask say; None where none of them has a derivative."""
    tracked = tuple(position for position in range(mask.bit_length()) if mask >> position & 1)
    names = primitive.names(mask.bit_length())
    recipe = Recipe(primitive, tracked) if any(names[position] in primitive.reverse for position in tracked) else None
    primitive.recipes[mask] = recipe
    return recipe


def reading(primitive: Primitive, name: str) -> str:
    """Where a name that a rule reads comes from, as an expression over `operands`, `out` and `static`."""
    if name == "out":
        return "out"
    if name in primitive.outputs:
        return f"out[{primitive.outputs.index(name)}]"
    if name in primitive.static:
        return f"static[{name!r}]"
    if primitive.variadic:
        return "tuple(map(shape, operands))" if name.endswith("_shape") else "tuple(operands)"
    if name in primitive.operands:
        return f"operands[{primitive.operands.index(name)}]"
    return f"shape(operands[{primitive.operands.index(name.removesuffix('_shape'))}])"


def _place(primitive: Primitive, name: str) -> int | None:
    if name == "out":
        return -1
    return primitive.operands.index(name) if name in primitive.operands and not primitive.variadic else None


# These functions run once for each recorded operation. Written out and compiled they take a third of the time that a
# loop over getters takes.


def _keeper(primitive: Primitive, reads: tuple[str, ...], plain: tuple[int, ...]) -> Callable[..., Kept] | None:
    """What keeps the residuals; those at the places `plain` may be arrays of the caller's."""
    if not reads:
        return None
    found = [reading(primitive, name) for name in reads]
    values = f"({''.join(f'{value}, ' for value in found)})"
    if plain:
        others = " and ".join(f"type({found[at]}) not in _ARRAYS" for at in plain)
        values = f"{values} if {others} else borrowed({values}, {plain})"
    names = {"shape": np.shape, "_ARRAYS": (np.ndarray, tuple), "borrowed": borrowed}
    return eval(f"lambda operands, out, static: {values}", names)


def _puller(
    primitive: Primitive, rule: Rule, reads: tuple[str, ...], position: int, *, may_overwrite: bool
) -> Callable[[list[Any], Kept], Any]:
    read = {name: f"kept[{at}]" for at, name in enumerate(reads)} | {"at": str(position)}
    names: dict[str, Any] = {"rule": rule.function, "overwriting": rule.overwriting, "Scattered": Scattered}
    names |= {"getrefcount": getrefcount, "ALONE": ALONE, "is_writable": is_writable, "Intercepting": Intercepting}
    function = "rule"
    if rule.scatters:
        function = "Scattered"
    elif may_overwrite:
        # NumPy rounds the products of complex numbers differently where they go into the memory of a factor.
        alike = " and held[0].dtype.kind != 'c'"
        alike += "".join(f" and not isinstance({read[name]}, Intercepting)" for name in rule.reads)
        function = f"(overwriting if getrefcount(held[0]) == ALONE and is_writable(held[0]){alike} else rule)"
    cotangent = "held[0].parts" if primitive.outputs else "held[0]"
    return eval(f"lambda held, kept: {function}({', '.join((cotangent, *map(read.__getitem__, rule.reads)))})", names)
