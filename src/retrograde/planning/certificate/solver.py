"""Prices from a linear program, in floating point; whoever uses them proves them first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.planning.certificate.exact import Scale
from retrograde.planning.certificate.relaxation import Reals, Relaxation

_EXCESS_PRICE = 2.0**12


@dataclass(frozen=True)
class Prices:
    """What the solver says.

    Attributes:
        rows: a price for each row of the relaxation.
        bytes: a price of bytes for each cut.
    """

    rows: Reals
    bytes: tuple[float, ...]


def solve(relaxation: Relaxation, scale: Scale, budget_bytes: int, time_limit: float | None = None) -> Prices | None:
    """The prices that prove most for a budget, or None where the solver gave up.

    A byte above the budget is allowed at a high price, so that there always are prices.

    Args:
        relaxation: its rows.
        scale: the units of the prices.
        budget_bytes: the budget.
        time_limit: seconds, or None for no limit.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    stages, rows = len(relaxation.cuts), len(relaxation.least)
    width = relaxation.variables + stages
    sizes = np.array([relaxation.structure.sizes[s] / scale.bytes for s in relaxation.live_storage.tolist()])
    live = np.arange(relaxation.runs, relaxation.runs + len(sizes))
    row = np.concatenate([relaxation.row, rows + relaxation.live_stage, rows + np.arange(stages)])
    column = np.concatenate([relaxation.column, live, relaxation.variables + np.arange(stages)])
    entry = np.concatenate([-relaxation.sign.astype(np.float64), sizes, np.full(stages, -1.0)])
    limits = [(budget_bytes - cut.taken_bytes) / scale.bytes for cut in relaxation.cuts]
    cost = np.zeros(width)
    paid = np.where(relaxation.paid >= 0, relaxation.structure.costs[relaxation.run_operation], 0.0)
    cost[: relaxation.runs] = paid / float(scale.cost)
    cost[relaxation.variables :] = _EXCESS_PRICE
    most = np.full(width, np.inf)
    most[relaxation.runs + len(sizes) : relaxation.variables] = 1.0
    options: dict[str, Any] = {} if time_limit is None else {"time_limit": time_limit}
    found: Any = linprog(
        cost,
        A_ub=csr_array((entry, (row, column)), shape=(rows + stages, width)),
        b_ub=np.concatenate([-relaxation.least.astype(np.float64), limits]),
        bounds=np.stack([np.zeros(width), most], axis=1),
        method="highs",
        options=options,
    )
    if found.status != 0:
        return None
    prices = -found.ineqlin.marginals
    return Prices(prices[:rows], tuple(prices[rows:].tolist()))
