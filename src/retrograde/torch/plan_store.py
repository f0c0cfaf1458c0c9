"""Plans for captured graphs, found once and kept on disk."""

from __future__ import annotations

import hashlib
import logging

import torch

from retrograde.disk_cache import DiskCache
from retrograde.errors import PlanError
from retrograde.graph import Graph
from retrograde.planning import Plan, plan
from retrograde.runtime.progress import ProgressReporter
from retrograde.torch.costs import hardware_key
from retrograde.torch.options import Options
from retrograde.version import __version__

_logger = logging.getLogger("retrograde")


def find_plan(graph: Graph, options: Options) -> Plan:
    """The plan for a graph: from disk if this graph was planned on this hardware before, else planned now.

    Raises:
        BudgetError: no plan meets the budget.
    """
    budget_bytes = options.budget.resolve(graph.store_all_peak_bytes)
    store = DiskCache("plans") if options.cache else None
    key = _key(graph, options, budget_bytes)
    if store is not None:
        known = store.get(key)
        if known is not None:
            try:
                found = Plan.from_json(known)
                found.verify(graph)
                return found
            except PlanError as error:
                _logger.warning("plan cache: entry %s does not fit its graph (%s); planning again", key, error)
    found = _plan_showing_progress(graph, options, budget_bytes)
    if store is not None:
        store.put(key, found.to_json())
    return found


def _plan_showing_progress(graph: Graph, options: Options, budget_bytes: int) -> Plan:
    with ProgressReporter() as reporter:
        return plan(
            graph,
            budget_bytes,
            options.strategy,
            time_limit=options.time_limit,
            iterations=options.iterations,
            seed=options.seed,
            progress=options.progress or reporter,
        )


def _key(graph: Graph, options: Options, budget_bytes: int) -> str:
    facts = [
        graph.fingerprint,
        str(budget_bytes),
        options.strategy,
        str(options.iterations),
        str(options.seed),
        str(options.time_limit),
        __version__,
        torch.__version__,
        hardware_key(),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
