"""Kernels from PolyBench, NPBench and elsewhere, written anew from their mathematical definitions."""

from __future__ import annotations

from kernels.data import DATA
from kernels.dense import DENSE
from kernels.flows import FLOWS
from kernels.networks import NETWORKS
from kernels.others import OTHERS
from kernels.pitfalls import PITFALLS
from kernels.registry import Family, Kernel
from kernels.science import SCIENCE
from kernels.solvers import SOLVERS
from kernels.stencils import STENCILS

__all__ = ["FAMILIES", "KERNELS", "Family", "Kernel"]

FAMILIES: tuple[Family, ...] = (DENSE, SOLVERS, STENCILS, DATA, FLOWS, SCIENCE, NETWORKS, OTHERS, PITFALLS)

KERNELS: dict[str, Kernel] = {kernel.name: kernel for family in FAMILIES for kernel in family.kernels}
