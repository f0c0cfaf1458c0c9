"""Stacks that are made at several places: one side of a branch fills a stack, the other leaves it empty.

Wherever it is made a stack has one form, so that what reads it need not know which side ran: an array with an axis in
front where all that is kept in it has one shape that is known at the start, else levels that grow.
"""

from __future__ import annotations

from typing import Any

from retrograde.program.types import StackType
from retrograde.python.lowering.model import Action, Bind, Expression, If, Keep, MakeStack, Name
from retrograde.python.lowering.places import inner_actions, walk
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import affine
from retrograde.python.nests.parts.fields import Indices
from retrograde.python.nests.stacks.arrays import (
    Growing,
    Maker,
    Storage,
    depth_of,
    element_shape,
    inside,
    shape_of_inner,
    start_storage,
    storage_of,
)
from retrograde.python.nests.stacks.listed import is_listed, make_listed
from retrograde.python.nests.translating.translator import Translator


def made_by(action: Action) -> Name | None:
    """The stack that an action makes, if it does."""
    if isinstance(action, MakeStack):
        return action.stack
    return action.targets[0] if isinstance(action, Bind) and is_empty(action.value) else None


def is_empty(value: Any) -> bool:
    """Whether a value is a stack that has nothing."""
    return isinstance(value, list) and not value


def joined_stacks(actions: list[Action]) -> dict[Name, list[Maker]]:
    """The stacks that are made at several places, or are empty at some, and what makes each."""
    makers: dict[Name, list[Maker]] = {}
    others: set[Name] = set()
    for action in walk(actions):
        stack = made_by(action)
        if stack is not None:
            assert isinstance(action, (MakeStack, Bind))
            makers.setdefault(stack, []).append(action)
        elif isinstance(action, Bind):
            others.update(action.targets)
    return {
        stack: made
        for stack, made in makers.items()
        if stack not in others and (len(made) > 1 or isinstance(made[0], Bind))
    }


def stacks_around(actions: list[Action], behind: list[Action] | None = None) -> list[tuple[Maker, Name, Expression]]:
    """What makes a stack that is kept in another one, that other, and at which index.

    Args:
        actions: among these, and inside of them.
        behind: what runs after them in the same iteration.
    """
    found: list[tuple[Maker, Name, Expression]] = []
    for at, action in enumerate(actions):
        rest = [*actions[at + 1 :], *(behind or ())]
        for inner in inner_actions(action):
            found += stacks_around(inner, rest if isinstance(action, If) else None)
        stack = made_by(action)
        keep = None if stack is None else next((each for each in rest if _keeps(each, stack)), None)
        if isinstance(keep, Keep):
            assert isinstance(action, (MakeStack, Bind))
            found.append((action, keep.stack, keep.index))
    return found


def _keeps(action: Action, stack: Name) -> bool:
    return isinstance(action, Keep) and action.value is stack


def make_joined(translator: Translator, stack: Name, maker: Maker) -> None:
    """Room for the entries, or an empty stack in the form that the others have.

    Raises:
        Demoted: it is kept in a stack that is an array.
    """
    stacks = translator.stacks
    if any(is_listed(translator, each) for each in stacks.joined[stack]):
        make_listed(translator, stack, maker)
        return
    outer = stacks.outside(maker)
    if outer is not None and outer[0] not in stacks.listed:
        if outer[0] not in stacks.growing:
            raise Demoted("a stack that branches make is kept in a stack of equal ones")
        base = stacks.bases.get(stack) or translator.fresh("base")
        stacks.bases[stack] = base
        stacks.growing[stack] = inside(translator, stacks.growing[outer[0]], base)
        return
    if stack not in stacks.forms:
        shape = _common_shape(translator, stack, stacks.joined[stack])
        stacks.forms[stack] = _storage(translator, stack) if shape is None else shape
    form = stacks.forms[stack]
    if isinstance(form, Storage):
        start_storage(translator, form)
        stacks.growing[stack] = Growing(form, 0, affine(0))
    else:
        stacks.growing.pop(stack, None)
        _make_array(translator, stack, maker, form)


def _common_shape(translator: Translator, stack: Name, makers: list[Maker]) -> Indices | None:
    """The extents of an entry wherever the stack is made, if they are the same and known at the start."""
    shapes = {_shape_at(translator, stack, maker) for maker in makers if isinstance(maker, MakeStack)}
    (shape,) = shapes if len(shapes) == 1 else (None,)
    return shape


def _shape_at(translator: Translator, stack: Name, maker: MakeStack) -> Indices | None:
    assert isinstance(stack.type, StackType)
    depth, element = depth_of(stack.type)
    if maker.count is None:
        return None
    return element_shape(translator, element) if depth == 1 else shape_of_inner(translator, stack)


def _storage(translator: Translator, stack: Name) -> Storage:
    assert isinstance(stack.type, StackType)
    return storage_of(translator, stack, element_shape(translator, depth_of(stack.type)[1]))


def _make_array(translator: Translator, stack: Name, maker: Maker, shape: Indices) -> None:
    assert isinstance(stack.type, StackType)
    text, dtype = translator.texts[stack], depth_of(stack.type)[1].dtype
    count = translator.lasting(translator.index(maker.count)) if isinstance(maker, MakeStack) else affine(0)
    extents = (count, *shape)
    sizes = ", ".join(map(translator.size_text, extents))
    names = {name for extent in extents for name in extent.names}
    translator.line(f"{text} = np.empty(({sizes}{',' if len(extents) == 1 else ''}), {dtype_text(dtype)})", names, text)
