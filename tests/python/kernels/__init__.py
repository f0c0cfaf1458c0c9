"""Kernels from PolyBench, NPBench and elsewhere, written anew from their mathematical definitions."""

from __future__ import annotations

from kernels.dense import DENSE
from kernels.registry import Family, Kernel
from kernels.science import SCIENCE
from kernels.solvers import SOLVERS
from kernels.stencils import STENCILS

__all__ = ["FAMILIES", "KERNELS", "Family", "Kernel"]

FAMILIES: tuple[Family, ...] = (DENSE, SOLVERS, STENCILS, SCIENCE)

KERNELS: dict[str, Kernel] = {kernel.name: kernel for family in FAMILIES for kernel in family.kernels}
