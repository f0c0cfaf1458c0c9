"""Large arrays that compiled code makes come in large pages, where Linux has them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrograde.python.compiling import compile_text
from retrograde.python.compiling.pages import LEAST_BYTES, in_large_pages

_TEXT = """def ones(n):
    made = np.empty((n,), np.float64)
    in_large_pages(made)
    for k in range(n):
        made[k] = 1.0
    return made
"""
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.fixture(scope="module")
def ones() -> Any:
    """A compiled function that makes an array."""
    return compile_text(_TEXT, ["ones"], namespace={"np": np, "in_large_pages": in_large_pages}).ones


@pytest.mark.parametrize("count", [0, 1, LEAST_BYTES // 8 - 1, LEAST_BYTES // 8, LEAST_BYTES // 2])
def test_arrays_of_every_size_are_as_they_would_be(ones: Any, count: int) -> None:
    assert np.array_equal(ones(count), np.ones(count))


@pytest.mark.skipif(
    sys.platform != "linux" or not _SETTING.exists() or "[never]" in _SETTING.read_text(), reason="no large pages here"
)
def test_a_large_array_is_advised(ones: Any) -> None:
    made = ones(LEAST_BYTES)
    assert "hg" in _flags(made.ctypes.data + LEAST_BYTES)


def _flags(address: int) -> list[str]:
    """What the kernel notes of the area of memory that an address is in."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if header is not None:
            inside = int(header[1], 16) <= address < int(header[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError("the address is in no area of memory")


def test_outside_of_compiled_code_nothing_happens() -> None:
    in_large_pages(np.ones(3))
