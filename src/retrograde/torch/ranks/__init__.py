"""Several processes: one plan agreed by all ranks, failures that reach every rank, and one rank that speaks."""
