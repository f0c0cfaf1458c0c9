"""What a program is, as a digest: the same in each process, another for each program that differs in anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import EllipsisType
from typing import Any, cast

import numpy as np

from retrograde.program.kinds import is_ndarray
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Program,
    Replay,
    Sweep,
    Variable,
)
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.types import ArrayType, ScheduleType, Size, StackType
from retrograde.version import __version__

_STATEMENTS = (Instruction, Loop, Branch, Sweep, Replay)
_RECORDS = (Program, Block, Place, ArrayType, StackType, ScheduleType, Size, *_STATEMENTS)
_PLAIN = (bool, int, float, complex, str, type(None), EllipsisType)
_WRITERS = ("program", "rules", "python/lowering", "python/nests", "python/compiling")


class Unwritten(Exception):
    """A program holds an object that nothing tells from others but that it is this one."""


def digest_of(program: Program, *options: object) -> str | None:
    """A digest of everything in a program, and of everything that makes text of it; None where it has no content alone.

    Variables are told apart by where they come first; arrays by their elements. A primitive of the user's own, and
    any object of a kind unknown here, has no content that another process could recognise.

    Args:
        program: which.
        options: how text is made of it, as plain values.

    Example:
        >>> from retrograde.program import ProgramBuilder
        >>> def doubled(factor):
        ...     builder = ProgramBuilder("doubled")
        ...     return builder.finish(y=builder.input("x", "float64", ("n",)) * factor)
        >>> digest_of(doubled(2.0)) == digest_of(doubled(2.0)), digest_of(doubled(2.0)) == digest_of(doubled(3.0))
        (True, False)
    """
    parts: list[str] = [*_origin(), repr(options)]
    try:
        _Writer(parts.append).write(program)
    except Unwritten:
        return None
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class _Writer:
    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put
        self._numbers: dict[int, int] = {}

    def write(self, value: Any) -> None:
        """Put a value's parts, each of which says where it ends."""
        kind: type[Any] = value.__class__
        if kind is Variable:
            self._variable(value)
        elif kind in _PLAIN:
            self._put(f"{kind.__name__} {value!r}")
        elif kind is tuple or kind is list:
            self._several(kind.__name__, value)
        elif kind in _RECORDS:
            self._several(kind.__name__, (getattr(value, field.name) for field in fields(kind)))
        elif kind is Primitive:
            self._primitive(value)
        else:
            self._other(kind, value)

    def _several(self, name: str, values: Iterable[Any]) -> None:
        self._put(f"{name} (")
        for value in values:
            self.write(value)
        self._put(")")

    def _variable(self, variable: Variable) -> None:
        number = self._numbers.get(id(variable))
        if number is None:
            number = self._numbers[id(variable)] = len(self._numbers)
            self._several(f"variable {number}", (getattr(variable, slot) for slot in Variable.__slots__))
        else:
            self._put(f"variable {number}")

    def _primitive(self, primitive: Primitive) -> None:
        if not is_registered(primitive):
            raise Unwritten
        self._put(f"primitive {primitive.name}")

    def _other(self, kind: type[Any], value: Any) -> None:
        if kind is slice:
            self._several("slice", (value.start, value.stop, value.step))
        elif kind is dict:
            self._several("dict", (part for item in cast("dict[Any, Any]", value).items() for part in item))
        elif isinstance(value, np.dtype):
            self._put(f"dtype {_dtype_text(cast('np.dtype[Any]', value))}")
        elif isinstance(value, np.generic) or is_ndarray(value):
            array = cast("np.ndarray[Any, np.dtype[Any]]", np.asarray(cast("Any", value)))
            self._put(f"{kind.__name__} {_dtype_text(array.dtype)} {array.shape} {array.flags.f_contiguous}")
            self._put(hashlib.sha256(array.tobytes()).hexdigest())
        else:
            raise Unwritten


def is_registered(primitive: Primitive) -> bool:
    """Whether every process that has retrograde knows a primitive by its name."""
    return primitive.name in PRIMITIVES and PRIMITIVES[primitive.name] is primitive


def _dtype_text(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        raise Unwritten
    return f"{dtype.str} {dtype.name}"


@cache
def _origin() -> tuple[str, ...]:
    """The versions of what makes text of programs, and of its own source a digest."""
    package = Path(__file__).parents[2]
    source = hashlib.sha256()
    for room in _WRITERS:
        for path in sorted((package / room).rglob("*.py")):
            source.update(path.read_bytes())
    return (__version__, np.__version__, source.hexdigest())
