"""Scales and ticks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograde.report.scales import Scale, byte_ticks, percent_ticks, plain_ticks, round_step, seconds_ticks


def test_a_scale_may_run_upwards_and_may_be_empty() -> None:
    upwards = Scale(0, 10, 200, 100)
    assert (upwards(0), upwards(10), upwards(2.5)) == (200, 100, 175)
    assert Scale(3, 3, 50, 80)(3) == 50


@given(st.floats(1e-6, 1e15), st.integers(2, 10))
def test_a_round_step_cuts_into_at_most_as_many_parts_and_not_into_far_fewer(span: float, most: int) -> None:
    parts = span / round_step(span, most)
    assert most / 2.51 <= parts <= most * (1 + 1e-6)


@pytest.mark.parametrize(
    ("high", "text"),
    [
        (5, ("0", "1 B", "2 B", "3 B", "4 B", "5 B")),
        (133 * 2**20, ("0", "25 MiB", "50 MiB", "75 MiB", "100 MiB", "125 MiB")),
        (1.5 * 2**30, ("0", "0.25 GiB", "0.5 GiB", "0.75 GiB", "1 GiB", "1.25 GiB", "1.5 GiB")),
        (1, ("0", "1 B")),
    ],
)
def test_byte_ticks(high: float, text: tuple[str, ...]) -> None:
    assert byte_ticks(high).text == text


def test_percent_ticks() -> None:
    assert percent_ticks(0, 12.3, 4).text == ("0 %", "500 %", "1,000 %")
    assert percent_ticks(0, 0.02, 4).text == ("0 %", "0.5 %", "1 %", "1.5 %", "2 %")


def test_plain_and_second_ticks() -> None:
    assert plain_ticks(3, whole=True).text == ("0", "1", "2", "3")
    assert plain_ticks(9, 4, whole=True).text == ("0", "5")
    assert seconds_ticks(3).text == ("0", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s", "3 s")
    assert seconds_ticks(2e-5).text == ("0", "5 µs", "10 µs", "15 µs", "20 µs")


@given(st.floats(1e-3, 1e12))
def test_ticks_stay_within_what_they_measure(high: float) -> None:
    for ticks in (byte_ticks(high), percent_ticks(0, high), plain_ticks(high), seconds_ticks(high)):
        assert all(0 <= at <= high * (1 + 1e-6) for at in ticks.at)
        assert len(ticks.at) <= 12
