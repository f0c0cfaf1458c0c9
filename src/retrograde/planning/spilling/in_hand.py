"""Plans with tiers found earlier in this process: a larger budget never gets a dearer plan than a smaller one."""

from __future__ import annotations

from dataclasses import replace

from retrograde.planning.plan import Plan
from retrograde.planning.remembered import Remembered

_plans = Remembered[list[Plan]]()


def remember(found: Plan) -> None:
    """Keep a plan unless one in hand is at least as good."""
    with _plans.lock:
        known = _plans.recall((found.graph, found.tiers, found.strategy), list)
        if not any(k.peak_bytes <= found.peak_bytes and k.cost <= found.cost for k in known):
            known[:] = [k for k in known if k.peak_bytes < found.peak_bytes or k.cost < found.cost]
            known.append(found)


def recall(graph: str, tiers: tuple[object, ...], strategy: str, budget_bytes: int | None) -> Plan | None:
    """The cheapest plan in hand of a graph, by its fingerprint, within a budget; None if there is none."""
    with _plans.lock:
        known = _plans.known((graph, tiers, strategy)) or []
        fitting = [k for k in known if budget_bytes is None or k.peak_bytes <= budget_bytes]
    best = min(fitting, key=lambda k: (k.cost, k.peak_bytes), default=None)
    return None if best is None else replace(best, budget_bytes=budget_bytes)
