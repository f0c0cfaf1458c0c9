"""The drawing of a loop's schedule."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from retrograde import UsageError
from retrograde.planning.loops import Disk, plan_loop
from retrograde.report.loops import loop_figure


def lines(svg: str, colour: str) -> int:
    return len(re.findall(rf'<line class="s-{colour}"', svg))


def test_each_run_reversal_and_stored_state_is_a_line() -> None:
    plan = plan_loop(10, state_bytes=8, budget_bytes=24)
    svg = loop_figure(plan, heading="ten steps").svg()
    ElementTree.fromstring(svg)
    assert lines(svg, "series-3") == 10
    assert lines(svg, "series-2") == sum(type(action).__name__ == "Snapshot" for action in plan)
    assert lines(svg, "recompute") > 0
    assert "ten steps" in svg


def test_states_on_disk_have_a_colour_of_their_own() -> None:
    svg = loop_figure(plan_loop(10, state_bytes=8, budget_bytes=0, disk=Disk())).svg()
    assert lines(svg, "series-4") == 9
    assert "on disk" in svg


def test_no_steps() -> None:
    ElementTree.fromstring(loop_figure(plan_loop(0, 8, 8)).svg())


def test_a_schedule_too_long_to_be_legible() -> None:
    with pytest.raises(UsageError, match="too long to be drawn; draw a loop of fewer steps"):
        loop_figure(plan_loop(10**6, 8, 400))
