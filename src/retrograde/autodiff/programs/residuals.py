"""Which values the loops of a program keep for their reverse, decided before it is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from retrograde.autodiff.programs.activity import active_operands
from retrograde.autodiff.programs.cutting import cheapest_cut
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.program.extents import Extents
from retrograde.program.integers import Integers
from retrograde.program.kinds import is_tuple
from retrograde.program.model import Block, Branch, Instruction, Loop, Place, Variable, map_operand, variables_in
from retrograde.program.primitive import PRIMITIVES, Primitive, Rule
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType, same_sizes
from retrograde.program.versions import Versions
from retrograde.rules.indexing.items import is_basic
from retrograde.rules.type_rules import indexed


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to compute a value once more.

    Attributes:
        primitive: to apply.
        operands: variables of the forward program, constants, tuples and slices of them.
        static: the primitive's Python constants.
        place: the line that is computed again; None where a value is only looked up where it still is.
    """

    primitive: Primitive
    operands: tuple[Any, ...]
    static: dict[str, Any]
    place: Place | None = None

    def is_whole(self) -> bool:
        """Whether the value is another one as it is."""
        return self.primitive is PRIMITIVES["getitem"] and is_tuple(self.operands[1]) and not self.operands[1]


class Residuals:
    """What each loop of a forward program keeps, and how its reverse gets what is not kept.

    Args:
        root: the forward program's block.
        active: the variables that a cotangent may come for.
        policy: what may be computed once more.
        least_size: what the program's named sizes are at least.

    Attributes:
        kept: the variables that loops collect, if some rule asks for them or for what is computed from them.
        planned: the variables of loops that it was decided about.
        extents: of the forward program.
    """

    def __init__(self, root: Block, active: set[Variable], policy: ResidualPolicy, least_size: int) -> None:
        self._structure = Structure(root)
        self._versions = Versions(self._structure, least_size)
        self._active = active
        self._policy = policy
        self.extents = Extents(self._structure, Integers(self._structure, least_size))
        self._recipes: dict[Variable, Recipe | None] = {}
        self._sizes: dict[Variable, list[Recipe]] = {}
        self.kept: set[Variable] = set()
        self.planned: set[Variable] = set()
        self._wanted(root)

    def recipe(self, variable: Variable) -> Recipe | None:
        """How to compute a value of a loop's body once more; None if it has to be kept."""
        if variable not in self._recipes:
            self._recipes[variable] = self._made(variable)
        return self._recipes[variable]

    def note_size(self, size: Variable, array: Variable, axis: int) -> None:
        """Take note of a size that was added to the forward program."""
        self._sizes[size] = [
            Recipe(PRIMITIVES["getitem"], (origin, ()), {})
            if at is None
            else Recipe(PRIMITIVES["size"], (origin,), {"axis": at, "offset": 0})
            for origin, at in sorted(self.extents.origins(array, axis), key=self._is_to_be_kept)
        ]

    def _is_to_be_kept(self, origin: tuple[Variable, int | None]) -> bool:
        """Whether reading an extent from an array takes more than a view of what is at hand."""
        loops = self._structure.loops_around(origin[0])
        return bool(loops) and not self._is_at_hand(origin[0], loops[-1])

    def recipes(self, variable: Variable) -> list[Recipe]:
        """The ways to compute a value once more."""
        if variable in self._sizes:
            return self._sizes[variable]
        recipe = self.recipe(variable)
        return [] if recipe is None else [recipe]

    def _made(self, variable: Variable) -> Recipe | None:
        maker = self._structure.instruction(variable)
        found = self._outside(variable)
        if found is not None or maker is None or maker.primitive.outputs or not self._policy.allows(maker):
            return found
        return Recipe(maker.primitive, maker.operands, maker.static, maker.place)

    def _still_there(self, variable: Variable, maker: Instruction | None) -> Recipe | None:
        """A value as a part of an array that is at hand further out and has not changed there."""
        block = self._structure.block(variable)
        if block is None:
            return None
        if maker is not None and maker.primitive is PRIMITIVES["getitem"] and isinstance(maker.operands[0], Variable):
            return self._part(maker.operands[0], maker.operands[1], block)
        if maker is None or isinstance(maker, Loop):
            return self._part(variable, (), block)
        return None

    def _written(self, variable: Variable, maker: Instruction | None) -> Recipe | None:
        """A value as the part of an array that it was written into."""
        block = self._structure.block(variable)
        if block is None or maker is None:
            return None
        for statement in block.statements:
            if isinstance(statement, Instruction) and statement.primitive is PRIMITIVES["update"]:
                version, index, value = statement.operands
                if value is variable and _fits(version, index, variable):
                    found = self._part(statement.results[0], index, block)
                    if found is not None:
                        return found
        return None

    def _part(self, version: Variable, index: Any, block: Block) -> Recipe | None:
        if not isinstance(version.type, ArrayType):
            return None
        own = len(self._structure.loops_around(version))
        for found in self._versions.still_there(version, index, block):
            around = len(self._structure.loops_around(found))
            # An array that is kept for every iteration of a loop around has to be worth it.
            if around < own and (not around or len(self._structure.loops(block)) - around >= version.type.rank):
                return Recipe(PRIMITIVES["getitem"], (found, index), {})
        return None

    def _wanted(self, block: Block) -> set[Variable]:
        """What the reverse of a block's statements reads of the forward program."""
        wanted: set[Variable] = set()
        for statement in block.statements:
            if isinstance(statement, Instruction):
                wanted.update(self._read_by_rules(statement))
            elif isinstance(statement, Loop):
                wanted.update(self._wanted_of_loop(statement))
            elif isinstance(statement, Branch):
                wanted.update(self._wanted_of_branch(statement))
        return wanted

    def _wanted_of_branch(self, branch: Branch) -> set[Variable]:
        sides = self._wanted(branch.then) | self._wanted(branch.otherwise)
        return sides | set(variables_in(branch.condition)) if sides or self._is_active(branch.results) else set()

    def _is_active(self, variables: Iterable[Variable]) -> bool:
        return not self._active.isdisjoint(variables)

    def _wanted_of_loop(self, loop: Loop) -> set[Variable]:
        inside = self._wanted(loop.body)
        around = self._choose(loop, {variable for variable in inside if self._is_of(variable, loop)})
        around |= {variable for variable in inside if not self._is_of(variable, loop)}
        if self._is_active(loop.results) or self._is_active(loop.carried):
            around.update(variables_in(loop.count if loop.condition is None else loop.results[0]))
        return around

    def _is_of(self, variable: Variable, loop: Loop) -> bool:
        return self._structure.loops_around(variable)[-1:] == (loop,)

    def _choose(self, loop: Loop, wanted: set[Variable]) -> set[Variable]:
        """Decide what a loop keeps for what is wanted of its body, and say what is read from around it."""
        made_of: dict[Variable, list[Variable]] = {}
        around: set[Variable] = set()
        costs: dict[Variable, int] = {}
        waiting = list(wanted)
        while waiting:
            variable = waiting.pop()
            if variable in costs:
                continue
            costs[variable] = self._policy.bytes_of(variable.type)
            parts = self._parts(variable, loop)
            if parts is not None:
                if self._policy.must_rebuild(variable):
                    costs[variable] *= 1 << 40
                made_of[variable] = [part for part in parts if self._is_of(part, loop)]
                waiting += made_of[variable]
        self.planned.update(costs)
        self.kept.update(cheapest_cut(costs, made_of, wanted))
        for variable in costs:
            if variable not in self.kept:
                around.update(part for part in self._parts(variable, loop) or () if not self._is_of(part, loop))
        return around

    def _parts(self, variable: Variable, loop: Loop) -> list[Variable] | None:
        """What a value of a loop's body can be computed from; None if it has to be kept."""
        if variable is loop.index or (loop.condition is not None and variable is loop.carried[0]):
            return []
        if variable in loop.elements:
            return list(variables_in(loop.consumed[loop.elements.index(variable)]))
        recipe = self.recipe(variable)
        return None if recipe is None else list(variables_in(recipe.operands))

    def _read_by_rules(self, instruction: Instruction) -> list[Variable]:
        if not self._is_active(instruction.results):
            return []
        found: list[Variable] = []
        for position, name, _ in active_operands(instruction, self._active):
            for read in self.rule(instruction, name, position).reads:
                found += _variables_read(instruction, read, position)
        return found

    def rule(self, instruction: Instruction, name: str, position: int) -> Rule:
        """The rule for an operand: of two, the one for which less has to be kept."""
        rule = instruction.primitive.reverse[name]
        if rule.instead is None:
            return rule
        return min((rule, rule.instead), key=lambda one: self._weight(instruction, one, position))

    def _weight(self, instruction: Instruction, rule: Rule, position: int) -> int:
        """How many of the values that a rule reads are set in a loop, and not to be found outside."""
        loops = self._structure.loops_around(instruction.results[0])
        reads = {variable for read in rule.reads for variable in _variables_read(instruction, read, position)}
        return sum(not self._is_at_hand(variable, loops[-1]) for variable in reads) if loops else 0

    def _is_at_hand(self, variable: Variable, loop: Loop) -> bool:
        """Whether a value need not be kept: it is from around the loop, or a part of what is there."""
        if not self._is_of(variable, loop) or variable is loop.index or variable in loop.elements:
            return True
        maker = self._structure.instruction(variable)
        found = self._outside(variable)
        if found is None and maker is not None and (maker.primitive.views is not None or _is_integer(variable)):
            found = self.recipe(variable)
        return found is not None and all(self._is_at_hand(part, loop) for part in variables_in(found.operands))

    def _outside(self, variable: Variable) -> Recipe | None:
        maker = self._structure.instruction(variable)
        return self._still_there(variable, maker) or self._written(variable, maker)


def _is_integer(variable: Variable) -> bool:
    kind = variable.type
    return isinstance(kind, ArrayType) and not kind.rank and kind.dtype.kind in "iu"


def _variables_read(instruction: Instruction, name: str, position: int) -> list[Variable]:
    """The variables that a rule reads under a name. Shapes are not among them: they are of little weight."""
    primitive = instruction.primitive
    results = primitive.outputs or ("out",)
    if name in results:
        return [instruction.results[results.index(name)]]
    if name not in primitive.operands:
        return []
    if primitive.variadic:
        return list(variables_in(instruction.operands))
    return list(variables_in(instruction.operands[primitive.operands.index(name)]))


def _fits(version: Variable, index: Any, value: Variable) -> bool:
    """Whether a value is written as it is: not cast, not broadcast."""
    if not isinstance(version.type, ArrayType) or not isinstance(value.type, ArrayType):
        return False
    if not is_basic(index):
        return False
    known = map_operand(lambda part: part.type if isinstance(part, Variable) else part, index)
    place = ArrayType(version.type.dtype, indexed(version.type.sizes, known))
    return place.dtype == value.type.dtype and same_sizes(place, value.type)
