"""Scheduled programs as Python text: the same bits as evaluated, under every schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from loop_programs import PAIRS, POINT, PROGRAMS, gradient, plans, scheduled, search

from retrograde.python.lowering import lower
from retrograde.python.text import python_text, run_text


def compiled(name: str) -> Callable[..., Any]:
    planned = gradient(name)
    scheduled(planned)
    return run_text(python_text(lower(planned)), planned.name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_schedule_gives_the_same_bits_as_text(name: str) -> None:
    plain = gradient(name)
    function = compiled(name)
    for kind in ("keep_all", "every_k 3", "sqrt", "revolve 32", "optimal 64"):
        for steps in (0, 1, 2, 9):
            expected = plain(POINT, 0.9, steps, 1.5)
            found = function(POINT, 0.9, steps, 1.5, *[plans(kind) for _ in range(PAIRS[name])])
            same = [np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(found, expected, strict=True)]
            assert all(same), (kind, steps)


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_loops_of_unknown_length_as_text(slots: int) -> None:
    for limit in (-0.5, 1.5, 5.0):
        plain, planned = search(limit), search(limit)
        assert scheduled(planned) == 1
        function = run_text(python_text(lower(planned)), planned.name)
        expected = plain(POINT, 1.0)
        found = function(POINT, 1.0, plans(f"online {slots}"))
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_the_text_follows_a_schedule() -> None:
    planned = gradient("decay")
    scheduled(planned)
    text = python_text(lower(planned))
    assert "for rows in schedule0.sweep(steps, (" in text
    assert "for rows in schedule0.reversal(steps, (" in text
