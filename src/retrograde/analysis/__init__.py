"""What is known before deciding: working sets, frontiers, orders and bounds of a graph."""

from retrograde.analysis.analyze import Analysis, Frontier, analyze
from retrograde.analysis.bounds import Bound, lower_bounds, peak_bound_bytes
from retrograde.analysis.orders import ORDERS, Order, compare_orders, order_operations
from retrograde.analysis.structure import NarrowPoint, Structure, narrow_points, structure_of
from retrograde.analysis.working_sets import largest_working_set_bytes, working_set_bytes, working_sets

__all__ = [
    "ORDERS",
    "Analysis",
    "Bound",
    "Frontier",
    "NarrowPoint",
    "Order",
    "Structure",
    "analyze",
    "compare_orders",
    "largest_working_set_bytes",
    "lower_bounds",
    "narrow_points",
    "order_operations",
    "peak_bound_bytes",
    "structure_of",
    "working_set_bytes",
    "working_sets",
]
