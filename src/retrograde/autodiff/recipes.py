"""What recording an operation takes, worked out once for each primitive and each choice of tracked operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from retrograde.program.primitive import Primitive, Rule

Kept: TypeAlias = tuple[Any, ...]


class Recipe:
    """How to record one operation, and to pull a cotangent back through it.

    Attributes:
        keep: from operands, result and static parameters to the residuals: what the rules name, each once, and no more.
        pulls: for each tracked operand, in order, what makes its cotangent from that of the result and the residuals;
            None where the primitive has no derivative.
        reads: the names of the residuals, in order.
    """

    __slots__ = ("keep", "pulls", "reads")

    def __init__(self, primitive: Primitive, tracked: tuple[int, ...]) -> None:
        names = primitive.names(max(tracked) + 1)
        rules = [primitive.reverse.get(names[position]) for position in tracked]
        self.reads = tuple(dict.fromkeys(name for rule in rules if rule for name in rule.reads if name != "at"))
        self.keep = _keeper(primitive, self.reads)
        self.pulls = tuple(
            rule and _puller(primitive, rule, self.reads, position)
            for rule, position in zip(rules, tracked, strict=True)
        )


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


# These functions run once for each recorded operation. Written out and compiled they take a third of the time that a
# loop over getters takes.


def _keeper(primitive: Primitive, reads: tuple[str, ...]) -> Callable[..., Kept] | None:
    if not reads:
        return None
    values = "".join(f"{reading(primitive, name)}, " for name in reads)
    return eval(f"lambda operands, out, static: ({values})", {"shape": np.shape})


def _puller(primitive: Primitive, rule: Rule, reads: tuple[str, ...], position: int) -> Callable[[Any, Kept], Any]:
    arguments = "".join(f", {position if name == 'at' else f'kept[{reads.index(name)}]'}" for name in rule.reads)
    cotangent = "g.parts" if primitive.outputs else "g"
    return eval(f"lambda g, kept: rule({cotangent}{arguments})", {"rule": rule.function})
