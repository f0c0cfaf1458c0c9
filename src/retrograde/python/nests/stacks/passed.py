"""Stacks that a procedure is given, and that it returns: what one returns another can be given."""

from __future__ import annotations

from retrograde.program.types import ArrayType, Extent, Size, StackType
from retrograde.python.lowering.model import Name
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.stacks.arrays import Growing, Level, Storage, depth_of, stack_field
from retrograde.python.nests.translating.translator import Translator


def stack_parameter(translator: Translator, stack: Name, prelude: list[str]) -> set[str]:
    """Take apart a stack that the procedure is given; the variables that hold it.

    A stack of entries of one known shape is an array; any other a tuple of the arrays of its levels, and of its data.
    """
    assert isinstance(stack.type, StackType)
    text = translator.texts[stack]
    depth, element = depth_of(stack.type)
    known = None not in element.sizes
    if depth == 1 and known:
        prelude.append(f"{text} = np.ascontiguousarray({text})")
        count = _axis(translator, text, 0, prelude)
        shape = tuple(_extent(translator, text, at, size, prelude) for at, size in enumerate(element.sizes, 1))
        translator.extents[text] = (count, *shape)
        return {text, *(name for extent in (count, *shape) for name in extent.names)}
    hints = [f"{text}_starts"] * (depth - 1) + ([f"{text}_entries"] if known else [f"{text}_rows"])
    levels = [Level(translator.fresh(hint), translator.fresh(f"{hint}_used")) for hint in hints]
    data = None if known else Level(translator.fresh(f"{text}_data"), translator.fresh(f"{text}_used"))
    held = [*levels, *([] if data is None else [data])]
    prelude.append(f"{', '.join(level.array for level in held)}{',' if len(held) == 1 else ''} = {text}")
    prelude += [f"{level.used} = {level.array}.shape[0]" for level in held]
    array = levels[-1].array
    shape = tuple(_extent(translator, array, at, size, prelude) for at, size in enumerate(element.sizes, 1))
    translator.stacks.growing[stack] = Growing(Storage(levels, element, shape if known else None, data), 0, affine(0))
    names = {name for level in held for name in (level.array, level.used)}
    return names | {name for extent in shape for name in extent.names}


def _axis(translator: Translator, array: str, axis: int, prelude: list[str]) -> Affine:
    name = translator.fresh(f"{array}_{axis}")
    prelude.append(f"{name} = {array}.shape[{axis}]")
    translator.facts.lower[name] = affine(0)
    return variable(name)


def _extent(translator: Translator, array: str, axis: int, size: Extent, prelude: list[str]) -> Affine:
    """An extent of the entries: a size that is known, or is known from now on."""
    known = translator.extent(size)
    if known is not None or not isinstance(size, Size):
        return affine(0) if known is None else known
    held = _axis(translator, array, axis, prelude)
    translator.sizes[size.name] = held - size.offset
    return held


def stack_result(translator: Translator, stack: Name) -> str:
    """The variable that holds a stack which the procedure returns, in the form of a parameter."""
    assert isinstance(stack.type, StackType)
    depth, element = depth_of(stack.type)
    known = None not in element.sizes
    place = translator.stacks.growing.get(stack)
    name = translator.fresh("result")
    if place is None:
        array = translator.as_array_variable(stack_field(translator, stack))
        text = array if depth == 1 and known else taken_apart(array, depth, element, known)
        translator.python_text(f"{name} = {text}", {array}, {name})
        return name
    storage = place.storage
    if place.level or place.base != affine(0):
        raise Demoted("a part of a stack is returned")
    if depth == 1 and storage.shape is not None and known:
        level = storage.levels[0]
        translator.python_text(f"{name} = {level.array}[:{level.used}].copy()", {level.array, level.used}, {name})
        return name
    if (storage.shape is not None) != known:
        raise Demoted("a stack is returned of which more is known than its type says")
    held = storage.held
    parts = ", ".join(f"{level.array}[:{level.used}]" for level in held)
    names = {each for level in held for each in (level.array, level.used)}
    translator.python_text(f"{name} = ({parts},)", names, {name})
    return name


def taken_apart(array: str, depth: int, element: ArrayType, known: bool) -> str:
    """An array of equal entries in the form of a stack that grows."""
    size = f"math.prod({array}.shape[{{0}}:{{1}}])"
    starts = [f"np.arange({size.format(0, at + 1)}) * {array}.shape[{at + 1}]" for at in range(depth - 1)]
    entries = size.format(0, depth)
    if known:
        parts = [*starts, f"{array}.reshape({entries}, *{array}.shape[{depth}:])"]
        return f"({', '.join(parts)},)"
    wide = size.format(depth, depth + element.rank)
    heads = ", ".join(f"np.full({entries}, {array}.shape[{depth + at}])" for at in range(element.rank))
    rows = f"np.stack((np.arange({entries}) * {wide}, {heads}), 1)"
    return f"({', '.join([*starts, rows, f'{array}.reshape(-1)'])},)"
