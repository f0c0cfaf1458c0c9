"""Random functions: loop nests, run by Python without compiling them, give the gradients of the programs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pytest
from language.drawn_checks import Drawn
from language.drawn_functions import Drawer
from language.drawn_widely import WideDrawer


def count(drawer: type[Drawer], seeds: Iterable[int]) -> int:
    """How many functions were read and have loop nests; wrong gradients are errors."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        read = (Drawn(drawer(seed), seed).read() for seed in seeds)
        return sum(found.nests_agree() for found in read if found is not None)


def test_nests_of_drawn_functions() -> None:
    # Of these, 23 has loops within loops that count with one name, 65 stacks that a branch does not fill, and 720166
    # zeros of a cotangent that has two names.
    assert count(Drawer, [*range(20, 34), *range(64, 68), 720166]) > 9


def test_nests_of_widely_drawn_functions() -> None:
    assert count(WideDrawer, range(10)) > 4


@pytest.mark.slow
def test_nests_of_many_drawn_functions() -> None:
    assert count(Drawer, range(1000, 1200)) > 90


@pytest.mark.slow
def test_nests_of_many_widely_drawn_functions() -> None:
    assert count(WideDrawer, range(1000, 1200)) > 90
