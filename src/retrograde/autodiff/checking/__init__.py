"""Numerical checks of derivatives."""

from retrograde.autodiff.checking.check import check_gradients
from retrograde.autodiff.checking.report import Entry, GradientReport, Group, Identity

__all__ = ["Entry", "GradientReport", "Group", "Identity", "check_gradients"]
