"""The corpus compiled: loop nests give the same gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from language import (
    test_branches,
    test_calls,
    test_containers,
    test_loops,
    test_numbers,
    test_random_numbers,
    test_writes,
)
from language.corpus import Case, check_compiled

_FILES = (test_branches, test_calls, test_containers, test_loops, test_numbers, test_random_numbers, test_writes)
_CASES = [case for file in _FILES for case in file.corpus.smooth]
_FEW = {"for_each_element", "through_a_row", "downwards"}


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(_directory(tmp_path_factory)))


def _directory(factory: pytest.TempPathFactory) -> Path:
    return factory.getbasetemp() / "compiled"


@pytest.mark.parametrize("case", [case for case in _CASES if repr(case) in _FEW], ids=repr)
def test_a_few(case: Case) -> None:
    check_compiled(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in _CASES if repr(case) not in _FEW], ids=repr)
def test_all(case: Case) -> None:
    check_compiled(case)
