"""What a name of the user's function can stand for while it is read: arrays, views of them, numbers, containers."""

import retrograde.python.reading.values.builtins
import retrograde.python.reading.values.creation
import retrograde.python.reading.values.searching
import retrograde.python.reading.values.writing  # noqa: F401
from retrograde.python.reading.values.arrays import Array, assign_augmented
from retrograde.python.reading.values.calls import attribute, call
from retrograde.python.reading.values.generators import Generator, generator
from retrograde.python.reading.values.handle import Handle, Value
from retrograde.python.reading.values.heap import Cell, Heap, Mark
from retrograde.python.reading.values.numbers import Number
from retrograde.python.reading.values.slots import CellSlot, ContainerSlot, ItemSlot, Slot

__all__ = [
    "Array",
    "Cell",
    "CellSlot",
    "ContainerSlot",
    "Generator",
    "Handle",
    "Heap",
    "ItemSlot",
    "Mark",
    "Number",
    "Slot",
    "Value",
    "assign_augmented",
    "attribute",
    "call",
    "generator",
]
