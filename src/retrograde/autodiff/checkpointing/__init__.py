"""Checkpoints: functions whose residuals are dropped after the call and recomputed in the backward pass."""

from retrograde.autodiff.checkpointing.checkpoint import checkpoint

__all__ = ["checkpoint"]
