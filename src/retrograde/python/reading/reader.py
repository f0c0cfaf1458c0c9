"""The state of one attempt to read a function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from retrograde.errors import RetrogradeError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.model import Variable
from retrograde.program.symbol import Symbol
from retrograde.python.reading.assumptions import Assumptions
from retrograde.python.reading.frames import Frame, Maybe
from retrograde.python.reading.inputs import Inputs
from retrograde.python.reading.origins import origins_of
from retrograde.python.reading.records import is_group, items_of
from retrograde.python.reading.refusals import Located, located, note
from retrograde.python.reading.signals import NeedsStatic, NeedsUnrolling
from retrograde.python.reading.values import Array, CellSlot, Number
from retrograde.rules.checks import CHECK, CHECKED


class Reader:
    """Reads a function: walks its syntax tree, and puts what happens to arrays into a program.

    Args:
        builder: makes the program.
        assumptions: what earlier attempts found out.
        inputs: the program's inputs: arguments, and what the function takes from around it.

    Attributes:
        quotes: numbers that only the run knows stand in a string by the source that computes them.
    """

    def __init__(self, builder: ProgramBuilder, assumptions: Assumptions, inputs: Inputs) -> None:
        self.builder = builder
        self.heap = inputs.heap
        self.assumptions = assumptions
        self.inputs = inputs
        self.frames: list[Frame] = []
        self.regions: dict[Any, Any] = {}
        self.objects: dict[int, Any] = {}
        self.conditions: list[Any] = []
        self.indices: dict[Variable, Any] = {}
        self.counters: set[Variable] = set()
        self.scopes: list[tuple[Frame, dict[str, Any]]] = []
        self.quotes = False
        self.heap.check = self.check
        self.heap.is_counter = lambda variable: variable in self.counters
        self.heap.is_carried = lambda variable: variable in self.indices and variable not in self.counters
        self._root = builder.open_block
        self._checks = self.heap.array(np.zeros((), np.int64))

    @property
    def frame(self) -> Frame:
        """The call that is being read."""
        return self.frames[-1]

    def own(self, value: Any) -> None:
        """Note objects that reading made: their attributes can be set."""
        value = value.value if isinstance(value, Maybe) else value
        if is_group(value):
            for part in items_of(value).values():
                self.own(part)
            if is_dataclass(value):
                self.objects[id(value)] = value

    def is_own(self, value: Any) -> bool:
        """Whether an object was made while the function was read."""
        return id(value) in self.objects

    @property
    def is_certain(self) -> bool:
        """Whether what is read now is certainly reached by the run."""
        return self.builder.open_block is self._root

    def check(self, fails: Any, kind: type[Exception], *arguments: Any) -> None:
        """Have the run raise an exception if a boolean, a symbol where only the run knows it, is true."""
        if isinstance(fails, Symbol) or fails:
            static = {"error": (kind, arguments)}
            self._checks.cell.write(self.builder.emit(CHECK, (self._checks.cell.read(), fails), static))
            self.builder.hint(self._checks.cell.read(), "checks")

    def is_check(self, place: Any) -> bool:
        """Whether a place that was changed is that of the checks."""
        return isinstance(place, CellSlot) and place.cell is self._checks.cell

    def checked(self, result: Any) -> Any:
        """A result of the program, behind all of its checks."""
        made = self._checks.cell.read()
        return self.builder.emit(CHECKED, (result, made), {}) if isinstance(made, Symbol) else result

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression."""
        from retrograde.python.reading.expressions import evaluate

        return evaluate(self, node)

    def call(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """The result of calling anything."""
        from retrograde.python.reading.calling import call_value

        return call_value(self, function, arguments, keywords)

    def execute(self, statements: Sequence[ast.stmt], *, ends_body: bool = False) -> None:
        """Run statements; the frame's `EXIT` says how they ended."""
        from retrograde.python.reading.statements import execute

        execute(self, statements, ends_body=ends_body)

    def located(self, node: ast.AST, action: Callable[[], Any]) -> Any:
        """Do something for a node: its instructions have the node's place, and so have errors."""
        source = self.frame.source
        outer, self.builder.place = self.builder.place, source.place(node)
        try:
            return action()
        except RetrogradeError as error:
            if isinstance(error, Located):
                raise
            raise located(error, self.builder.place, source.text(node)) from error
        except (NeedsStatic, NeedsUnrolling) as signal:
            if signal.place is None:
                signal.place, signal.text = self.builder.place, source.text(node)
            if isinstance(signal, NeedsStatic) and signal.origins is None:
                signal.origins = origins_of(self, signal.symbol)
            raise
        except Exception as error:
            note(error, self.builder.place, source.text(node))
            raise
        finally:
            self.builder.place = outer

    def name_result(self, value: Any, name: str) -> None:
        """Call the variable behind a value by the user's name, if nobody has named it."""
        if isinstance(value, Number):
            self.builder.hint(value.symbol, name)
        elif isinstance(value, Array) and not value.path and value.cell.poison is None:
            self.builder.hint(value.cell.version, name)
