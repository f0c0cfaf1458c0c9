"""Whether an array is nobody else's, so that it may be written.

Asked where the array lies in one place (a slot, a dict, a list): `getrefcount(place[key]) == ALONE`. Names, views,
memory views and residuals count as others, since each holds the array.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any

import numpy as np

__all__ = ["ALONE", "getrefcount", "is_writable"]

_place = [np.empty(0)]

ALONE = getrefcount(_place[0])
"""The count of an array that lies in one place alone."""


def is_writable(array: Any) -> bool:
    """Whether a value is a NumPy array with memory of its own, so that counting its references says who reads it."""
    return type(array) is np.ndarray and array.base is None and array.flags.owndata and array.flags.writeable
