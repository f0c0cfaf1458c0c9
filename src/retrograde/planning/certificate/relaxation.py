"""The linear relaxation over one moment or several: what any schedule must satisfy, as sparse rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from retrograde.planning.certificate.cuts import Cut
from retrograde.planning.certificate.structure import NOBODY, Flags, Integers, Structure


@dataclass(frozen=True)
class Relaxation:
    """Rows that every schedule satisfies, over variables that are 0 or 1.

    Between the moments of the cuts lie stages, one behind each cut; a span is one stage or several in a row. The
    variables say which operations run again in a span, which storages are live when a stage begins, and which
    operations had run by then where that is open. Each row says that a sum of variables, some of them with a minus
    sign, is at least -1, 0 or 1. One more row for each stage, left out here, says that the bytes of the live storages
    are within the budget.

    Attributes:
        structure: of the graph.
        cuts: the moments, earliest first.
        spans: pairs (first stage, last stage); the single stages come first.
        run_span, run_operation: for each variable "the operation runs again in the span" what it speaks of.
        live_stage, live_storage: for each variable "the storage is live when the stage begins"; they are numbered
            behind those.
        variables: number of all variables; those of "the operation had run when the stage began" are the last ones.
        row, column, sign: the entries of the rows.
        least: for each row -1, 0 or 1.
    """

    structure: Structure
    cuts: tuple[Cut, ...]
    spans: tuple[tuple[int, int], ...]
    run_span: Integers
    run_operation: Integers
    live_stage: Integers
    live_storage: Integers
    variables: int
    row: Integers
    column: Integers
    sign: Integers
    least: Integers

    @property
    def runs(self) -> int:
        """Number of variables that say what runs again."""
        return len(self.run_operation)

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
    for stage in stages:
        rows.add_progress(stage)
    return rows.assemble()


class _Rows:
    """Collects rows as entries; variables go by keys until all are known."""

    def __init__(self, structure: Structure, cuts: tuple[Cut, ...], spans: tuple[tuple[int, int], ...]) -> None:
        self.structure = structure
        self.cuts = cuts
        self.spans = spans
        self.run_entries: list[Integers] = []
        self.live_entries: list[Integers] = []
        self.ran_entries: list[Integers] = []
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

    def _add_ran(self, rows: Integers, stage: int, operations: Integers, sign: int) -> None:
        self.ran_entries.append(_entries(rows, stage, operations, self.structure.count + 1, sign))

    def _may_run_again(self, cut: Cut) -> Flags:
        return ~cut.after & self.structure.recomputable

    def _is_open(self, stage: int) -> Flags:
        """For which operations it is not certain whether they have run when a stage begins, or behind the last."""
        if stage == len(self.cuts):
            return np.zeros(self.structure.count + 2, np.bool_)
        cut = self.cuts[stage]
        return ~cut.before & ~cut.after & self.structure.is_operation

    def _has_run(self, stage: int) -> Flags:
        if stage == len(self.cuts):
            return np.ones(self.structure.count + 2, np.bool_)
        return self.cuts[stage].before

    def add_needs(self, span: int) -> None:
        """What runs in a span finds what it reads, if that was made before: kept meanwhile, or made again.

        live(storage) + again(maker) >= again(reader) + [reader first runs in the span] - [witness had not run]
        """
        first, last = self.spans[span]
        cut, needs = self.cuts[first], self.structure.needs
        made = np.where(needs.witness == NOBODY, needs.arrival <= cut.segment, ~cut.after[needs.witness])
        reader_again = self._may_run_again(cut)[needs.reader]
        reads_first = ~cut.before & ~(cut.after & self._is_never_run(last + 1))
        chosen = made & (reads_first[needs.reader] | reader_again) & ~cut.held[needs.storage]
        columns = np.unique(
            np.stack(
                (
                    needs.storage[chosen],
                    _only(self._may_run_again(cut), needs.maker[chosen]),
                    _only(self._may_run_again(cut), needs.reader[chosen]),
                    _only(self._is_open(first), needs.reader[chosen]),
                    _only(self._is_open(last + 1), needs.reader[chosen]),
                    _only(self._is_open(first), needs.witness[chosen]),
                    self._certainly_first(needs.reader[chosen], first, last),
                )
            ),
            axis=1,
        )
        storage, maker, reader, ran_first, ran_last, witness, least = columns
        rows = self._begin(least - (witness != NOBODY))
        self._add_live(rows, first, storage, 1)
        self._add_runs(rows, span, maker, 1)
        self._add_runs(rows, span, reader, -1)
        self._add_ran(rows, first, ran_first, 1)
        self._add_ran(rows, last + 1, ran_last, -1)
        self._add_ran(rows, first, witness, -1)

    def _is_never_run(self, stage: int) -> Flags:
        """Operations that have certainly not run when a stage begins."""
        return ~self._has_run(stage) & ~self._is_open(stage)

    def _certainly_first(self, readers: Integers, first: int, last: int) -> Integers:
        """The certain part of "has run when the span ends" less "had run when it began"."""
        return self._has_run(last + 1)[readers].astype(np.int64) - self._has_run(first)[readers]

    def add_sums(self, span: int) -> None:
        """What runs again in a span runs again in one of its stages."""
        first, last = self.spans[span]
        operations = np.flatnonzero(self._may_run_again(self.cuts[first]))
        rows = self._begin(np.zeros(len(operations), np.int64))
        self._add_runs(rows, span, operations, -1)
        for stage in range(first, last + 1):
            self._add_runs(rows, stage, operations, 1)

    def add_links(self, stage: int) -> None:
        """What is live at a cut was live at the one before, or its operation ran in between."""
        structure, cut = self.structure, self.cuts[stage - 1]
        storage = np.flatnonzero(structure.arrivals != 0)
        arrived = structure.arrivals[storage]
        existed = np.where(arrived >= 0, arrived <= cut.segment, ~cut.after[structure.allocators[storage]])
        storage = storage[existed & ~cut.held[storage]]
        held = self.cuts[stage].held[storage]
        allocator = structure.allocators[storage]
        witness = _only(self._is_open(stage - 1), allocator)
        rows = self._begin(held.astype(np.int64) - (witness != NOBODY))
        self._add_live(rows, stage - 1, storage, 1)
        self._add_runs(rows, stage - 1, _only(self._may_run_again(cut), allocator), 1)
        self._add_live(rows, stage, np.where(held, NOBODY, storage), -1)
        self._add_ran(rows, stage - 1, witness, -1)

    def add_progress(self, stage: int) -> None:
        """What has run stays so, and what it depends on had run before."""
        is_open = self._is_open(stage)
        starts, makers = self.structure.makers
        readers = np.repeat(np.arange(self.structure.count), np.diff(starts))
        chosen = is_open[readers] & is_open[makers]
        rows = self._begin(np.zeros(int(chosen.sum()), np.int64))
        self._add_ran(rows, stage, makers[chosen], 1)
        self._add_ran(rows, stage, readers[chosen], -1)
        both = np.flatnonzero(is_open & self._is_open(stage + 1))
        rows = self._begin(np.zeros(len(both), np.int64))
        self._add_ran(rows, stage + 1, both, 1)
        self._add_ran(rows, stage, both, -1)

    def assemble(self) -> Relaxation:
        """Number the variables."""
        run_row, run_key, run_sign = np.concatenate(self.run_entries, axis=1)
        live_row, live_key, live_sign = np.concatenate(self.live_entries, axis=1)
        ran_row, ran_key, ran_sign = np.concatenate(self.ran_entries, axis=1)
        run, run_column = np.unique(run_key, return_inverse=True)
        live, live_column = np.unique(live_key, return_inverse=True)
        ran, ran_column = np.unique(ran_key, return_inverse=True)
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
            variables=len(run) + len(live) + len(ran),
            row=np.concatenate([run_row, live_row, ran_row]),
            column=np.concatenate([run_column, live_column + len(run), ran_column + len(run) + len(live)]),
            sign=np.concatenate([run_sign, live_sign, ran_sign]),
            least=np.concatenate(self.least),
        )


def _only(flags: Flags, ids: Integers) -> Integers:
    """The ids that are flagged, ``NOBODY`` in place of the others."""
    return np.where(flags[ids] & (ids != NOBODY), ids, NOBODY)


def _entries(rows: Integers, group: int, ids: Integers, width: int, sign: int) -> Integers:
    """Entries as three lines: rows, keys of variables, signs."""
    there = ids != NOBODY
    return np.stack([rows[there], ids[there] + group * width, np.full(int(there.sum()), sign)])
