"""The linear relaxation over one moment or several: what any schedule must satisfy, as sparse rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from retrograde.planning.certificate.cuts import Cut
from retrograde.planning.certificate.structure import NOBODY, Flags, Integers, Structure

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Relaxation:
    """Rows that every schedule satisfies, over variables that are 0 or 1.

    Between the moments of the cuts lie stages, one behind each cut; a span is one stage or several in a row. The
    variables say which operations run again in a span, and which storages are live when a stage begins. Each row
    says that the sum of some variables less at most one other is at least 0 or 1. One more row for each stage,
    left out here, says that the bytes of the live storages are within the budget.

    Attributes:
        structure: of the graph.
        cuts: the moments, earliest first.
        spans: pairs (first stage, last stage); the single stages come first.
        run_span, run_operation: for each variable "the operation runs again in the span" what it speaks of.
        live_stage, live_storage: for each variable "the storage is live when the stage begins"; they are numbered
            behind the others.
        row, column, sign: the entries of the rows.
        least: for each row 0 or 1.
    """

    structure: Structure
    cuts: tuple[Cut, ...]
    spans: tuple[tuple[int, int], ...]
    run_span: Integers
    run_operation: Integers
    live_stage: Integers
    live_storage: Integers
    row: Integers
    column: Integers
    sign: Integers
    least: Integers

    @property
    def runs(self) -> int:
        """Number of variables that say what runs again."""
        return len(self.run_operation)

    @property
    def variables(self) -> int:
        """Number of all variables."""
        return len(self.run_operation) + len(self.live_storage)

    @property
    def paid(self) -> Integers:
        """For each variable of what runs again the operation whose cost it has, or ``NOBODY``: spans count once."""
        return np.where(self.run_span < len(self.cuts), self.run_operation, NOBODY)


def relax(structure: Structure, cuts: Sequence[Cut]) -> Relaxation:
    """The relaxation over a chain of cuts.

    Args:
        structure: of the graph.
        cuts: one or more, each operation certainly run before the next one's first run.
    """
    stages = range(len(cuts))
    spans = (*((i, i) for i in stages), *combinations(stages, 2))
    rows = _Rows(structure, tuple(cuts), spans)
    for span in range(len(spans)):
        rows.add_needs(span)
    for span in range(len(cuts), len(spans)):
        rows.add_sums(span)
    for stage in stages[1:]:
        rows.add_links(stage)
    return rows.assemble()


class _Rows:
    """Collects rows as entries; variables go by keys until all are known."""

    def __init__(self, structure: Structure, cuts: tuple[Cut, ...], spans: tuple[tuple[int, int], ...]) -> None:
        self.structure = structure
        self.cuts = cuts
        self.spans = spans
        self.run_entries: list[Integers] = []
        self.live_entries: list[Integers] = []
        self.least: list[Integers] = []
        self.count = 0

    def _begin(self, least: Integers) -> Integers:
        """Add rows and return their numbers."""
        self.least.append(least)
        self.count += len(least)
        return np.arange(self.count - len(least), self.count)

    def _add_runs(self, rows: Integers, span: int, operations: Integers, sign: int) -> None:
        self.run_entries.append(_entries(rows, span, operations, self.structure.count + 1, sign))

    def _add_live(self, rows: Integers, stage: int, storages: Integers, sign: int) -> None:
        self.live_entries.append(_entries(rows, stage, storages, self.structure.storage_count, sign))

    def _again(self, cut: Cut) -> Flags:
        return cut.before & self.structure.recomputable

    def add_needs(self, span: int) -> None:
        """What runs in a span finds what it reads: kept since the span began, or made again in it."""
        first, last = self.spans[span]
        cut, needs = self.cuts[first], self.structure.needs
        certain = cut.after & self.cuts[last + 1].before if last + 1 < len(self.cuts) else cut.after
        again = self._again(cut)
        existed = np.where(needs.witness == NOBODY, needs.arrival <= cut.segment, cut.before[needs.witness])
        chosen = existed & (certain[needs.reader] | again[needs.reader]) & ~cut.held[needs.storage]
        storage, maker, reader = np.unique(
            np.stack(
                (
                    needs.storage[chosen],
                    np.where(again[needs.maker], needs.maker, NOBODY)[chosen],
                    np.where(certain[needs.reader], NOBODY, needs.reader)[chosen],
                )
            ),
            axis=1,
        )
        rows = self._begin((reader == NOBODY).astype(np.int64))
        self._add_live(rows, first, storage, 1)
        self._add_runs(rows, span, maker, 1)
        self._add_runs(rows, span, reader, -1)

    def add_sums(self, span: int) -> None:
        """What runs again in a span runs again in one of its stages."""
        first, last = self.spans[span]
        operations = np.flatnonzero(self._again(self.cuts[first]))
        rows = self._begin(np.zeros(len(operations), np.int64))
        self._add_runs(rows, span, operations, -1)
        for stage in range(first, last + 1):
            self._add_runs(rows, stage, operations, 1)

    def add_links(self, stage: int) -> None:
        """What is live at a cut was live at the one before, or its operation ran in between."""
        structure, cut = self.structure, self.cuts[stage - 1]
        storage = np.flatnonzero(structure.arrivals != 0)
        arrived = structure.arrivals[storage]
        existed = np.where(arrived >= 0, arrived <= cut.segment, cut.before[structure.allocators[storage]])
        storage = storage[existed & ~cut.held[storage]]
        held = self.cuts[stage].held[storage]
        allocator = structure.allocators[storage]
        rows = self._begin(held.astype(np.int64))
        self._add_live(rows, stage - 1, storage, 1)
        self._add_runs(rows, stage - 1, np.where(self._again(cut)[allocator], allocator, NOBODY), 1)
        self._add_live(rows, stage, np.where(held, NOBODY, storage), -1)

    def assemble(self) -> Relaxation:
        """Number the variables."""
        run_row, run_key, run_sign = np.concatenate(self.run_entries, axis=1)
        live_row, live_key, live_sign = np.concatenate(self.live_entries, axis=1)
        run, run_column = np.unique(run_key, return_inverse=True)
        live, live_column = np.unique(live_key, return_inverse=True)
        run_span, run_operation = np.divmod(run, self.structure.count + 1)
        live_stage, live_storage = np.divmod(live, max(1, self.structure.storage_count))
        return Relaxation(
            structure=self.structure,
            cuts=self.cuts,
            spans=self.spans,
            run_span=run_span,
            run_operation=run_operation,
            live_stage=live_stage,
            live_storage=live_storage,
            row=np.concatenate([run_row, live_row]),
            column=np.concatenate([run_column, live_column + len(run)]),
            sign=np.concatenate([run_sign, live_sign]),
            least=np.concatenate(self.least),
        )


def _entries(rows: Integers, group: int, ids: Integers, width: int, sign: int) -> Integers:
    """Entries as three lines: rows, keys of variables, signs."""
    there = ids != NOBODY
    return np.stack([rows[there], ids[there] + group * width, np.full(int(there.sum()), sign)])
