"""What carries a plan out: execution over callbacks, the event log, storage tiers, random states, meters, progress."""

from retrograde.runtime.disk import DiskTier
from retrograde.runtime.events import Event, EventLog, OperationProfile
from retrograde.runtime.execute import Callbacks, execute
from retrograde.runtime.meters import (
    AllocationEvent,
    Measurement,
    follow_allocations,
    measure_process,
    measure_python,
    measure_torch,
)
from retrograde.runtime.progress import ProgressReporter, describe_progress
from retrograde.runtime.random_state import RandomState, capture_random_state, preserved_random_state
from retrograde.runtime.tier_speed import measured_tier
from retrograde.runtime.tiers import Handle, MemoryTier, Tier

__all__ = [
    "AllocationEvent",
    "Callbacks",
    "DiskTier",
    "Event",
    "EventLog",
    "Handle",
    "Measurement",
    "MemoryTier",
    "OperationProfile",
    "ProgressReporter",
    "RandomState",
    "Tier",
    "capture_random_state",
    "describe_progress",
    "execute",
    "follow_allocations",
    "measure_process",
    "measure_python",
    "measure_torch",
    "measured_tier",
    "preserved_random_state",
]
