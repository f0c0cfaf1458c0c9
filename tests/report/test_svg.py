"""Drawings, and labels that keep out of each other's way."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from retrograde.report.svg import PALETTE, Drawing, spread, style_sheet


def test_a_figure_is_well_formed_and_escaped() -> None:
    drawing = Drawing()
    drawing.text(0, 0, "a < b & c")
    drawing.words(0, 0, [("x < y", "ink", True), ("]]>", "muted", False)])
    figure = drawing.figure(100, 50, 'of "a" & <b>')
    for text in (figure.svg(), figure.inline()):
        root = ElementTree.fromstring(text)
        assert "a < b & c" in "".join(root.itertext())
    assert ElementTree.fromstring(figure.inline()).get("aria-label") == 'of "a" & <b>'


def test_every_colour_has_a_light_and_a_dark_side() -> None:
    light, dark = style_sheet().split("@media (prefers-color-scheme: dark){")
    for name, (on_light, on_dark) in PALETTE.items():
        assert f".f-{name}{{fill:{on_light}}}" in light
        assert f".f-{name}{{fill:{on_dark}}}" in dark


def test_only_palette_colours_are_used() -> None:
    drawing = Drawing()
    drawing.rect(0, 0, 1, 1, "band", 0.5)
    drawing.area([(0, 0), (1, 1)], 5, "series-0", 0.2)
    drawing.line(0, 0, 1, 1, "grid", 1, "2 2")
    drawing.dot(0, 0, 3, "series-1")
    body = drawing.figure(1, 1, "").body
    assert 'class="f-band"' in body
    assert 'stroke-dasharray="2 2"' in body
    assert "#" not in body


@given(st.lists(st.floats(0, 300), max_size=8), st.floats(5, 30))
def test_spread_labels_are_apart_in_order_and_inside(wanted: list[float], distance: float) -> None:
    places = spread(wanted, distance, 0, 300)
    in_order = [places[i] for i in sorted(range(len(wanted)), key=lambda i: wanted[i])]
    assert all(b - a >= distance - 1e-6 for a, b in pairwise(in_order))
    if len(wanted) * distance <= 300:
        assert all(-1e-6 <= place <= 300 + 1e-6 for place in places)


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([50, 10, 90], 16, 0, 100) == [50, 10, 90]
