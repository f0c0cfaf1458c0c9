"""A loop that ends when it ends: fed one step at a time, it says what to store, and then how to reverse."""

from __future__ import annotations

from dataclasses import replace

from retrograde.errors import BudgetError, UsageError
from retrograde.planning.loops.actions import LoopAction
from retrograde.planning.loops.candidates import levels_within
from retrograde.planning.loops.dynamic import solve
from retrograde.planning.loops.model import Loop
from retrograde.planning.loops.online import Placement
from retrograde.planning.loops.plan import LoopPlan
from retrograde.planning.loops.recipes import Recipe, figures
from retrograde.planning.loops.walk import Units


class OnlineLoop:
    """The reversal of a loop whose length is not known, for steps that are alike.

    While the loop runs, call ``advance`` before each step and carry out what it returns; it ends with the step
    itself. When the loop is over, ``finish`` gives the plan, whose ``reversal()`` is what remains to be done.

    ``plan_loop(None, ...)`` makes one.

    Args:
        loop: a loop of one step that says what each costs.
        budget_bytes: the most bytes in memory.

    Raises:
        BudgetError: there is no room for one state beside a step.

    Example:
        >>> online = OnlineLoop(Loop(1, state_bytes=8), budget_bytes=16)
        >>> for step in range(4):
        ...     print(*online.advance())
        Snapshot(step=0, tier='memory') Advance(start=0, stop=1)
        Snapshot(step=1, tier='memory') Advance(start=1, stop=2)
        Drop(step=1, tier='memory') Snapshot(step=2, tier='memory') Advance(start=2, stop=3)
        Drop(step=2, tier='memory') Snapshot(step=3, tier='memory') Advance(start=3, stop=4)
        >>> plan = online.finish()
        >>> plan.forward_steps, next(plan.reversal())
        (6, Restore(step=3, tier='memory'))
    """

    def __init__(self, loop: Loop, budget_bytes: int) -> None:
        state, needed = loop.state(0), loop.needed_bytes(0)
        if not loop.uniform:
            raise UsageError("a loop of unknown length has to have steps that are alike; give one number for all")
        if budget_bytes < state + needed:
            raise BudgetError(
                f"{budget_bytes} bytes are too few for a loop of unknown length: one state and one step take "
                f"{state + needed}; raise the budget",
                budget_bytes=budget_bytes,
                minimum_bytes=state + needed,
                bound_bytes=needed,
            )
        self._loop, self._budget_bytes = loop, budget_bytes
        self._slots = (budget_bytes - needed) // state if state else 1 << 62
        self._placement = Placement(self._slots)
        self._finished = False

    @property
    def steps(self) -> int:
        """Steps that the loop has run so far."""
        return self._placement.step

    @property
    def stored(self) -> tuple[int, ...]:
        """The states that are stored at the moment."""
        return tuple(self._placement.stored)

    def advance(self) -> tuple[LoopAction, ...]:
        """What to do at the present state: drop a state, store this one, and run one step."""
        if self._finished:
            raise UsageError(f"the loop was finished after {self.steps} steps; make another for another run")
        return self._placement.advance()

    def finish(self) -> LoopPlan:
        """The plan of the loop, now that its length is known. Its forward sweep is what ``advance`` has said.

        What lies between stored states is reversed by binomial schedules, or by the dynamic program where residuals can
        be kept and it costs less.
        """
        self._finished = True
        loop = replace(self._loop, steps=self.steps)
        numbers = (("slots", min(self._slots, max(1, self.steps))),)
        recipes = [Recipe("online", numbers)]
        units = Units(self.steps)
        levels = levels_within(loop, units, self._budget_bytes) if loop.keeps_residuals else 0
        # Rounded bytes could leave a stretch without a schedule.
        if levels and solve(loop, units, self._budget_bytes, levels).exact:
            recipes.append(Recipe("online", (*numbers, ("budget_bytes", self._budget_bytes), ("levels", levels))))
        plans = [LoopPlan(loop, self._budget_bytes, recipe, figures(loop, recipe)) for recipe in recipes]
        return min(plans, key=lambda plan: plan.cost)
