"""What carries a plan out: execution over callbacks, storage tiers, meters, events, random states."""
