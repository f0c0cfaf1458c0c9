"""Plans with tiers found earlier in this process: a larger budget never gets a dearer plan than a smaller one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from retrograde.planning.plan import Plan

MOST_GRAPHS = 8
"""Graphs (with their tiers and strategy) whose plans are remembered."""

_lock = threading.Lock()
_plans: OrderedDict[tuple[object, ...], list[Plan]] = OrderedDict()


def remember(found: Plan) -> None:
    """Keep a plan unless one in hand is at least as good."""
    with _lock:
        key = (found.graph, found.tiers, found.strategy)
        known = _plans.setdefault(key, [])
        if not any(k.peak_bytes <= found.peak_bytes and k.cost <= found.cost for k in known):
            known[:] = [k for k in known if k.peak_bytes < found.peak_bytes or k.cost < found.cost]
            known.append(found)
        _plans.move_to_end(key)
        while len(_plans) > MOST_GRAPHS:
            _plans.popitem(last=False)


def recall(graph: str, tiers: tuple[object, ...], strategy: str, budget_bytes: int | None) -> Plan | None:
    """The cheapest plan in hand of a graph, by its fingerprint, within a budget; None if there is none."""
    with _lock:
        known = _plans.get((graph, tiers, strategy), ())
        fitting = [k for k in known if budget_bytes is None or k.peak_bytes <= budget_bytes]
    best = min(fitting, key=lambda k: (k.cost, k.peak_bytes), default=None)
    return None if best is None else replace(best, budget_bytes=budget_bytes)


def forget() -> None:
    """Forget every plan with tiers found in this process."""
    with _lock:
        _plans.clear()
