"""Special functions of SciPy, by family, with their derivatives. SciPy is imported when one is first computed."""

from retrograde.rules.special import (
    bessel_functions,
    entropies,
    error_functions,
    gamma_functions,
    integrals,
    log_sum_exp,
)

__all__ = ["bessel_functions", "entropies", "error_functions", "gamma_functions", "integrals", "log_sum_exp"]
