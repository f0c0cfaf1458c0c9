"""Stacked bars."""

from __future__ import annotations

import re

from retrograde.report import StackedBar, stacked_figure

KINDS = (("kept", "series-0"), ("recomputed", "recompute"), ("spilled", "series-3"))


def widths(body: str, colour: str) -> list[float]:
    return [float(width) for width in re.findall(rf'<rect class="f-{colour}"[^>]* width="([0-9.]+)"', body)]


def test_parts_are_as_wide_as_they_have_bytes() -> None:
    figure = stacked_figure([StackedBar("first", (2048, 1024, 0)), StackedBar("second", (1024, 0, 0))], KINDS)
    kept, recomputed = widths(figure.body, "series-0"), widths(figure.body, "recompute")
    assert abs(kept[0] - 2 * kept[1]) < 0.2
    assert abs(kept[0] - 2 * recomputed[0]) < 0.2
    assert widths(figure.body, "series-3") == []


def test_the_key_names_only_what_there_is_and_the_bars_their_sum() -> None:
    figure = stacked_figure([StackedBar("a<b", (2048, 1024, 0)), StackedBar("x", (0, 1, 0), "a note")], KINDS)
    assert "kept" in figure.body
    assert "spilled" not in figure.body
    assert "3.00 KiB" in figure.body
    assert "a note" in figure.body
    assert "a&lt;b" in figure.body


def test_what_is_there_is_seen_however_small() -> None:
    figure = stacked_figure([StackedBar("a", (1 << 40, 1, 0))], KINDS)
    assert widths(figure.body, "recompute") == [1.5]


def test_nothing_to_show() -> None:
    assert "<line" in stacked_figure([StackedBar("a", (0, 0, 0))], KINDS, heading="Empty").body
