"""The tape: records NumPy code as it runs, and carries cotangents back through the record."""
