"""A planned loop: an immutable value that yields its actions and carries what they cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from retrograde.errors import PlanError, UsageError
from retrograde.planning.loops.actions import Advance, LoopAction, Record
from retrograde.planning.loops.model import Disk, Loop
from retrograde.planning.loops.recipes import Figures, Recipe, actions
from retrograde.planning.loops.referee import LoopReplay, replay_loop

LOOP_PLAN_FORMAT_VERSION = 1


@dataclass(frozen=True)
class LoopPlan:
    """A schedule of a loop and its reversal. Iterating it yields the actions; each time anew, none of them stored.

    Attributes:
        loop: what is reversed.
        budget_bytes: the budget it was planned for; None for no limit.
        recipe: the strategy that was taken and its parameters.
        figures: what the schedule costs.
        optimal: whether no schedule of the kind that the strategies make costs less (``planning.loops.dynamic``
            states the kind).

    Example:
        >>> from retrograde.planning.loops import plan_loop
        >>> plan = plan_loop(3, state_bytes=8, budget_bytes=8)
        >>> for action in plan:
        ...     print(action)
        Snapshot(step=0, tier='memory')
        Advance(start=0, stop=2)
        Record(step=2)
        Reverse(step=2)
        Restore(step=0, tier='memory')
        Advance(start=0, stop=1)
        Record(step=1)
        Reverse(step=1)
        Restore(step=0, tier='memory')
        Drop(step=0, tier='memory')
        Record(step=0)
        Reverse(step=0)
    """

    loop: Loop
    budget_bytes: int | None
    recipe: Recipe
    figures: Figures
    optimal: bool = False

    def __iter__(self) -> Iterator[LoopAction]:
        return actions(self.loop, self.recipe)

    @property
    def strategy(self) -> str:
        """The strategy that was taken."""
        return self.recipe.strategy

    @property
    def forward_steps(self) -> int:
        """Steps advanced over. Each step runs once more, in its ``Record``."""
        return self.figures.forward_steps

    @property
    def cost(self) -> float:
        """Of running, reversing, writing and reading."""
        return self.figures.cost

    @property
    def base_cost(self) -> float:
        """The cost of running and reversing every step once, as if everything could be kept."""
        return self.loop.base_cost

    @property
    def overhead(self) -> float:
        """``cost / base_cost - 1``; 0 where the base cost is 0."""
        return self.cost / self.base_cost - 1 if self.base_cost else 0.0

    @property
    def peak_bytes(self) -> int:
        """The most bytes in memory at any moment, workspace included."""
        return self.figures.peak_bytes

    def forward(self) -> Iterator[LoopAction]:
        """The forward sweep: the actions until the last step has been run for the first time."""
        for action in self if self.loop.steps else ():
            yield action
            if _reaches_the_end(action, self.loop.steps):
                return

    def reversal(self) -> Iterator[LoopAction]:
        """The actions after the forward sweep. They rely on what it has stored, not on its current state."""
        rest = iter(self)
        for action in rest:
            if _reaches_the_end(action, self.loop.steps):
                return rest
        return rest

    def verify(self) -> LoopReplay:
        """Replay the schedule through the referee.

        Returns:
            What it saw.

        Raises:
            PlanError: an action cannot be carried out, the budget is not met, or the figures are not these.

        Example:
            >>> from retrograde.planning.loops import plan_loop
            >>> plan_loop(100, state_bytes=8, budget_bytes=40).verify().forward_steps
            316
        """
        seen = replay_loop(self, self.loop, self.budget_bytes)
        sweep = seen.sweep
        found = Figures(
            seen.forward_steps, seen.cost, seen.peak_bytes, seen.disk_peak_bytes,
            sweep.kept_bytes, sweep.kept_disk_bytes, sweep.cost, sweep.peak_bytes,
        )  # fmt: skip
        for field in fields(Figures):
            said, saw = getattr(self.figures, field.name), getattr(found, field.name)
            if not (said == saw or math.isclose(said, saw, rel_tol=1e-9)):
                raise PlanError(f"the plan of the loop says {field.name} = {said}, the referee saw {saw}")
        return seen

    def to_json(self) -> str:
        """The plan as one JSON object: its loop, its recipe and its figures, never its actions."""
        loop = {name: value for name, value in asdict(self.loop).items() if value is not None}
        return json.dumps(
            {
                "format": "retrograde loop plan",
                "version": LOOP_PLAN_FORMAT_VERSION,
                "loop": loop,
                "budget_bytes": self.budget_bytes,
                "strategy": self.recipe.strategy,
                "parameters": dict(self.recipe.numbers),
                "figures": asdict(self.figures),
                "optimal": self.optimal,
            }
        )

    @staticmethod
    def from_json(text: str) -> LoopPlan:
        """Read what ``to_json`` wrote.

        Raises:
            UsageError: the text is not a plan of a loop, or of another version.

        Example:
            >>> from retrograde.planning.loops import plan_loop
            >>> plan = plan_loop(100, state_bytes=8, budget_bytes=40)
            >>> LoopPlan.from_json(plan.to_json()) == plan
            True
        """
        try:
            data = cast(dict[str, Any], json.loads(text))
            if data["format"] != "retrograde loop plan" or data["version"] != LOOP_PLAN_FORMAT_VERSION:
                raise UsageError(
                    f"this is {data['format']!r} of version {data['version']!r}; a loop plan of version "
                    f"{LOOP_PLAN_FORMAT_VERSION} can be read"
                )
            disk = data["loop"].pop("disk", None)
            loop = Loop(**data["loop"], disk=Disk(**disk) if disk else None)
            recipe = Recipe(data["strategy"], tuple(data["parameters"].items()))
            return LoopPlan(loop, data["budget_bytes"], recipe, Figures(**data["figures"]), data["optimal"])
        except UsageError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is not a loop plan written by LoopPlan.to_json: {error!r}") from None


def _reaches_the_end(action: LoopAction, steps: int) -> bool:
    match action:
        case Advance(_, stop):
            return stop == steps
        case Record(step):
            return step == steps - 1
        case _:
            return False
