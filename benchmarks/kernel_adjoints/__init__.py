"""Adjoints of ten kernels, written by hand for Numba: what a person who knows the kernel would do.

No fast-math. Each takes a kernel's arguments and the cotangents of its outputs, changes neither, and returns the
gradients by the kernel's `wrt`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernel_adjoints import flows, solvers, stencils

ADJOINTS: dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]] = {
    "jacobi_1d": lambda given, cotangents: stencils.jacobi_1d(given[0], *cotangents),
    "jacobi_2d": lambda given, cotangents: stencils.jacobi_2d(given[0], *cotangents),
    "heat_3d": lambda given, cotangents: stencils.heat_3d(given[0], *cotangents),
    "seidel_2d": lambda given, cotangents: (stencils.seidel_2d(given[0], *cotangents),),
    "fdtd_2d": lambda given, cotangents: stencils.fdtd_2d(given[0], *cotangents),
    "cholesky": lambda given, cotangents: (solvers.cholesky(*given, *cotangents),),
    "lu": lambda given, cotangents: (solvers.lu(*given, *cotangents),),
    "trisolv": lambda given, cotangents: solvers.trisolv(given[0], given[2], *cotangents),
    "durbin": lambda given, cotangents: (solvers.durbin(*given, *cotangents),),
    "cavity_flow": lambda given, cotangents: flows.cavity_flow(given, cotangents),
}
