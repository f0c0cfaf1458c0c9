"""What a name of the user's function can stand for while it is read: arrays, views of them, numbers, containers."""

from retrograde.python.reading.values import builtins, creation, searching, writing
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.augmented import assign_augmented
from retrograde.python.reading.values.calls import attribute, call
from retrograde.python.reading.values.generators import Generator, generator
from retrograde.python.reading.values.handle import Handle, Value
from retrograde.python.reading.values.heap import Cell, Heap, Mark
from retrograde.python.reading.values.numbers import Number, kind_of
from retrograde.python.reading.values.slots import CellSlot, ContainerSlot, ItemSlot, Slot

_DECLARED = (builtins, creation, searching, writing)
"""Importing these says what functions are called in the place of others."""

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
    "kind_of",
]
