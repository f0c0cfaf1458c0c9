"""A procedure as text: functions for Numba, and a Python function that calls them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from itertools import chain, count
from keyword import iskeyword
from typing import Any

from retrograde.program.types import ArrayType, ScheduleType, Size, StackType
from retrograde.python.compiling import Nests
from retrograde.python.compiling.known import KNOWN, known_in
from retrograde.python.lowering.model import For, Name, Procedure
from retrograde.python.lowering.places import set_by, walk
from retrograde.python.nests.actions import (
    translate,
)
from retrograde.python.nests.elements.scalars import HELPERS, dtype_text
from retrograde.python.nests.outlining import outlined
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import Let, Nest
from retrograde.python.nests.passes.fusing import early_everywhere, fused, late
from retrograde.python.nests.passes.gathering import gathered
from retrograde.python.nests.preparing.bindings import count_bindings
from retrograde.python.nests.preparing.rebinding import shared as shared_arrays
from retrograde.python.nests.preparing.sharing_slots import Shared, with_slots_shared
from retrograde.python.nests.preparing.splitting import with_bindings_apart, with_indices_apart, with_parameters_apart
from retrograde.python.nests.printing import INDEX
from retrograde.python.nests.regions import (
    PythonSuite,
    Region,
    Segment,
    call_text,
    connected,
    divided,
    function_text,
    regions_of,
)
from retrograde.python.nests.releasing import with_releases
from retrograde.python.nests.reserving import reserving
from retrograde.python.nests.stacks.arrays import Stacks
from retrograde.python.nests.stacks.branched import joined_stacks, stacks_around
from retrograde.python.nests.stacks.passed import stack_parameter, stack_result
from retrograde.python.nests.translating.translator import Translator

_HEADER = f"""import math

import numpy as np

{INDEX} = np.uint64
"""
_RESERVED = {INDEX, "np", "math", *KNOWN, *dir(builtins)}


def nests_of(procedure: Procedure, frugal: bool = False) -> Nests:
    """A procedure as loop nests in functions for Numba, and a Python function that calls them.

    Args:
        procedure: what is to happen.
        frugal: make arrays late, and let go of them, where memory is short.
    """
    apart = with_indices_apart(with_bindings_apart(with_parameters_apart(procedure)))
    return _Driver(*with_slots_shared(apart)).nests(frugal)


class _Driver:
    def __init__(self, procedure: Procedure, shared: Shared) -> None:
        self.procedure = procedure
        self.texts = _texts(procedure)
        bindings = count_bindings(procedure.parameters, procedure.actions)
        self.prelude: list[str] = []
        self.checks: list[str] = []
        self.count = 0
        self.functions: list[str] = []
        self.compiled: list[str] = []
        self.inner: list[str] = []
        taken = set(self.texts.values())
        sizes = self._sizes(taken)
        self.translator = Translator(self.texts, bindings, sizes, procedure.least_size)
        if procedure.least_size:
            self._assume_sizes(sizes)
        for name, other in shared_arrays(procedure.actions, bindings):
            self.translator.alias(self.texts[name], self.texts[other])
        joined = joined_stacks(procedure.actions)
        self.translator.stacks = Stacks(stacks_around(procedure.actions), joined, shared)
        # A stack that is made again is another one: what was read of the one before is not read any more.
        self.translator.unstable -= {self.texts[stack] for stack in joined}
        for action in walk(procedure.actions):
            if isinstance(action, For) and bindings[action.index] == _loops_with(procedure, action.index):
                self.translator.unstable.discard(self.texts[action.index])
        self.translator.given |= {self.texts[name] for name in procedure.parameters if bindings[name] == 1}
        self.known = {self.texts[name] for name in procedure.parameters} | {
            name for size in sizes.values() for name in size.names
        }

    def _sizes(self, taken: set[str]) -> dict[str, Affine]:
        """The variables that hold the named sizes: numbers among the parameters, or read off arrays."""
        sizes: dict[str, Affine] = {}
        for name, extent in zip(self.procedure.parameters, self.procedure.extents, strict=False):
            if isinstance(extent, Size) and extent.name not in sizes:
                sizes[extent.name] = variable(self.texts[name]) - extent.offset
        for name in self.procedure.parameters:
            kind, text = name.type, self.texts[name]
            if not isinstance(kind, ArrayType):
                continue
            for axis, size in enumerate(kind.sizes):
                if isinstance(size, Size) and size.name not in sizes:
                    held = _free_name(f"size_{size.name}", taken)
                    sizes[size.name] = variable(held)
                    less = f" {'-' if size.offset > 0 else '+'} {abs(size.offset)}" if size.offset else ""
                    self.prelude.append(f"{held} = {text}.shape[{axis}]{less}")
        return sizes

    def _assume_sizes(self, sizes: dict[str, Affine]) -> None:
        """Named sizes are so large that none in the procedure, constants added, is below 0."""
        least = dict.fromkeys(sizes, self.procedure.least_size)
        for name in self.texts:
            for size in name.type.sizes if isinstance(name.type, ArrayType) else ():
                if isinstance(size, Size) and size.name in least:
                    least[size.name] = max(least[size.name], -size.offset)
        for name, bound in least.items():
            message = f"a size is below {bound}, for which the text was not compiled"
            self.checks.append(f"if {sizes[name]} < {bound}: raise ValueError({message!r})")
            (held,) = sizes[name].names
            self.translator.facts.lower[held] = affine(bound) + affine(sizes[name].constant).times(-1)

    def nests(self, frugal: bool) -> Nests:
        """The text."""
        translator, procedure = self.translator, self.procedure
        for name in procedure.parameters:
            self._parameter(name)
        translate(translator, procedure.actions)
        results = self._results()
        aliased = set(translator.aliases) | set(translator.aliases.values())
        kept = aliased | set(results)
        parts = gathered(translator, early_everywhere(translator.out, translator.base_of), kept)
        parts = fused(parts, translator.base_of, kept)
        segments = divided(late(parts, translator.base_of) if frugal else parts, translator.base_of)
        given, names = self.known | set(translator.constants), _new_names(translator)
        connected(segments, given, set(results), translator.base_of, aliased, names)
        if frugal:
            segments = with_releases(segments, set(results))
        returned = [self._result_text(*pair) for pair in zip(procedure.results, results, strict=True)]
        lines = self._lines(segments)
        compiled = [part for region in regions_of(segments) for part in region.parts]
        reserved = [] if frugal else reserving(translator, compiled)
        body = [*self.prelude, *self.checks, *reserved, *lines]
        body.append(f"return ({', '.join(returned)}{',' if len(returned) == 1 else ''})")
        parameters = ", ".join(self.texts[name] for name in procedure.parameters)
        driver = [f"def {procedure.name}({parameters}):", *(f"    {line}" for line in body)]
        helpers = [name for name in HELPERS if any(f"{name}(" in function for function in self.functions)]
        self.compiled[:0] = helpers
        self.inner += helpers
        self.functions[:0] = [HELPERS[name] for name in helpers]
        text = "\n\n\n".join([_HEADER.rstrip(), *self.functions, "\n".join(driver)]) + "\n"
        namespace = translator.constants | translator.namespace | known_in(self.functions)
        return Nests(text, self.compiled, procedure.name, namespace, translator.reasons, self.inner)

    def _lines(self, segments: list[Segment]) -> list[str]:
        lines: list[str] = []
        for segment in segments:
            if isinstance(segment, Region):
                for inner_name, inner in outlined(segment, self._new_function):
                    self._add_function(inner_name, inner)
                    self.inner.append(inner_name)
                name = self._new_function()
                self._add_function(name, segment)
                lines.append(call_text(name, segment))
            elif isinstance(segment, PythonSuite):
                inner = self._lines(segment.body) or ["pass"]
                lines += [segment.suite.header, *(f"    {line}" for line in inner)]
                if segment.otherwise:
                    lines += ["else:", *(f"    {line}" for line in self._lines(segment.otherwise))]
            else:
                lines.append(segment.text)
        return lines

    def _new_function(self) -> str:
        self.count += 1
        return self.translator.fresh(f"{self.procedure.name}_{self.count}")

    def _add_function(self, name: str, region: Region) -> None:
        self.functions.append(function_text(name, region, _new_names(self.translator)))
        self.compiled.append(name)

    def _results(self) -> list[str]:
        """The variables that hold the results."""
        translator = self.translator
        results: list[str] = []
        for expression in self.procedure.results:
            if isinstance(expression, Name) and isinstance(expression.type, StackType):
                results.append(stack_result(translator, expression))
                continue
            found = translator.field(expression)
            if found.rank:
                results.append(translator.as_array_variable(found))
                continue
            value = found.at(())
            name = translator.fresh("result")
            translator.out.append(Nest([], [], [Let(name, value)]))
            results.append(name)
        return results

    def _parameter(self, name: Name) -> None:
        kind, text = name.type, self.texts[name]
        if isinstance(kind, StackType):
            self.known |= stack_parameter(self.translator, name, self.prelude)
            return
        if isinstance(kind, ScheduleType):
            return
        if kind.rank:
            self.prelude.insert(0, f"{text} = np.ascontiguousarray({text})")
            extents: list[Affine] = []
            for axis, size in enumerate(kind.sizes):
                known = self.translator.extent(size)
                if known is None:
                    held = self.translator.fresh(f"{text}_{axis}")
                    self.prelude.append(f"{held} = {text}.shape[{axis}]")
                    self.translator.facts.lower[held] = affine(0)
                    self.known.add(held)
                    known = variable(held)
                extents.append(known)
            if self.translator.bindings[name] == 1 or None not in kind.sizes:
                self.translator.extents[text] = tuple(extents)
            shape = f"({', '.join(map(str, extents))}{',' if len(extents) == 1 else ''})"
            message = f"{text} has another shape than the text was compiled for"
            self.checks.append(f"if {text}.shape != {shape}: raise ValueError({message!r})")
        else:
            self.prelude.append(f"{text} = {dtype_text(kind.dtype)}({text})")

    def _result_text(self, expression: Any, text: str) -> str:
        kind = getattr(expression, "type", None)
        if isinstance(kind, ArrayType) and not kind.rank:
            return f"{dtype_text(kind.dtype)}({text})"
        return text


def _loops_with(procedure: Procedure, index: Name) -> int:
    return sum(isinstance(action, For) and action.index is index for action in walk(procedure.actions))


def _texts(procedure: Procedure) -> dict[Name, str]:
    names: dict[Name, None] = dict.fromkeys(procedure.parameters)
    for action in walk(procedure.actions):
        names.update(dict.fromkeys(set_by(action)))
    taken: set[str] = set()
    return {name: _free_name(name.text, taken) for name in names}


def _free_name(text: str, taken: set[str]) -> str:
    text = f"{text}_" if text in _RESERVED or iskeyword(text) else text
    name = next(name for name in chain((text,), (f"{text}_{number}" for number in count(2))) if name not in taken)
    taken.add(name)
    return name


def _new_names(translator: Translator) -> Iterator[str]:
    while True:
        yield translator.fresh("v")
