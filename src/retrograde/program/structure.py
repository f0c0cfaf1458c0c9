"""Where a program's variables are set, and the loops around that."""

from __future__ import annotations

from retrograde.errors import UsageError
from retrograde.program.model import Block, Branch, Instruction, Loop, Statement, Variable, blocks_of


class Structure:
    """An index of a program: what sets each variable, in which block, inside of which loops.

    Args:
        root: the program's block. What is added to it afterwards is not known here.
    """

    def __init__(self, root: Block) -> None:
        self._makers: dict[Variable, Statement] = {}
        self._blocks: dict[Variable, Block] = {}
        self._owners: dict[Block, tuple[Statement, Block]] = {}
        self._loops: dict[Block, tuple[Loop, ...]] = {}
        self._enter(root, ())

    def maker(self, variable: Variable) -> Statement | None:
        """The statement that sets a variable; None for the parameters of a block."""
        return self._makers.get(variable)

    def instruction(self, variable: Variable) -> Instruction | None:
        """The instruction that sets a variable, if one does."""
        maker = self._makers.get(variable)
        return maker if isinstance(maker, Instruction) else None

    def block(self, variable: Variable) -> Block | None:
        """The block in which a variable is set; None if it is not known."""
        return self._blocks.get(variable)

    def owner(self, block: Block) -> tuple[Statement, Block] | None:
        """The statement that a block belongs to, and the block in which that stands; None for the outermost."""
        return self._owners.get(block)

    def loops(self, block: Block) -> tuple[Loop, ...]:
        """The loops around what stands in a block, outermost first."""
        return self._loops[block]

    def loops_around(self, variable: Variable) -> tuple[Loop, ...]:
        """The loops in each iteration of which a variable is set anew, outermost first."""
        block = self._blocks.get(variable)
        return () if block is None else self._loops[block]

    def _enter(self, block: Block, loops: tuple[Loop, ...]) -> None:
        self._loops[block] = loops
        self._blocks.update((parameter, block) for parameter in block.parameters)
        for statement in block.statements:
            if not isinstance(statement, (Instruction, Loop, Branch)):
                raise UsageError(
                    "a program that carries out schedules was to be simplified, reversed or analysed; do that before "
                    "its loops are put inside a budget"
                )
            self._makers.update((result, statement) for result in statement.results)
            self._blocks.update((result, block) for result in statement.results)
            for inner in blocks_of(statement):
                self._owners[inner] = (statement, block)
                self._enter(inner, (*loops, statement) if isinstance(statement, Loop) else loops)
