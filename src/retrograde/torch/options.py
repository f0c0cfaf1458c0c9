"""What a user asks of the engine, checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from retrograde.errors import UsageError
from retrograde.graph.units import parse_bytes
from retrograde.planning import Budget
from retrograde.planning.checks import check_strategy

COMPILERS = ("eager", "inductor")


@dataclass(frozen=True, eq=False)
class Options:
    """What a user asks of the engine. See ``retrograde.torch.budgeted`` for their meaning."""

    budget: Budget
    strategy: str = "auto"
    compiler: str = "eager"
    exact: bool = False
    fullgraph: bool = False
    dynamic: bool | None = None
    retain_graph: bool = False
    outside_bytes: int = 0
    optimizer: Any = None
    measure_costs: bool = True
    time_limit: float = 20.0
    iterations: int | None = None
    seed: int = 0
    cache: bool = True
    progress: Callable[[Any], None] | None = None
    spill_folder: str | os.PathLike[str] | None = None
    spill_bytes: int | str | None = None

    def __post_init__(self) -> None:
        check_strategy(self.strategy)
        if self.spill_bytes is not None:
            parse_bytes(self.spill_bytes)
        if self.compiler not in COMPILERS:
            raise UsageError(f"compiler={self.compiler!r} is not supported; there are {' and '.join(COMPILERS)}")
        if self.exact and self.compiler == "eager":
            raise UsageError('exact=True is for compiler="inductor"; with compiler="eager" all gradients are exact')
        if not self.time_limit > 0:
            raise UsageError(f"time_limit is a number of seconds above 0, not {self.time_limit!r}")

    @staticmethod
    def from_mapping(options: Mapping[str, Any]) -> Options:
        """Options out of ``torch.compile(…, options={...})``.

        Raises:
            UsageError: no budget, or an option that is not known.
        """
        # torch.compile has these two as its own arguments.
        known = {f.name for f in fields(Options)} - {"fullgraph", "dynamic"}
        unknown = sorted(set(options) - known)
        if unknown or "budget" not in options:
            problem = f"unknown option {unknown[0]!r}" if unknown else "no budget"
            raise UsageError(f'backend="retrograde": {problem}; options are {sorted(known)}, and budget is required')
        return Options(**{**options, "budget": as_budget(options["budget"])})


def as_budget(budget: int | str | Budget) -> Budget:
    """A budget as it was given, if it is one: modules that are given the same object share it."""
    return budget if isinstance(budget, Budget) else Budget(budget)
