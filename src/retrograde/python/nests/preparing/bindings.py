"""How often names are bound."""

from __future__ import annotations

from collections import Counter

from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Action, Name, Repeat, Write
from retrograde.python.lowering.places import set_by, walk


def count_bindings(parameters: list[Name], actions: list[Action]) -> Counter[Name]:
    """How many actions bind each name; a write into a number binds it, too."""
    counts = Counter(parameters)
    for action in walk(actions):
        counts.update(set_by(action))
        if isinstance(action, Write) and isinstance(action.target.type, ArrayType) and not action.target.type.rank:
            counts[action.target] += 1
        if isinstance(action, Repeat):
            counts[action.index] += 1
    return counts
