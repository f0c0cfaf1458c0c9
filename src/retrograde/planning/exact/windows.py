"""Exact windows: a stretch of a long plan is scheduled anew, everything before and behind it as it was.

What lives when the window begins is there at its start; what is read behind it before it is made again has to be
there at its end. In between the exact search looks for anything cheaper, over the operations of the window and those
that made what lives at its start.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from retrograde.graph import Graph
from retrograde.planning.exact.instance import Instance, Step, instance_of
from retrograde.planning.exact.layout import BORDER, END, PLAIN
from retrograde.planning.exact.solver import seek
from retrograde.planning.lowering import Lowering, RunOrder

EXPANSIONS = 3000
"""States that one window may expand."""

LENGTHS = ((14, False), (40, False), (120, False))
"""Positions of a window, and whether first runs keep their order in it."""


class Budgeted(Protocol):
    """What ``polish_with_windows`` asks of an effort: expansions of states are added to ``done``."""

    done: int

    @property
    def is_spent(self) -> bool:
        """Whether to stop."""
        ...


def polish_with_windows(
    graph: Graph, sequence: RunOrder, budget_bytes: int, effort: Budgeted, seed: int = 0
) -> RunOrder:
    """Schedule windows of a sequence anew, as long as one of them gets cheaper.

    Args:
        graph: the computation; of one that retains, or that offers nothing to save, the sequence comes back.
        sequence: operations in order that meet the budget.
        budget_bytes: the budget.
        effort: when to stop; deterministic unless it has a deadline.
        seed: of the order in which windows are looked at.

    Returns:
        A sequence that meets the budget as well and costs as much or less.

    Example:
        >>> from retrograde.planning.improve import Effort
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
        >>> polish_with_windows(graph, [[0, 1, 0, 2]], 24, Effort(10_000))
        [[0, 1, 2]]
    """
    polisher = _Polisher(graph, sequence, budget_bytes)
    if not graph.retain and polisher.is_within_budget:
        polisher.polish(effort, random.Random(seed))
    return polisher.sequence


@dataclass(frozen=True)
class Window:
    """Positions of a sequence of steps, and whether first runs keep their order in it."""

    begin: int
    end: int
    given_order: bool


class _Polisher:
    def __init__(self, graph: Graph, sequence: RunOrder, budget_bytes: int) -> None:
        self.graph = graph
        self.budget_bytes = budget_bytes
        self.lowering = Lowering(graph)
        self.whole = instance_of(graph, budget_bytes)
        self.step_of = {step.operation: t for t, step in enumerate(self.whole.steps) if step.kind == PLAIN}
        self.borders = [t for t, step in enumerate(self.whole.steps) if step.kind == BORDER]
        self.sequence: RunOrder = [list(part) for part in sequence]
        peak, self.cost = self.lowering.measure(sequence)
        self.is_within_budget = peak <= budget_bytes
        self.steps = self._steps_of(sequence)

    def polish(self, effort: Budgeted, chance: random.Random) -> None:
        """Go through windows of every length, as long as a round brings something."""
        found = True
        while found and not effort.is_spent:
            found = False
            for length, given_order in LENGTHS:
                for window in self._windows(length, given_order, chance):
                    if effort.is_spent:
                        return
                    found |= self._try(window, effort)

    def _windows(self, length: int, given_order: bool, chance: random.Random) -> list[Window]:
        """Windows half a length apart in which something runs again."""
        count = len(self.steps)
        stride = max(1, length // 2)
        offset = chance.randrange(stride)
        begins = [0, *range(offset, max(1, count - length // 2), stride)]
        windows = [Window(b, min(count, b + length), given_order) for b in dict.fromkeys(begins)]
        chance.shuffle(windows)
        return windows

    def _try(self, window: Window, effort: Budgeted) -> bool:
        """Schedule one window anew; whether that saved anything."""
        if window.end > len(self.steps):
            return False
        stretch = self.steps[window.begin : window.end]
        view = _View(self.whole, self.steps, window)
        spent = view.excess(stretch)
        if not spent:
            return False
        instance, names = view.instance()
        moves, done = seek(instance, self.budget_bytes, spent, EXPANSIONS, given_order=window.given_order)
        effort.done += max(1, done)
        if moves is None:
            return False
        fresh = [names[move.step] for move in moves if instance.steps[move.step].kind != END]
        return self._accept([*self.steps[: window.begin], *fresh, *self.steps[window.end :]])

    def _accept(self, steps: list[int]) -> bool:
        """Take a sequence over if it is cheaper and within the budget: the lowering has the last word."""
        sequence = self._sequence_of(steps)
        peak, cost = self.lowering.measure(sequence)
        if peak > self.budget_bytes or cost >= self.cost:
            return False
        self.sequence, self.cost, self.steps = sequence, cost, steps
        return True

    def _steps_of(self, sequence: RunOrder) -> list[int]:
        steps: list[int] = []
        for segment, operations in enumerate(self.lowering.with_views(sequence)):
            if segment:
                steps.append(self.borders[segment - 1])
            steps.extend(self.step_of[o] for o in operations if o in self.step_of)
        return steps

    def _sequence_of(self, steps: Sequence[int]) -> RunOrder:
        sequence: list[list[int]] = [[]]
        for t in steps:
            if self.whole.steps[t].kind == BORDER:
                sequence.append([])
            else:
                sequence[-1].append(self.whole.steps[t].operation)
        return sequence


class _View:
    """A window from inside: what lives at its start, what is wanted at its end, and which operations may run."""

    def __init__(self, whole: Instance, steps: Sequence[int], window: Window) -> None:
        self.whole = whole
        self.window = window
        self.stretch = steps[window.begin : window.end]
        self.before = set(steps[: window.begin])
        self.segment = sum(whole.steps[t].kind == BORDER for t in steps[: window.begin])
        self.makers = {item: t for t, step in enumerate(whole.steps) for item in step.makes}
        self.wanted = self._wanted(steps[window.end :], set(whole.steps[-1].reads))
        self.present = self._present(steps, self._wanted(self.stretch, self.wanted))

    def excess(self, stretch: Sequence[int]) -> Fraction:
        """What a stretch spends on running operations again."""
        ran, total = set(self.before), Fraction(0)
        for t in stretch:
            total += Fraction(self.whole.steps[t].cost) if t in ran else 0
            ran.add(t)
        return total

    def instance(self) -> tuple[Instance, list[int]]:
        """The window as an instance, and for each of its steps the step of the whole."""
        firsts = [t for t in dict.fromkeys(self.stretch) if t not in self.before]
        again = self._again()
        known = {item for t in (*again, *firsts) for item in self.whole.steps[t].makes}
        source = Step(-1, PLAIN, 0, makes=set(self.present - known))
        allocated = {s for t in (*again, *firsts) for s in self.whole.steps[t].allocates}
        source.allocates = sorted({self.whole.item_storage[i] for i in source.makes} - allocated)
        end = Step(-1, END, 0, reads=set(self.wanted), touches={self.whole.item_storage[i] for i in self.wanted})
        steps = [source, *(self.whole.steps[t] for t in (*again, *firsts)), end]
        return self._numbered(steps, len(again) + 1), [-1, *again, *firsts, -1]

    def _numbered(self, steps: list[Step], ran: int) -> Instance:
        """An instance of its own numbering, of the items and storages that its steps know."""
        whole = self.whole
        items = sorted(self.present.union(*(s.reads for s in steps), *(s.makes for s in steps)))
        used = {whole.item_storage[i] for i in items}.union(*(s.allocates for s in steps), *(s.touches for s in steps))
        storages = sorted(used | {s for step in steps for pair in step.pairs for s in pair})
        item, place = {i: n for n, i in enumerate(items)}, {s: n for n, s in enumerate(storages)}
        renumbered = [
            Step(
                step.operation,
                step.kind,
                step.segment,
                {item[i] for i in step.reads},
                {item[i] for i in step.makes},
                [place[s] for s in step.allocates],
                {place[s] for s in step.touches},
                step.cost,
                step.workspace_bytes,
                step.recomputable,
                [(place[made], place[read]) for made, read in step.pairs],
            )
            for step in steps
        ]
        return Instance(
            renumbered,
            [whole.storage_bytes[s] for s in storages],
            [place[whole.item_storage[i]] for i in items],
            {place[s] for s in whole.held if s in place},
            [{place[s] for s in pins if s in place} for pins in whole.pins],
            whole.fixed_bytes,
            False,
            ran,
            frozenset(item[i] for i in self.present),
            self.segment,
        )

    def _again(self) -> list[int]:
        """Operations that ran before and may run again here: in topological order, as the whole has them."""
        candidates = {t for t in self.stretch if t in self.before}
        candidates |= {t for i in self.present if (t := self.makers[i]) in self.before}
        known = set(self.present) | {i for t in self.stretch for i in self.whole.steps[t].makes}
        known |= {i for t in candidates for i in self.whole.steps[t].makes}
        fit = [t for t in candidates if self.whole.steps[t].kind == PLAIN and self.whole.steps[t].recomputable]
        return sorted(t for t in fit if self.whole.steps[t].reads <= known)

    def _wanted(self, steps: Sequence[int], wanted: set[int]) -> set[int]:
        """Items that are read in a stretch, or wanted behind it, before they are made again."""
        found = set(wanted)
        for t in reversed(steps):
            found -= self.whole.steps[t].makes
            found |= self.whole.steps[t].reads
        return found

    def _present(self, steps: Sequence[int], wanted: set[int]) -> frozenset[int]:
        """Items that are there when the window begins: those of every storage that is still wanted, or pinned."""
        whole = self.whole
        items: dict[int, set[int]] = {}
        segment = 0
        for t in steps[: self.window.begin]:
            segment += whole.steps[t].kind == BORDER
            for storage in whole.steps[t].allocates:
                if storage not in whole.pins[segment]:
                    items[storage] = set()
            for item in whole.steps[t].makes:
                items.setdefault(whole.item_storage[item], set()).add(item)
        kept = {whole.item_storage[item] for item in wanted} | whole.pins[segment]
        return frozenset(i for storage in kept for i in items.get(storage, ()))
