"""What docs/autodiff.md says of the rules is so."""

from __future__ import annotations

import re
from pathlib import Path

import retrograde.rules
from retrograde.program import PRIMITIVES, spelling

_PAGE = (Path(__file__).parents[2] / "docs" / "autodiff.md").read_text()
_INSIDE_RULES = {"multiply_or_zero", "divide_or_zero", "log_or_zero", "quiet_power", "linear_recurrence", "exponent"}
_INSIDE_RULES |= {"fraction", "spherical_bessel", "modified_bessel"}
_OF_PROGRAMS_ONLY = {"add_stacks", "zero_stack", "sum_to", "scatter", "add_at", "last_writes", "size", "stop_gradient"}

_OF_PROGRAMS_ONLY |= {"from_diagonal", "add_along_axis", "partition_order", "add_windows"}


def test_every_function_with_a_rule_is_listed_and_no_other() -> None:
    (listed,) = re.findall(r"^## What has a rule\n(.*?)^And their", _PAGE, re.MULTILINE | re.DOTALL)
    found = {name for name in re.findall(r"`(\w+)`", listed) if name != "None"}
    spelled = {function.__name__ for function in spelling.SPELLINGS} - {"__pow__", "np_astype"}
    assert found == spelled
    assert set(PRIMITIVES) - {"getitem", "update"} - _INSIDE_RULES - _OF_PROGRAMS_ONLY <= found


def test_the_neighbours_in_the_recipe_are_there() -> None:
    (recipe,) = re.findall(r"^## Add a primitive\n.*?^```text\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    rules = "\n".join(path.read_text() for path in Path(retrograde.rules.__file__).parent.glob("*.py"))
    for declaration in recipe.strip().split("\n\n"):
        assert declaration in rules
