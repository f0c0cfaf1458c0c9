"""What goes forward through NumPy code with its values: tangents, batches of them, series, linear steps."""
