"""The kernels in other systems: rewritten for JAX, generated for DaCe. Imported where those are installed."""
