"""One plan for all ranks: those whose graphs have the same structure follow the plan of one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch.distributed as dist

from retrograde.errors import CaptureError
from retrograde.graph import Graph
from retrograde.planning import Plan
from retrograde.planning.plan import certify
from retrograde.torch.ranks.exchange import PlanBoard
from retrograde.torch.ranks.session import GRAPH, READY, RankSession, Report, current_session, failure_report, is_alone


@dataclass(frozen=True)
class _Wish:
    """What a rank wants planned: its graph's structure, its collectives in order, its budget, its other options."""

    structure: str
    collectives: tuple[str, ...]
    budget_bytes: int
    asked: str


def agreed_plan(
    graph: Graph,
    budget_bytes: int,
    find: Callable[[int], Plan],
    *,
    collectives: Sequence[str] = (),
    asked: str = "",
) -> Plan:
    """The plan that this rank follows: in the first call of a module on several ranks one that all of them follow.

    Measured costs differ a little between processes, and plans with them. Where structure, bytes and options are
    the same on all ranks, rank 0 plans for the smallest of their budgets, and each rank has the referee replay that
    plan on its own graph. Where they differ (other shapes), each rank plans for itself. Outside a first call, when
    it is not known which ranks will plan, ``shared_plan`` decides.

    Args:
        graph: this rank's graph.
        budget_bytes: this rank's budget.
        find: finds a plan of ``graph`` for a budget in bytes.
        collectives: the operations of the graph that talk to other ranks, in order, in words that are the same on
            ranks whose calls match.
        asked: the options that a plan depends on, in words.

    Raises:
        BudgetError: no plan meets the budget; on all ranks if they agree.
        RankError: another rank failed, or is gone.
        CaptureError: the ranks captured graphs with different collectives, which would wait for each other for ever.
    """
    session = current_session()
    if session is None:
        return find(budget_bytes) if is_alone() else shared_plan(graph, budget_bytes, find, asked)
    wish = _Wish(structure_digest(graph), tuple(collectives), budget_bytes, asked)
    reports = session.exchange(GRAPH, wish)
    if any(report.stage != GRAPH for report in reports):
        return find(budget_bytes)
    wishes: list[_Wish] = [report.content for report in reports]
    _refuse_different_collectives(wishes)
    if len({(w.structure, w.asked) for w in wishes}) > 1:
        return find(budget_bytes)
    return _plan_of_leader(session, graph, min(w.budget_bytes for w in wishes), find)


def _plan_of_leader(session: RankSession, graph: Graph, budget_bytes: int, find: Callable[[int], Plan]) -> Plan:
    leader = 0
    if dist.get_rank() != leader:
        heard = session.hear(leader, None)
        theirs = Plan.from_json(heard.content)
        return recertified(theirs, graph)
    try:
        found = find(budget_bytes)
    except Exception as error:
        session.hear(leader, failure_report(error))
        raise
    session.hear(leader, Report(leader, READY, found.to_json()))
    return found


def compare_collectives(collectives: Sequence[str]) -> None:
    """In the first call of a module on several ranks, refuse a graph whose collectives would never meet.

    For graphs that get a plan of their own later, with the whole step.

    Args:
        collectives: as for ``agreed_plan``.

    Raises:
        CaptureError: the ranks captured graphs with different collectives.
        RankError: another rank failed, or is gone.
    """
    session = current_session()
    if session is None:
        return
    reports = session.exchange(GRAPH, _Wish("", tuple(collectives), 0, ""))
    if all(report.stage == GRAPH for report in reports):
        _refuse_different_collectives([report.content for report in reports])


def shared_plan(graph: Graph, budget_bytes: int, find: Callable[[int], Plan], asked: str) -> Plan:
    """The plan of the rank that first met this structure with this budget; of this rank, if it is that one.

    No rank waits for another but while that one plans.

    Raises:
        BudgetError: no plan meets the budget.
    """
    facts = f"{structure_digest(graph)} {budget_bytes} {asked}"
    board = PlanBoard(hashlib.sha256(facts.encode()).hexdigest())
    if not board.claim():
        text = board.read()
        return recertified(Plan.from_json(text), graph) if text else find(budget_bytes)
    text = ""
    try:
        found = find(budget_bytes)
        text = found.to_json()
    finally:
        # Nothing, after a failure: whoever reads it plans for itself, and sees the same failure.
        board.write(text)
    return found


def recertified(plan: Plan, graph: Graph) -> Plan:
    """A plan of a graph with the same structure as one of this graph, replayed by the referee with this one's costs.

    The bound on the overhead belongs to the other graph's costs, and is given up.

    Raises:
        PlanError: the plan does not replay.
    """
    own = certify(
        graph,
        plan.actions,
        plan.segments,
        strategy=plan.strategy,
        budget_bytes=plan.budget_bytes,
        statistics=plan.statistics,
        tiers=plan.tiers,
    )
    own.verify(graph)
    return own


def structure_digest(graph: Graph) -> str:
    """A digest of everything about a graph but what its operations cost.

    Example:
        >>> one = Graph.from_arrays(cost=[1, 2], bytes=[8, 8], edges=[(0, 1)])
        >>> other = Graph.from_arrays(cost=[3, 4], bytes=[8, 8], edges=[(0, 1)])
        >>> structure_digest(one) == structure_digest(other), one.fingerprint == other.fingerprint
        (True, False)
    """
    free = replace(graph, operations=tuple(replace(operation, cost=0.0) for operation in graph.operations))
    return hashlib.sha256(free.to_json().encode()).hexdigest()


def _refuse_different_collectives(wishes: list[_Wish]) -> None:
    first = wishes[0].collectives
    for rank, wish in enumerate(wishes):
        if wish.collectives == first:
            continue
        place = next((i for i, (a, b) in enumerate(zip(first, wish.collectives, strict=False)) if a != b), None)
        if place is None:
            difference = f"rank 0 captured {len(first)} of them, rank {rank} captured {len(wish.collectives)}"
        else:
            difference = f"number {place} is {first[place]} on rank 0 and {wish.collectives[place]} on rank {rank}"
        raise CaptureError(
            f"the ranks captured different collectives, and running them would hang: {difference}. Make every rank "
            "call the module on inputs of one structure, and let no rank skip a collective"
        )
