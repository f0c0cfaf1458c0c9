"""The tape under a budget: it drops what it recorded and computes it again, to stay within a number of bytes."""

from retrograde.autodiff.budgeted.account import MemoryReport
from retrograde.autodiff.budgeted.border import Border, border_for, output

__all__ = ["Border", "MemoryReport", "border_for", "output"]
