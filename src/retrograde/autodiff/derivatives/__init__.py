"""Jacobians, Hessians, Laplacians, Taylor series and steps of second order: what rules and passes are combined to."""
