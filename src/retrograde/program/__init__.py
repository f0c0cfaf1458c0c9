"""The hub of retrograde's own differentiation: primitives, how they are applied, and programs made of them."""

from retrograde.program.builder import ProgramBuilder
from retrograde.program.evaluate import evaluate
from retrograde.program.model import Block, Branch, Instruction, Loop, Place, Program, Variable
from retrograde.program.primitive import PRIMITIVES, Primitive, Rule
from retrograde.program.spelling import spells
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, Size, StackType, array_type, type_of

__all__ = [
    "PRIMITIVES",
    "ArrayType",
    "Block",
    "Branch",
    "Instruction",
    "Loop",
    "Place",
    "Primitive",
    "Program",
    "ProgramBuilder",
    "Rule",
    "Size",
    "StackType",
    "Symbol",
    "Variable",
    "array_type",
    "evaluate",
    "spells",
    "type_of",
]
