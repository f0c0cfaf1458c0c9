"""What docs/rules.md says of the rules is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import retrograde.rules
from retrograde import nn, special
from retrograde.program import spelling

_PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()


def test_every_function_with_a_rule_is_listed_and_no_other() -> None:
    (listed,) = re.findall(r"^## What has a rule\n(.*?)^And their", _PAGE, re.MULTILINE | re.DOTALL)
    found = {name for name in re.findall(r"`(\w+)`", listed) if name != "None"}
    spelled = {function.__name__ for function in spelling.SPELLINGS} - {"__getitem__", "__pow__", "np_astype"}
    assert found == spelled


def test_the_neighbours_in_the_recipe_are_there() -> None:
    (recipe,) = re.findall(r"^## Add a primitive\n.*?^```text\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    rules = "\n".join(path.read_text() for path in Path(retrograde.rules.__file__).parent.rglob("*.py"))
    for declaration in recipe.strip().split("\n\n"):
        assert declaration in rules


@pytest.mark.parametrize("module", [special, nn])
def test_special_functions_and_layers_are_listed(module: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "nn.md").read_text()
    titles = {special: "Special functions", nn: "Networks"}
    (listed,) = re.findall(rf"^## {titles[module]}\n.*?^\|---\|---\|\n(.*?)^\n", page, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == set(module.__all__)
