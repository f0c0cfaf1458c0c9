"""Comparisons: their derivative is zero wherever they have one, so their results are plain arrays."""

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.program.spelling import spells
from retrograde.rules.type_rules import of_ufunc


def _comparison(ufunc: np.ufunc) -> Primitive:
    return spells(ufunc)(Primitive(ufunc.__name__, ufunc, ("x", "y"), result=of_ufunc(ufunc)))


less = _comparison(np.less)
less_equal = _comparison(np.less_equal)
greater = _comparison(np.greater)
greater_equal = _comparison(np.greater_equal)
equal = _comparison(np.equal)
not_equal = _comparison(np.not_equal)
