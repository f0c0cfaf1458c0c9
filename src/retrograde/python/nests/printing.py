"""Nests, lines and suites as Python text that Numba compiles."""

from __future__ import annotations

from collections.abc import Iterator

from retrograde.python.nests.elements.combinations import COMBINE
from retrograde.python.nests.elements.scalars import constant_text
from retrograde.python.nests.parts.affine import Affine
from retrograde.python.nests.parts.model import (
    Check,
    Constant,
    Element,
    Let,
    Line,
    Local,
    Nest,
    Part,
    Scalar,
    Spelled,
    Step,
    Store,
    Whole,
    elements_in,
    value_of,
    with_value,
)

INDEX = "at"
"""The name under which the text has `np.uint64`: an unsigned index is not looked at for counting from the end."""


def scalar_text(value: Scalar) -> str:
    """A scalar as an expression."""
    if isinstance(value, Constant):
        return constant_text(value.value, value.dtype)
    if isinstance(value, Local):
        return value.name
    if isinstance(value, Whole):
        return f"({value.value})"
    if isinstance(value, Element):
        return element_text(value.array, value.indices)
    return value.template.format(*map(scalar_text, value.operands))


def element_text(array: str, indices: tuple[Affine, ...]) -> str:
    """An element of an array."""
    return f"{array}[{', '.join(map(_index_text, indices))}]"


def _index_text(index: Affine) -> str:
    return str(index.constant) if index.is_constant else f"{INDEX}({index})"


def lines_of(parts: list[Part], names: Iterator[str]) -> list[str]:
    """Parts as lines.

    Args:
        parts: what to print.
        names: new names for scalars.
    """
    found: list[str] = []
    for part in parts:
        if isinstance(part, Line):
            found.append(part.text)
        elif isinstance(part, Nest):
            found += _nest_lines(part, names)
        else:
            inner = lines_of(part.body, names) or ["pass"]
            found += [part.header, *(f"    {line}" for line in inner)]
            if part.otherwise:
                found += ["else:", *(f"    {line}" for line in lines_of(part.otherwise, names))]
    return found


def _nest_lines(nest: Nest, names: Iterator[str]) -> list[str]:
    depth = _fixed_depth(nest)
    if depth is None:
        return _loop_lines(nest.loops, nest.extents, _step_lines(nest.steps, names))
    (store,) = (step for step in nest.steps if isinstance(step, Store))
    name = next(names)
    place = element_text(store.array, store.indices)
    steps = [_into_local(step, name) for step in nest.steps]
    inner = _loop_lines(nest.loops[depth:], nest.extents[depth:], _step_lines(steps, names))
    return _loop_lines(nest.loops[:depth], nest.extents[:depth], [f"{name} = {place}", *inner, f"{place} = {name}"])


def _into_local(step: Step, name: str) -> Step:
    if not isinstance(step, Store):
        return step
    local = Local(name, step.dtype)
    return Let(name, _combination(step.by, local, step.value))


def _combination(by: str, present: Scalar, coming: Scalar) -> Scalar:
    return Spelled(COMBINE[by], (present, coming), present.dtype, 1, by in ("max", "min"))


def _fixed_depth(nest: Nest) -> int | None:
    """How many of the outer loops move the place of the only store, which combines: the others add into one number."""
    stores = [step for step in nest.steps if isinstance(step, Store)]
    if len(stores) != 1 or not stores[0].by or not nest.loops:
        return None
    store = stores[0]
    if any(element.array == store.array for step in nest.steps for element in elements_in(value_of(step))):
        return None
    moving = {name for index in store.indices for name in index.names}
    if moving & {step.name for step in nest.steps if isinstance(step, Let)}:
        return None
    depth = max((at + 1 for at, loop in enumerate(nest.loops) if loop in moving), default=0)
    return depth if depth < len(nest.loops) else None


def _loop_lines(loops: list[str], extents: list[Affine], inner: list[str]) -> list[str]:
    for loop, extent in reversed(list(zip(loops, extents, strict=True))):
        inner = [f"for {loop} in range({extent}):", *(f"    {line}" for line in inner)]
    return inner


def _step_lines(steps: list[Step], names: Iterator[str]) -> list[str]:
    found: list[str] = []
    for step in steps:
        value = value_of(step)
        if isinstance(step, Store) and step.by:
            value = _combination(step.by, Element(step.array, step.indices, step.dtype), value)
        lets, value = simple(value, names)
        found += [f"{let.name} = {scalar_text(let.value)}" for let in lets]
        found.append(_step_text(with_value(step, value)))
    return found


def _step_text(step: Step) -> str:
    text = scalar_text(value_of(step))
    text = _bare(text)
    if isinstance(step, Let):
        return f"{step.name} = {text}"
    if isinstance(step, Store):
        return f"{element_text(step.array, step.indices)} = {text}"
    return f"if {text}: raise {step.error}"


def _bare(text: str) -> str:
    """Without the parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth and at < len(text) - 1:
            return text
    return text[1:-1]


def simple(value: Scalar, names: Iterator[str]) -> tuple[list[Let], Scalar]:
    """A scalar in which what a template reads twice is a variable, and what sets these variables."""
    lets: list[Let] = []
    made: dict[Scalar, Local] = {}

    def walk(part: Scalar) -> Scalar:
        if not isinstance(part, Spelled):
            return part
        operands = tuple(map(walk, part.operands))
        if part.twice:
            operands = tuple(map(named, operands))
        return Spelled(part.template, operands, part.dtype, part.cost, part.twice)

    def named(operand: Scalar) -> Scalar:
        if isinstance(operand, (Constant, Local)):
            return operand
        if operand not in made:
            local = Local(next(names), operand.dtype)
            lets.append(Let(local.name, operand))
            made[operand] = local
        return made[operand]

    return lets, walk(value)


__all__ = ["INDEX", "Check", "element_text", "lines_of", "scalar_text", "simple"]
