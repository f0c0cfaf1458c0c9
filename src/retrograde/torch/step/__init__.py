"""What must hold from the first call of a step to the end of its backward pass."""
