"""Programs to procedures: what is written in place, what is copied, what stands inside what."""
