"""What a plan does, as values: rows by module and source line, totals, and what is live at the peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from retrograde.graph import Graph
from retrograde.planning import Plan
from retrograde.torch.explain.places import Phase, Place


@dataclass(frozen=True, slots=True)
class OperationRow:
    """Operations of one operator on one source line of one submodule, in one pass.

    Operations that only make views cost nothing and are left out. Bytes are those of the storages that the
    operations allocate, each counted once; what the forward makes is kept, or recomputed, or spilled, or released.

    Attributes:
        module: path of the submodule, ``blocks.0.up``; empty for the module itself.
        module_type: name of its class; empty where it is not known.
        source: the line of the user's code, as ``file.py:12``.
        operator: ``aten.gelu`` for example.
        phase: ``"forward"`` or ``"backward"``: the pass that the operations belong to.
        operations: how many operations.
        recomputed: how many of them run more than once.
        extra_runs: how many runs beyond the first there are, over all of them.
        most_runs: the most often that one of them runs.
        seconds: time of one run of each.
        recompute_seconds: time of the runs beyond the first.
        kept_bytes: stay in memory from the forward to the backward pass.
        recomputed_bytes: dropped and made again.
        spilled_bytes: moved to a slower tier and back.
        released_bytes: dropped in the pass that makes them and never needed again.
    """

    module: str
    module_type: str
    source: str
    operator: str
    phase: Phase
    operations: int
    recomputed: int
    extra_runs: int
    most_runs: int
    seconds: float
    recompute_seconds: float
    kept_bytes: int
    recomputed_bytes: int
    spilled_bytes: int
    released_bytes: int

    @property
    def made_bytes(self) -> int:
        """Bytes that the operations allocate when each runs once."""
        return self.kept_bytes + self.recomputed_bytes + self.spilled_bytes + self.released_bytes


KINDS = {
    "kept": "kept since the forward",
    "recomputed": "computed again",
    "loaded": "spilled and loaded",
    "gradient": "gradients",
    "output": "outputs",
    "temporary": "of this pass only",
    "arrived": "incoming cotangents",
    "retained": "retained for another backward",
    "workspace": "workspace of the operation",
    "duplicate": "a second copy while it is written",
    "fixed": "fixed demand (held outside the plan)",
}
"""Why bytes are live, with the words for it."""


@dataclass(frozen=True, slots=True)
class LiveStorage:
    """Bytes that are live at the peak.

    Attributes:
        kind: why they are live; a key of ``KINDS``.
        bytes: how many.
        name: of the storage, as the captured graph has it.
        operator: what made them, ``aten.gelu`` for example.
        module: path of the submodule that made them.
        source: the line of the user's code that made them.
        storage: index of the storage in the plan's graph; None for workspace and fixed demand.
        since_action: index of the action that put them there; None as above.
    """

    kind: str
    bytes: int
    name: str
    operator: str = ""
    module: str = ""
    source: str = ""
    storage: int | None = None
    since_action: int | None = None


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment at which the most bytes are live.

    Attributes:
        action: index of the plan's action.
        actions: how many actions the plan has.
        phase: the pass that it is in; ``"outside"`` between captured graphs.
        operation: name of the operation that runs; empty where none does.
        operator: what it computes.
        module: path of its submodule.
        source: the line of the user's code.
        first_run: whether the operation runs for the first time.
        bytes: the plan's peak.
        live: what is live, the largest first; its bytes sum to ``bytes``.
    """

    action: int
    actions: int
    phase: Phase
    operation: str
    operator: str
    module: str
    source: str
    first_run: bool
    bytes: int
    live: tuple[LiveStorage, ...]

    def bytes_by_kind(self) -> dict[str, int]:
        """Live bytes for each kind, the largest first."""
        sums: dict[str, int] = {}
        for entry in self.live:
            sums[entry.kind] = sums.get(entry.kind, 0) + entry.bytes
        return dict(sorted(sums.items(), key=lambda pair: -pair[1]))


@dataclass(frozen=True, slots=True)
class Totals:
    """A plan in numbers. Operations that only make views are left out.

    Attributes:
        peak_bytes: predicted peak of the plan.
        budget_bytes: the budget; None for none.
        store_all_peak_bytes: predicted peak when nothing is recomputed.
        operations: how many operations.
        recomputed: how many of them run more than once.
        extra_runs: runs beyond the first.
        forward_seconds: one run of each operation of the forward pass.
        backward_seconds: the same of the backward pass.
        recompute_seconds: runs beyond the first.
        kept_bytes: stay in memory from the forward to the backward pass.
        recomputed_bytes: dropped and made again, each storage counted once.
        spilled_bytes: moved to a slower tier and back.
        released_bytes: made by the forward pass, dropped in it, and never needed again.
    """

    peak_bytes: int
    budget_bytes: int | None
    store_all_peak_bytes: int
    operations: int
    recomputed: int
    extra_runs: int
    forward_seconds: float
    backward_seconds: float
    recompute_seconds: float
    kept_bytes: int
    recomputed_bytes: int
    spilled_bytes: int
    released_bytes: int

    @property
    def overhead(self) -> float:
        """Time of recomputation as a fraction of running each operation once."""
        once = self.forward_seconds + self.backward_seconds
        return self.recompute_seconds / once if once else 0.0


@dataclass(frozen=True)
class GraphExplanation:
    """What the plan of one captured graph does.

    Attributes:
        name: of the module, and which of its graphs this is.
        rows: the operations, grouped; forward first, in the order in which they run.
        totals: sums.
        peak: what is live at the peak.
        plan: the plan.
        graph: what it was made for.
        places: for each operation of the graph where it comes from.
    """

    name: str
    rows: tuple[OperationRow, ...]
    totals: Totals
    peak: Peak
    plan: Plan = field(repr=False)
    graph: Graph = field(repr=False)
    places: tuple[Place, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Rows, totals and peak as what JSON can hold."""
        return {
            "name": self.name,
            "strategy": self.plan.strategy,
            "totals": {**asdict(self.totals), "overhead": self.totals.overhead},
            "peak": asdict(self.peak),
            "rows": [{**asdict(row), "made_bytes": row.made_bytes} for row in self.rows],
        }


def sum_rows(rows: Sequence[OperationRow], **names: Any) -> OperationRow:
    """Rows added up under other names: ``module``, ``module_type``, ``source``, ``operator``."""
    known = rows[0]
    return OperationRow(
        module=names.get("module", known.module),
        module_type=names.get("module_type", known.module_type),
        source=names.get("source", known.source),
        operator=names.get("operator", known.operator),
        phase=known.phase,
        operations=sum(row.operations for row in rows),
        recomputed=sum(row.recomputed for row in rows),
        extra_runs=sum(row.extra_runs for row in rows),
        most_runs=max(row.most_runs for row in rows),
        seconds=sum(row.seconds for row in rows),
        recompute_seconds=sum(row.recompute_seconds for row in rows),
        kept_bytes=sum(row.kept_bytes for row in rows),
        recomputed_bytes=sum(row.recomputed_bytes for row in rows),
        spilled_bytes=sum(row.spilled_bytes for row in rows),
        released_bytes=sum(row.released_bytes for row in rows),
    )
