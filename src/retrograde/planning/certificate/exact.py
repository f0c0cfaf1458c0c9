"""Exact arithmetic: prices for the rows of a relaxation prove a bound, whoever found the prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from retrograde.graph import Graph
from retrograde.planning.certificate.cuts import cut_at
from retrograde.planning.certificate.relaxation import Reals, Relaxation, relax
from retrograde.planning.certificate.structure import Integers, Structure

_DIGITS = 44
_LARGEST = 1 << 55


@dataclass(frozen=True)
class Scale:
    """Units in which costs and bytes are about 1; powers of two, so that nothing is lost by them.

    Attributes:
        cost: at least the base cost.
        bytes: at least the size of any storage.
    """

    cost: Fraction
    bytes: int


def scale_of(structure: Structure) -> Scale:
    """The units for a graph."""
    base = structure.base_cost
    exponent = math.ceil(math.log2(base.numerator) - math.log2(base.denominator)) + 1 if base else 0
    return Scale(Fraction(2) ** exponent, 1 << max(structure.sizes, default=1).bit_length())


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proof that the cost of recomputation is at least ``constant_cost - cost_per_byte * budget_bytes``.

    Every schedule satisfies the rows of the relaxation. Multiplied by prices that are 0 or more and added up, they
    say that some sum of variables is at least a number; each variable is between 0 and 1, so it can be exchanged for
    what it costs, less what it is priced above that.

    Attributes:
        operations: those whose first runs are the cuts of the relaxation, earliest first.
        in_order: whether it holds only where first runs follow the given order.
        row_prices: for each row a price, in ``unit``.
        byte_prices: for each cut a price of a byte, in ``unit`` for ``bytes_scale`` bytes.
        unit: of prices, in the graph's unit of cost.
        bytes_scale: the bytes that byte prices refer to.
        constant_cost: the bound on the cost of recomputation if the budget were 0.
        cost_per_byte: by how much each byte of the budget lowers it.

    Source: weak duality of linear programs; safe bounds by Neumaier and Shcherbina (2004).
    """

    operations: tuple[int, ...]
    in_order: bool
    row_prices: Integers
    byte_prices: tuple[int, ...]
    unit: Fraction
    bytes_scale: int
    constant_cost: Fraction
    cost_per_byte: Fraction

    def extra_cost(self, budget_bytes: int) -> Fraction:
        """What any schedule within a budget spends at least on recomputation, in the graph's unit of cost."""
        return max(Fraction(0), self.constant_cost - self.cost_per_byte * budget_bytes)

    def verify(self, graph: Graph) -> bool:
        """Whether the prices prove what is claimed, computed again from the graph alone."""
        structure = Structure(graph)
        cuts = [cut_at(structure, o, in_order=self.in_order) for o in self.operations]
        relaxation = relax(structure, cuts)
        if len(relaxation.least) != len(self.row_prices) or (self.row_prices < 0).any() or min(self.byte_prices) < 0:
            return False
        constant, slope = _evaluate(relaxation, self.row_prices, self.byte_prices, self.unit, self.bytes_scale)
        return constant >= self.constant_cost and slope <= self.cost_per_byte


def certify_prices(
    relaxation: Relaxation, scale: Scale, row_prices: Reals, byte_prices: Sequence[float], *, in_order: bool
) -> Certificate:
    """A certificate out of prices found in floating point, in the units of ``scale``; negative ones become 0."""
    unit = scale.cost / (1 << _DIGITS)
    largest = float(_LARGEST) / max(1, len(row_prices))
    rows = np.clip(np.nan_to_num(row_prices) * 2.0**_DIGITS, 0, largest).astype(np.int64)
    bytes_ = tuple(max(0, int(price * 2.0**_DIGITS)) if math.isfinite(price) else 0 for price in byte_prices)
    constant, slope = _evaluate(relaxation, rows, bytes_, unit, scale.bytes)
    operations = tuple(cut.operation for cut in relaxation.cuts)
    return Certificate(operations, in_order, rows, bytes_, unit, scale.bytes, constant, slope)


def _evaluate(
    relaxation: Relaxation, rows: Integers, byte_prices: Sequence[int], unit: Fraction, bytes_scale: int
) -> tuple[Fraction, Fraction]:
    """The constant and the slope that prices prove. Costs of variables are rounded down to whole units."""
    priced = np.zeros(relaxation.variables, dtype=np.int64)
    np.add.at(priced, relaxation.column, rows[relaxation.row] * relaxation.sign)
    spare = _variable_costs(relaxation, byte_prices, unit, bytes_scale) - priced
    whole = int(rows @ relaxation.least) + int(np.minimum(spare, 0).sum())
    byte_unit = unit / bytes_scale
    taken = sum(p * cut.taken_bytes for p, cut in zip(byte_prices, relaxation.cuts, strict=True))
    return whole * unit + taken * byte_unit, sum(byte_prices) * byte_unit


def _variable_costs(relaxation: Relaxation, byte_prices: Sequence[int], unit: Fraction, bytes_scale: int) -> Integers:
    operations, sizes = relaxation.structure.graph.operations, relaxation.structure.sizes
    runs = [min(_LARGEST, int(Fraction(operations[o].cost) / unit)) if o >= 0 else 0 for o in relaxation.paid.tolist()]
    live = [
        min(_LARGEST, byte_prices[stage] * sizes[storage] // bytes_scale)
        for stage, storage in zip(relaxation.live_stage.tolist(), relaxation.live_storage.tolist(), strict=True)
    ]
    nothing = [0] * (relaxation.variables - len(runs) - len(live))
    return np.array(runs + live + nothing, dtype=np.int64)
