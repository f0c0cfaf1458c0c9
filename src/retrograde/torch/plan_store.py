"""Plans for captured graphs, found once and kept on disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch

from retrograde.disk_cache import DiskCache
from retrograde.errors import BudgetError, PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning import (
    STRATEGIES,
    Budget,
    Compute,
    Free,
    Lowering,
    Plan,
    RunOrder,
    Schedule,
    Spill,
    Tier,
    certify,
    plan,
)
from retrograde.planning.strategies import Options as StrategyOptions
from retrograde.runtime.progress import ProgressReporter
from retrograde.runtime.tier_speed import measured_tier
from retrograde.torch.costs.measured import hardware_key
from retrograde.torch.options import Options
from retrograde.torch.ranks.agreement import agreed_plan
from retrograde.torch.ranks.quiet import rank_speaks
from retrograde.version import __version__

_logger = logging.getLogger("retrograde")


def find_plan(graph: Graph, options: Options) -> Plan:
    """The plan for a graph: from disk if this graph was planned on this hardware before, else planned now.

    All plans of one graph are kept together, and a cheaper plan of a smaller budget serves a larger one: with one
    cache, a larger budget never has a larger planned cost.

    Raises:
        BudgetError: no plan meets the budget.
    """
    budget_bytes = options.budget.resolve(graph.store_all_peak_bytes)
    shelf = _Shelf(graph, options)
    if not shelf.holds(budget_bytes):
        try:
            shelf.add(_plan_showing_progress(graph, options, budget_bytes))
        except BudgetError as error:
            # So that asking for the minimum succeeds in any process, however little time it has.
            shelf.add(_plan_showing_progress(graph, options, error.minimum_bytes))
            raise
    return shelf.cheapest(budget_bytes)


def find_agreed_plan(graph: Graph, options: Options, collectives: Sequence[str] = ()) -> Plan:
    """The plan for a graph, of several ranks with the same graph the one that they agree on.

    Args:
        graph: this rank's graph.
        options: what was asked for.
        collectives: its operations that talk to other ranks, in order.

    Raises:
        BudgetError: no plan meets the budget.
        RankError: another rank failed, or is gone.
        CaptureError: the ranks captured different collectives.
    """
    return agreed_plan(
        graph,
        options.budget.resolve(graph.store_all_peak_bytes),
        lambda budget_bytes: find_plan(graph, replace(options, budget=Budget(max(1, budget_bytes)))),
        collectives=collectives,
        asked=f"{options.strategy} {options.iterations} {options.seed}",
    )


def find_small_plan(graph: Graph, options: Options, held_bytes: int) -> Plan:
    """A plan that needs few bytes and hands over few, for a call whose place in a step is not known yet.

    Args:
        graph: the captured graph.
        options: what was asked for.
        held_bytes: what earlier calls of the step hold.

    Raises:
        BudgetError: no plan fits beside what is held.
    """
    limit = options.budget.bytes
    left = None if limit is None else limit - held_bytes
    plan = _smallest_of_the_simple(graph)
    if left is None or plan.peak_bytes <= left:
        return plan
    return find_plan(graph, replace(options, budget=Budget(max(1, left))))


def _smallest_of_the_simple(graph: Graph) -> Plan:
    """Of what the simple strategies propose, the plan that takes least, and of those that which hands over least.

    Up to three times as many runs as operations, whatever they cost: measured costs waver, and whether a first step
    fits must not.
    """
    lowering = Lowering(graph)
    most_runs = 3 * len(graph.operations)
    proposals = [
        (lowering.measure(sequence), sequence)
        for candidates in STRATEGIES.values()
        for sequence in _proposals(candidates, graph)
        if sum(map(len, sequence)) <= most_runs
    ]
    least = min(peak_bytes for (peak_bytes, _), _ in proposals)
    schedules = [(cost, lowering.lower(sequence)) for (peak_bytes, cost), sequence in proposals if peak_bytes == least]
    _, schedule = min(schedules, key=lambda found: (_handed_over_bytes(graph, found[1]), found[0]))
    return certify(graph, schedule.actions, schedule.segments, strategy="auto")


def _handed_over_bytes(graph: Graph, schedule: Schedule) -> int:
    """Bytes that the first segment makes and leaves to the next."""
    if len(schedule.segments) < 2:
        return 0
    live: set[int] = set()
    for action in schedule.actions[: schedule.segments[1]]:
        if isinstance(action, Compute):
            live.update(graph.allocated_storages(action.operation))
        elif isinstance(action, Free):
            live.discard(action.storage)
    return sum(graph.storages[storage].bytes for storage in live)


def _proposals(candidates: Callable[[Graph, StrategyOptions], Iterable[RunOrder]], graph: Graph) -> Iterator[RunOrder]:
    try:
        yield from candidates(graph, StrategyOptions())
    except UsageError:
        return


class _Shelf:
    """The plans of one graph found with the same options, on disk."""

    def __init__(self, graph: Graph, options: Options) -> None:
        self._graph = graph
        self._store = DiskCache("plans") if options.cache else None
        self._key = _key(graph, options)
        self._plans: list[Plan] = []
        for text in (self._store.get(self._key) if self._store is not None else None) or ():
            self._take(text)

    def holds(self, budget_bytes: int) -> bool:
        """Whether this budget was planned before."""
        return any(known.budget_bytes == budget_bytes for known in self._plans)

    def add(self, found: Plan) -> None:
        self._plans.append(found)
        if self._store is not None:
            self._store.put(self._key, [known.to_json() for known in self._plans])

    def cheapest(self, budget_bytes: int) -> Plan:
        """The cheapest plan in hand whose peak the budget allows; of equally cheap ones that which spills least."""
        fitting = [known for known in self._plans if known.peak_bytes <= budget_bytes]
        best = min(fitting, key=lambda known: (known.cost, self._spilled_bytes(known), known.peak_bytes))
        return replace(best, budget_bytes=budget_bytes)

    def _spilled_bytes(self, known: Plan) -> int:
        return sum(self._graph.storages[a.storage].bytes for a in known.actions if isinstance(a, Spill))

    def _take(self, text: str) -> None:
        try:
            known = Plan.from_json(text)
            known.verify(self._graph)
        except PlanError as error:
            _logger.warning("plan cache: an entry of %s does not fit its graph (%s); planning again", self._key, error)
        else:
            self._plans.append(known)


def _plan_showing_progress(graph: Graph, options: Options, budget_bytes: int) -> Plan:
    with ProgressReporter() as reporter:
        return plan(
            graph,
            budget_bytes,
            options.strategy,
            time_limit=options.time_limit,
            iterations=options.iterations,
            seed=options.seed,
            tiers=_tiers(graph, options),
            progress=options.progress or (reporter if rank_speaks() else None),
            # Where there are more segments than two, several graphs take turns; none can run another's operations.
            reorder=graph.segment_count <= 2,
        )


def _tiers(graph: Graph, options: Options) -> tuple[Tier, ...]:
    """Where ``auto`` may spill storages to: the folder that was given for it, if one was."""
    if options.strategy != "auto" or options.spill_folder is None or graph.base_cost == 0:
        return ()
    return (measured_tier(options.spill_folder, options.spill_bytes, cache=options.cache),)


def _key(graph: Graph, options: Options) -> str:
    facts = [
        graph.fingerprint,
        options.strategy,
        str(options.iterations),
        str(options.seed),
        str(options.time_limit),
        __version__,
        torch.__version__,
        hardware_key(),
        *map(str, _tiers(graph, options)),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
