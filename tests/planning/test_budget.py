"""Budgets as people write them."""

from __future__ import annotations

import pytest

from retrograde import Budget, UsageError
from retrograde.planning import format_bytes


class Indexed:
    """An integer of another kind, as NumPy's are."""

    def __index__(self) -> int:
        return 4096


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (1, 1),
        (8 * 2**30, 8 * 2**30),
        (Indexed(), 4096),
        ("8 GiB", 8 * 2**30),
        ("8GB", 8 * 10**9),
        ("800 MB", 800 * 10**6),
        ("1.5 KiB", 1536),
        ("  2 tib ", 2 * 2**40),
        ("7 B", 7),
        ("3 kb", 3000),
        ("5 MiB", 5 * 2**20),
        ("1TB", 10**12),
        ("40%", 400),
        ("12.5 %", 125),
        ("100%", 1000),
        (Budget("40%"), 400),
        (Budget(7), 7),
    ],
)
def test_what_is_understood(amount: int | str | Budget, expected: int) -> None:
    assert Budget(amount).resolve(store_all_peak_bytes=1000) == expected


@pytest.mark.parametrize(
    "amount", ["8 GiBs", "", "GiB", "-8 GiB", "8", "1e9 B", "nan", "8 GiB 2", "eight MB", "%", "8,5 GB"]
)
def test_text_that_is_not_understood(amount: str) -> None:
    with pytest.raises(UsageError, match=r'is not understood; write an int of bytes, "8 GiB", "800 MB", or "40%"'):
        Budget(amount)


@pytest.mark.parametrize("amount", [-1, True, False, 0.5, 8e9, float("nan"), None, [1], b"8 GiB"])
def test_what_is_no_amount(amount: object) -> None:
    with pytest.raises(UsageError, match="is not understood; write an int of bytes"):
        Budget(amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [0, "0 GiB", "0.1 B"])
def test_amounts_that_are_not_above_0(amount: int | str) -> None:
    with pytest.raises(UsageError, match="is not above 0; write an int of bytes"):
        Budget(amount)


@pytest.mark.parametrize("amount", ["0%", "140%", "100.01%"])
def test_percents_out_of_range(amount: str) -> None:
    with pytest.raises(UsageError, match="is not above 0 and at most 100 %; write"):
        Budget(amount)


def test_how_a_budget_is_shown() -> None:
    assert repr(Budget("40%")) == 'Budget("40%")'
    assert repr(Budget("8 GiB")) == "Budget(8589934592)"
    assert str(Budget("40%")) == "40%"
    assert str(Budget("8 GiB")) == "8.00 GiB"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.50 KiB"),
        (-2048, "-2.00 KiB"),
        (5 * 2**40, "5.00 TiB"),
        (2**52, "4096.00 TiB"),
    ],
)
def test_bytes_as_text(count: int, text: str) -> None:
    assert format_bytes(count) == text
