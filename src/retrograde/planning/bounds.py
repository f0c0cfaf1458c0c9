"""What no schedule can go below, whatever it recomputes or spills and in whatever order."""

from retrograde.analysis.bounds import peak_bound_bytes

__all__ = ["peak_bound_bytes"]
