"""Random functions: their programs do what Python does, and their gradients are those of finite differences."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from language.corpus import leaves_of
from language.drawn_checks import Drawn
from language.drawn_functions import Drawer
from language.drawn_widely import WideDrawer


def outcome(drawn: Drawn) -> str:
    """What becomes of a drawn function: "refused", or "agrees"; wrong numbers are errors.

    Raises:
        AssertionError: the program gives other values than Python.
    """
    given = drawn.given()
    returned = drawn.function(*given)
    values = [
        np.asarray(value) for value in (*leaves_of(returned), *given) if not isinstance(value, np.random.Generator)
    ]
    if not all(np.all(np.isfinite(value)) for value in values):
        return "not finite"
    found = drawn.read()
    if found is None:
        return "refused"
    found.values_agree(drawn)
    found.text_agrees()
    return "agrees" if found.differences_agree() else "not smooth"


def _agreeing(drawer: type[Drawer], seeds: range) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return sum(outcome(Drawn(drawer(seed), seed)) == "agrees" for seed in seeds)


def test_drawn_functions() -> None:
    assert _agreeing(Drawer, range(25)) > 15


def test_widely_drawn_functions() -> None:
    assert _agreeing(WideDrawer, range(20)) > 10


@pytest.mark.slow
def test_many_drawn_functions() -> None:
    assert _agreeing(Drawer, range(1000, 1300)) > 150


@pytest.mark.slow
def test_many_widely_drawn_functions() -> None:
    assert _agreeing(WideDrawer, range(1000, 1300)) > 150
