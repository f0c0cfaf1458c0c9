"""Proofs: what no schedule within a budget can do better, and budgets that none can meet."""

from retrograde.planning.certificate.bounds import OverheadBound, fixed_order_bound, overhead_bound, overhead_bounds
from retrograde.planning.certificate.exact import Certificate
from retrograde.planning.certificate.infeasible import PeakBound, peak_bound, prove_infeasible
from retrograde.planning.certificate.rounding import recomputation_choices
from retrograde.planning.certificate.search import Effort

__all__ = [
    "Certificate",
    "Effort",
    "OverheadBound",
    "PeakBound",
    "fixed_order_bound",
    "overhead_bound",
    "overhead_bounds",
    "peak_bound",
    "prove_infeasible",
    "recomputation_choices",
]
