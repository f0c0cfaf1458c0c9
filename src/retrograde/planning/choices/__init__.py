"""Planning graphs whose operations have choices: which alternative each run takes, beside what is computed again."""

from retrograde.planning.choices.bundles import Bundle, Bundles, choices_used, with_assignment
from retrograde.planning.choices.descent import descend_with_choices
from retrograde.planning.choices.ladder import Assignment, ladder
from retrograde.planning.choices.record import best_found
from retrograde.planning.choices.search import Share, Solver, plan_choices
from retrograde.planning.choices.settling import Settling

__all__ = [
    "Assignment",
    "Bundle",
    "Bundles",
    "Settling",
    "Share",
    "Solver",
    "best_found",
    "choices_used",
    "descend_with_choices",
    "ladder",
    "plan_choices",
    "with_assignment",
]
