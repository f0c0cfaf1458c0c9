"""The derivative of a function at a point, as a graph of linear steps that tangents and cotangents pass through.

The function runs once, on traced arrays; each operation leaves a step with exactly what its rules read. Tangents then
go forward through the steps and cotangents backward, any number of times, from and to any values: also only as far as
a waist. The steps take batches of directions as they take one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from retrograde.autodiff.arguments import dtype_of
from retrograde.autodiff.cotangents import fit
from retrograde.autodiff.forward.accompanied import Accompanied
from retrograde.autodiff.forward.pushing import fitted_sum
from retrograde.autodiff.tape.recipes import reading
from retrograde.program.dispatch import apply, new_level
from retrograde.program.primitive import Array, Primitive, Rule
from retrograde.program.types import is_differentiable

Tangents = dict["Slot", Any]
_ALL = slice(None)


class Slot:
    """A value of the graph: what is known of it when the value itself is gone."""

    __slots__ = ("dtype", "shape", "size")

    def __init__(self, value: Any) -> None:
        self.shape: tuple[int, ...] = value.shape
        self.dtype: np.dtype[Any] = value.dtype
        self.size = math.prod(self.shape)


class Step:
    """The derivative of one operation: from tangents of its sources to those of its results, and back.

    Attributes:
        rules: what its primitive and the choice of its moving operands determine.
        kept: what the rules read.
        sources: the moving operands.
        results: the results; None for one that has no derivative.
        still: shapes and dtypes of the operands of a variadic primitive; those that do not move have zero tangents.
    """

    __slots__ = ("kept", "results", "rules", "sources", "still")

    def __init__(
        self,
        rules: StepRules,
        kept: tuple[Any, ...],
        sources: list[Slot],
        results: list[Slot | None],
        still: list[tuple[tuple[int, ...], Any]] | None,
    ) -> None:
        self.rules = rules
        self.kept = kept
        self.sources = sources
        self.results = results
        self.still = still

    def push(self, tangents: Tangents) -> None:
        """Set the tangents of the results from those of the sources; what has none is constant."""
        given = [tangents.get(source) for source in self.sources]
        if all(d is None for d in given):
            return
        if self.still is not None:
            full: list[Any] = [None] * len(self.still)
            for place, d in zip(self.rules.places, given, strict=True):
                full[place] = d
            blanks = (np.zeros(*what) if d is None else d for d, what in zip(full, self.still, strict=True))
            given = [tuple(blanks), *(None for _ in given[1:])]
        shares = [
            push(d, self.kept)
            for push, d in zip(self.rules.pushes, given, strict=True)
            if d is not None and push is not None
        ]
        if not shares:
            return
        for place, slot in enumerate(self.results):
            if slot is not None:
                parts = [share[place] for share in shares] if self.rules.several else shares
                tangents[slot] = fitted_sum(slot, parts)

    def pull(self, cotangents: Tangents) -> None:
        """Add the shares of the sources' cotangents, from the cotangents of the results, which are forgotten."""
        coming = tuple(None if slot is None else cotangents.pop(slot, None) for slot in self.results)
        if all(g is None for g in coming):
            return
        g = coming if self.rules.several else coming[0]
        for source, pull in zip(self.sources, self.rules.pulls, strict=True):
            if pull is not None:
                share = fit(pull(g, self.kept), source.shape, source.dtype)
                present = cotangents.get(source)
                cotangents[source] = share if present is None else present + share


class StepRules:
    """The rules of a step: worked out once for each primitive and choice of moving operands."""

    __slots__ = ("keep", "places", "pulls", "pushes", "several")

    def __init__(self, primitive: Primitive, places: tuple[int, ...], both: bool) -> None:
        names = [primitive.names(place + 1)[place] for place in places]
        forward = [primitive.forward.get(name) for name in names]
        backward = [primitive.reverse.get(name) if both else None for name in names]
        every = [rule for rule in (*forward, *backward) if rule is not None]
        reads = tuple(dict.fromkeys(name for rule in every for name in rule.reads if name != "at"))
        values = "".join(f"{reading(primitive, name)}, " for name in reads)
        self.places = places
        self.several = bool(primitive.outputs)
        self.keep: Callable[..., tuple[Any, ...]] = eval(
            f"lambda operands, out, static: ({values})", {"shape": np.shape}
        )
        self.pushes = [rule and _caller(rule, reads, place) for rule, place in zip(forward, places, strict=True)]
        self.pulls = [rule and _caller(rule, reads, place) for rule, place in zip(backward, places, strict=True)]


def _caller(rule: Rule, reads: tuple[str, ...], place: int) -> Callable[[Any, tuple[Any, ...]], Any]:
    arguments = "".join(f", {place if name == 'at' else f'kept[{reads.index(name)}]'}" for name in rule.reads)
    return eval(f"lambda d, kept: rule(d{arguments})", {"rule": rule.function})


class Traced(Accompanied):
    """An array whose uses leave steps in a `LinearGraph`."""

    __slots__ = ("graph", "slot")
    _state = ("value", "slot", "graph", "level")
    kind: ClassVar[str] = "a traced array"

    graph: LinearGraph
    slot: Slot

    def __init__(self, value: Array, slot: Slot, graph: LinearGraph) -> None:
        self.value = value
        self.slot = slot
        self.graph = graph
        self.level = graph.level

    def __repr__(self) -> str:
        return f"traced({self.value!r})"

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Traced:
        """Zeros in the same graph: a constant, into which traced values can be written."""
        value = np.zeros_like(self.value, dtype=dtype, shape=shape)
        return Traced(value, Slot(value), self.graph)

    def carry(
        self, primitive: Primitive, values: list[Any], moving: list[tuple[int, Any]], static: Mapping[str, Any]
    ) -> Any:
        """Evaluate an operation, and leave a step."""
        out = apply(primitive, tuple(values), static)
        return self.graph.record(primitive, values, moving, out, static)


class LinearGraph:
    """The steps of a function's derivative, in the order of its operations.

    Args:
        both: keep what the reverse rules read, too. Without, `pull` cannot be used.
    """

    def __init__(self, both: bool = False) -> None:
        self.level = new_level()
        self.both = both
        self.steps: list[Step] = []

    def watch(self, value: Array) -> Traced:
        """A source of the graph."""
        return Traced(value, Slot(value), self)

    def slot_of(self, value: Any) -> Slot | None:
        """The slot of a traced array of this graph; None for anything else."""
        return value.slot if isinstance(value, Traced) and value.graph is self else None

    def record(
        self,
        primitive: Primitive,
        values: list[Any],
        moving: list[tuple[int, Any]],
        out: Any,
        static: Mapping[str, Any],
    ) -> Any:
        """Leave a step for an operation; its result, traced."""
        places = tuple(place for place, _ in moving)
        rules = self._rules(primitive, places)
        if rules is None:
            return out
        outs = out if primitive.outputs else (out,)
        results = [Slot(result) if is_differentiable(result.dtype) else None for result in outs]
        still = [(np.shape(value), dtype_of(value)) for value in values] if primitive.variadic else None
        kept = rules.keep(values, out, static)
        self.steps.append(Step(rules, kept, [operand.slot for _, operand in moving], results, still))
        pairs = zip(outs, results, strict=True)
        traced = tuple(result if slot is None else Traced(result, slot, self) for result, slot in pairs)
        return traced if primitive.outputs else traced[0]

    def _rules(self, primitive: Primitive, places: tuple[int, ...]) -> StepRules | None:
        key = ("step", places, self.both)
        if key not in primitive.recipes:
            known = any(primitive.names(place + 1)[place] in primitive.forward for place in places)
            primitive.recipes[key] = StepRules(primitive, places, self.both) if known else None
        return primitive.recipes[key]

    def prune(self, wanted: Iterable[Slot]) -> None:
        """Forget the steps that no wanted value needs."""
        needed = set(wanted)
        kept: list[Step] = []
        for step in reversed(self.steps):
            if not needed.isdisjoint(step.results):
                needed.update(step.sources)
                kept.append(step)
        self.steps = kept[::-1]

    def push(self, tangents: Tangents, wanted: Sequence[Slot | None], span: slice = _ALL) -> list[Any]:
        """Carry tangents forward.

        Args:
            tangents: of values set before the span; others there are constant.
            wanted: where tangents are asked for.
            span: the steps to go through.

        Returns:
            For each wanted value its tangent, or None if that is zero.
        """
        tangents = dict(tangents)
        steps = self.steps[span]
        for step, unused in zip(steps, _unused_after(steps, wanted), strict=True):
            step.push(tangents)
            for slot in unused:
                tangents.pop(slot, None)
        return [None if slot is None else tangents.get(slot) for slot in wanted]

    def pull(self, cotangents: Tangents, wanted: Sequence[Slot], span: slice = _ALL) -> list[Any]:
        """Carry cotangents backward to values set before the span: as `push`, the other way."""
        cotangents = dict(cotangents)
        for step in reversed(self.steps[span]):
            step.pull(cotangents)
        return [cotangents.get(slot) for slot in wanted]


def _unused_after(steps: list[Step], wanted: Sequence[Slot | None]) -> list[list[Slot]]:
    """For each step, the values that neither a later step nor the caller reads."""
    seen: set[Slot | None] = set(wanted)
    unused: list[list[Slot]] = []
    for step in reversed(steps):
        here = [slot for slot in {*step.sources, *step.results} if slot is not None and slot not in seen]
        seen.update(here)
        unused.append(here)
    return unused[::-1]
