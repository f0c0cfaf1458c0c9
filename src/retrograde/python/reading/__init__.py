"""Source code to programs."""
