"""The plan: a schedule with its certificate, as an immutable value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from retrograde.errors import PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Free, Load, Spill
from retrograde.planning.lowering import Schedule
from retrograde.planning.referee import Replay, replay
from retrograde.planning.transfers import Tier

PLAN_FORMAT_VERSION = 1
_LETTERS: dict[str, type[Free] | type[Spill] | type[Load]] = {"f": Free, "s": Spill, "l": Load}


@dataclass(frozen=True)
class Plan:
    """A schedule of keeping, recomputing and spilling, with what is known about it.

    Attributes:
        actions: what to do, in order.
        segments: for each segment of the graph the index in ``actions`` at which it begins. An operation of
            segment 0 that is recomputed in segment 1 stands after the border.
        peak_bytes: predicted peak, in bytes.
        cost: sum of the costs of all operations as often as they run, in the graph's unit; of a plan with tiers the
            makespan in seconds, with the time in it that operations wait for transfers.
        base_cost: the cost of running each operation once.
        bound: a proved lower bound on the overhead of any schedule made of the same kinds of action.
        budget_bytes: the budget that was asked for, in bytes; None for none.
        strategy: the strategy that found it.
        graph: fingerprint of the graph that it belongs to.
        statistics: what the search reports of itself, as pairs of a name and a number.
        tiers: where it may spill storages to; without them, spilling takes no time.

    Read ``Plan(actions=(Compute(0), Compute(1), Free(0)), …)`` aloud as "run operation 0, run operation 1, give back
    storage 0".
    """

    actions: tuple[Action, ...]
    segments: tuple[int, ...]
    peak_bytes: int
    cost: float
    base_cost: float
    strategy: str
    graph: str
    bound: float = 0.0
    budget_bytes: int | None = None
    statistics: tuple[tuple[str, float], ...] = ()
    tiers: tuple[Tier, ...] = ()

    @property
    def overhead(self) -> float:
        """Extra cost over running each operation once, as a fraction; 0 when ``base_cost`` is 0."""
        return self.cost / self.base_cost - 1 if self.base_cost else 0.0

    @property
    def gap(self) -> float:
        """How much of the overhead is not proved necessary, as a fraction of the base cost."""
        return self.overhead - self.bound

    @property
    def schedule(self) -> Schedule:
        """Actions and segments alone."""
        return Schedule(self.actions, self.segments)

    def verify(self, graph: Graph) -> Replay:
        """Replay the plan on its graph through the referee.

        Raises:
            PlanError: another graph's plan, a broken rule, or a peak or cost other than the plan says.
        """
        if self.graph != graph.fingerprint:
            raise PlanError(f"this plan belongs to graph {self.graph}, not to {graph.fingerprint}; plan that graph")
        seen = replay(graph, self.actions, self.segments, self.budget_bytes, tiers=self.tiers)
        if seen.peak_bytes != self.peak_bytes:
            raise PlanError(f"the plan says its peak is {self.peak_bytes} bytes, the referee saw {seen.peak_bytes}")
        if abs(seen.cost - self.cost) > 1e-9 * max(1.0, abs(seen.cost)):
            raise PlanError(f"the plan says its cost is {self.cost}, the referee saw {seen.cost}")
        return seen

    def segment_actions(self, segment: int) -> tuple[Action, ...]:
        """The actions of one segment."""
        ends = (*self.segments[1:], len(self.actions))
        return self.actions[self.segments[segment] : ends[segment]]

    def to_json(self) -> str:
        """The plan as JSON text with a format version; ``Plan.from_json`` reads it."""
        document = {
            "format": "retrograde plan",
            "version": PLAN_FORMAT_VERSION,
            "actions": [_action_to_json(action) for action in self.actions],
            "segments": self.segments,
            "peak_bytes": self.peak_bytes,
            "cost": self.cost,
            "base_cost": self.base_cost,
            "strategy": self.strategy,
            "graph": self.graph,
            "bound": self.bound,
            "budget_bytes": self.budget_bytes,
            "statistics": self.statistics,
            **({"tiers": [asdict(tier) for tier in self.tiers]} if self.tiers else {}),
        }
        return json.dumps(document)

    @staticmethod
    def from_json(text: str) -> Plan:
        """Read what ``to_json`` wrote.

        Raises:
            PlanError: not JSON, an unknown format version, or a field that is missing.
        """
        try:
            document: Any = json.loads(text)
            known = document["format"] == "retrograde plan" and document["version"] == PLAN_FORMAT_VERSION
            if not known:
                raise PlanError(
                    f"unknown format {document['format']!r} version {document['version']!r}; this release reads "
                    f"'retrograde plan' version {PLAN_FORMAT_VERSION}"
                )
            return _plan_from_document(cast(dict[str, Any], document))
        except (KeyError, TypeError, ValueError, IndexError, UsageError) as error:
            raise PlanError(f"not a valid plan document: {type(error).__name__}: {error}") from error


def _plan_from_document(document: dict[str, Any]) -> Plan:
    return Plan(
        actions=tuple(_action_from_json(action) for action in document["actions"]),
        segments=tuple(document["segments"]),
        peak_bytes=document["peak_bytes"],
        cost=document["cost"],
        base_cost=document["base_cost"],
        strategy=document["strategy"],
        graph=document["graph"],
        bound=document["bound"],
        budget_bytes=document["budget_bytes"],
        statistics=tuple((name, number) for name, number in document["statistics"]),
        tiers=tuple(Tier(**tier) for tier in document.get("tiers", ())),
    )


def _action_to_json(action: Action) -> list[Any]:
    if isinstance(action, Compute):
        return [
            "c",
            action.operation,
            *([action.choice, action.overwrites] if action.choice or action.overwrites else []),
        ]
    letter = next(letter for letter, kind in _LETTERS.items() if isinstance(action, kind))
    return [letter, action.storage, *([action.tier] if isinstance(action, Spill) and action.tier else [])]


def _action_from_json(fields: list[Any]) -> Action:
    if fields[0] == "c":
        choice: int = fields[2] if len(fields) > 2 else 0
        overwrites: list[list[int]] = fields[3] if len(fields) > 2 else []
        return Compute(fields[1], choice, tuple((made, read) for made, read in overwrites))
    return _LETTERS[fields[0]](*fields[1:])


def certify(
    graph: Graph,
    actions: Sequence[Action],
    segments: Sequence[int],
    *,
    strategy: str,
    budget_bytes: int | None = None,
    bound: float = 0.0,
    statistics: Sequence[tuple[str, float]] = (),
    tiers: Sequence[Tier] = (),
) -> Plan:
    """A plan out of actions, with the peak and cost that the referee saw.

    Raises:
        PlanError: the referee refuses the actions.
    """
    seen = replay(graph, actions, segments, budget_bytes, tiers=tiers)
    return Plan(
        actions=tuple(actions),
        segments=tuple(segments),
        peak_bytes=seen.peak_bytes,
        cost=seen.cost,
        base_cost=graph.base_cost,
        strategy=strategy,
        graph=graph.fingerprint,
        bound=bound,
        budget_bytes=budget_bytes,
        statistics=tuple(statistics),
        tiers=tuple(tiers),
    )
